//! Whose calls a proxy passes on: the address that it says, if it may speak for others.
//!
//! Law: nobody is believed about their own address. Only what a trusted proxy added counts, from the last hop back to the
//! first address that is none of them; what is not understood is said by that proxy itself.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, de::Error as _};
use tonic::metadata::MetadataMap;

/// Where proxies say for whom they call: addresses, of which each one adds that of its own caller.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The networks of those who may speak for others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("must be addresses or networks such as 10.0.0.0/8, separated by commas, was {text:?}");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address = address.parse::<IpAddr>().map_err(|_| unknown())?.to_canonical();
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(all), |bits| bits.parse().ok().filter(|bits| *bits <= all)).ok_or_else(unknown)?;
        Ok(Self { address, bits })
    }
}

impl<'de> Deserialize<'de> for Proxies {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let named = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        named.map(Network::from_str).collect::<Result<_, _>>().map(Self).map_err(D::Error::custom)
    }
}

impl Proxies {
    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }

    /// Who really calls: the peer, or for whom it calls.
    pub fn caller(&self, peer: IpAddr, metadata: &MetadataMap) -> IpAddr {
        let mut caller = peer;
        for line in metadata.get_all(FORWARDED_FOR).iter().rev() {
            // What stands before a line that cannot be read may be anybody's.
            let Ok(line) = line.to_str() else { break };
            for hop in line.rsplit(',') {
                match address(hop.trim()).filter(|_| self.has(caller)) {
                    Some(before) => caller = before,
                    None => return caller,
                }
            }
        }
        caller
    }
}

/// Some proxies say the port as well.
fn address(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataValue;

    use super::*;

    fn proxies(text: &str) -> Result<Proxies, serde::de::value::Error> {
        Proxies::deserialize(serde::de::value::StrDeserializer::new(text))
    }

    fn caller(trusted: &str, peer: &str, lines: &[&str]) -> String {
        let mut metadata = MetadataMap::new();
        for line in lines {
            metadata.append(FORWARDED_FOR, MetadataValue::try_from(line.as_bytes()).expect("no control characters"));
        }
        proxies(trusted).expect("sound").caller(peer.parse().expect("sound"), &metadata).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        let lan = "10.0.0.0/8, fd00::/8";
        assert_eq!(caller("", "10.0.0.1", &["1.2.3.4"]), "10.0.0.1");
        assert_eq!(caller(lan, "9.9.9.9", &["1.2.3.4"]), "9.9.9.9", "a phone says what it likes");
        assert_eq!(caller(lan, "10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(caller(lan, "::ffff:10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(caller(lan, "fd00::1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(caller(lan, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_phone_said_before_the_proxy_spoke_is_not_believed() {
        let lan = "10.0.0.0/8";
        assert_eq!(caller(lan, "10.0.0.1", &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(caller(lan, "10.0.0.1", &["6.6.6.6", "1.2.3.4, 10.0.0.2"]), "1.2.3.4", "of two proxies");
        assert_eq!(caller(lan, "10.0.0.1", &["6.6.6.6, unknown"]), "10.0.0.1");
        assert_eq!(caller(lan, "10.0.0.1", &["6.6.6.6", "\u{e9}, 1.2.3.4"]), "10.0.0.1", "nor what cannot be read");
        assert_eq!(caller(lan, "10.0.0.1", &["6.6.6.6, 1.2.3.4:5678"]), "1.2.3.4");
        assert_eq!(caller(lan, "10.0.0.1", &["10.0.0.3"]), "10.0.0.3", "somebody within");
    }

    #[test]
    fn what_is_no_network_is_told() {
        for wrong in ["10.0.0.0/33", "lb", "10.0.0", "::/129", "10.0.0.1/", "10.0.0.1 10.0.0.2"] {
            let told = proxies(wrong).expect_err(wrong).to_string();
            assert!(told.contains("such as 10.0.0.0/8"), "{told}");
        }
        assert_eq!(proxies(" ").expect("none"), Proxies::default());
    }
}
