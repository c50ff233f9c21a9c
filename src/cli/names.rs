//! What people type for a resource: its whole name, or only the last part where the rest is clear.

use std::{fmt, time::Duration};

use crate::{
    config::Mistakes,
    domain::{
        name::{AppName, CampaignName, KeyName, OrganizationName, SourceName, StoreName},
        violation::Invalid,
    },
};

/// `organizations/acme`, or `acme`.
pub fn organization(text: &str) -> Result<OrganizationName, Invalid> {
    if text.contains('/') {
        OrganizationName::parse(text)
    } else {
        OrganizationName::parse(&format!("organizations/{text}"))
    }
}

/// `organizations/acme/apps/shopper`, or `shopper` of that organization; another organization's is a mistake.
pub fn app(text: &str, of: &OrganizationName) -> Result<AppName, Mistakes> {
    let name = if text.contains('/') { AppName::parse(text) } else { of.app(text) };
    let own = name.and_then(|name| check_owner(&name.organization(), of, &name).map(|()| name));
    own.map_err(|invalid| Mistakes(vec![format!("--app: {invalid}")]))
}

/// `organizations/acme/stores/1`, or `1` of that organization; another organization's is a mistake.
pub fn store(text: &str, of: &OrganizationName) -> Result<StoreName, Mistakes> {
    let name = if text.contains('/') { StoreName::parse(text) } else { of.store(text) };
    let own = name.and_then(|name| check_owner(&name.organization(), of, &name).map(|()| name));
    own.map_err(|invalid| Mistakes(vec![format!("--store: {invalid}")]))
}

/// `organizations/acme/sources/erp`, or `erp` of that organization; another organization's is a mistake.
pub fn source(text: &str, of: &OrganizationName) -> Result<SourceName, Mistakes> {
    let name = if text.contains('/') { SourceName::parse(text) } else { of.source(text) };
    let own = name.and_then(|name| check_owner(&name.organization(), of, &name).map(|()| name));
    own.map_err(|invalid| Mistakes(vec![format!("the source {text:?}: {invalid}")]))
}

/// Refuses a whole name that says another organization than the one that is given beside it.
fn check_owner(own: &OrganizationName, of: &OrganizationName, name: impl fmt::Display) -> Result<(), Invalid> {
    if own == of { Ok(()) } else { Err(Invalid::new(format!("must be of {of}, which is given as well, was {name}"))) }
}

/// `organizations/acme/campaigns/umbrella`, or `acme/umbrella`.
pub fn campaign(text: &str) -> Result<CampaignName, Invalid> {
    CampaignName::parse(&in_full(text, "campaigns"))
}

/// `organizations/acme/stores/1`, or `acme/1`.
pub fn store_of(text: &str) -> Result<StoreName, Invalid> {
    StoreName::parse(&in_full(text, "stores"))
}

/// The whole name of what is typed with or without `organizations/` before it.
pub fn whole(text: &str) -> String {
    if text.starts_with("organizations/") { text.to_owned() } else { format!("organizations/{text}") }
}

fn in_full(text: &str, kind: &str) -> String {
    match text.split_once('/') {
        Some((organization, id)) if organization != "organizations" => {
            format!("organizations/{organization}/{kind}/{id}")
        }
        _ => text.to_owned(),
    }
}

/// `organizations/acme/keys/till`, or `till` if the organization is given; another organization's is a mistake then.
pub fn key(text: &str, of: Option<&OrganizationName>) -> Result<KeyName, Mistakes> {
    let name = match (text.contains('/'), of) {
        (false, Some(of)) => of.key(text),
        (false, None) => Err(Invalid::new("give its whole name, organizations/O/keys/K, or --organization as well")),
        (true, _) => KeyName::parse(text),
    };
    let check = |name: &KeyName| of.map_or(Ok(()), |of| check_owner(&name.organization(), of, name));
    let name = name.and_then(|name| check(&name).map(|()| name));
    name.map_err(|invalid| Mistakes(vec![format!("the key {text:?}: {invalid}")]))
}

/// `90s`, `30m`, `24h` or `7d`.
pub fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a whole number and a unit: 90s, 30m, 24h or 7d".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_whole_names_are_the_same() {
        let acme = organization("acme").expect("sound");
        assert_eq!(organization("organizations/acme"), Ok(acme.clone()));
        let till = key("till", Some(&acme)).expect("sound");
        assert_eq!(key("organizations/acme/keys/till", None), Ok(till));
        assert!(key("till", None).is_err() && key("a/b", Some(&acme)).is_err());
        assert_eq!(app("shopper", &acme), app("organizations/acme/apps/shopper", &acme));
    }

    #[test]
    fn a_whole_name_is_of_the_organization_that_is_given_beside_it() {
        let acme = organization("acme").expect("sound");
        let erp = source("organizations/acme/sources/erp", &acme);
        assert!(erp.is_ok() && erp == source("erp", &acme));
        assert_eq!(store("1", &acme), store("organizations/acme/stores/1", &acme));
        let till = "organizations/acme/keys/till";
        assert_eq!(key(till, Some(&acme)), key(till, None));
        let said = |mistake: Option<Mistakes>| mistake.map(|Mistakes(all)| all.concat()).unwrap_or_default();
        for (told, name) in [
            (said(app("organizations/globex/apps/a", &acme).err()), "organizations/globex/apps/a"),
            (said(store("organizations/globex/stores/1", &acme).err()), "organizations/globex/stores/1"),
            (said(source("organizations/globex/sources/erp", &acme).err()), "organizations/globex/sources/erp"),
            (said(key("organizations/globex/keys/till", Some(&acme)).err()), "organizations/globex/keys/till"),
        ] {
            assert!(told.contains("organizations/acme") && told.contains(name), "{told}");
        }
    }

    #[test]
    fn an_owner_and_an_id_are_enough() {
        let brera = StoreName::parse("organizations/acme/stores/brera").expect("sound");
        assert_eq!(store_of("organizations/acme/stores/brera"), Ok(brera.clone()));
        assert_eq!(store_of("acme/brera"), Ok(brera));
        assert_eq!(
            campaign("acme/rain").map(|name| name.to_string()),
            Ok("organizations/acme/campaigns/rain".to_owned())
        );
        for wrong in ["brera", "acme/", "/brera", "acme/a/b", "organizations/acme"] {
            assert!(store_of(wrong).is_err() && campaign(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_have_a_unit() {
        assert_eq!(span("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "7", "d", "-1h", "1.5h", "1w", "1é", "5000000000s"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
