//! How messages become bytes and back: as protobuf, by prost.
//!
//! Law 8: bytes that are no such message are the caller's fault and refused as such; tonic's own codec calls them
//! INTERNAL, which means a fault of the server. Clients read answers by it as well.

use std::marker::PhantomData;

use prost::Message;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

use crate::{domain::violation::Violations, grpc::status::invalid};

/// Writes `T` and reads `U`. The generated services name it: see `build.rs`.
#[derive(Debug, Clone)]
pub struct Protobuf<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Protobuf<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Protobuf<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Reader<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Reader<U> {
        Reader(PhantomData)
    }
}

/// Reads `U`, or refuses it.
#[derive(Debug, Clone)]
pub struct Reader<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for Reader<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let no_message = |error| invalid(&Violations::one("", format!("the bytes are no such message: {error}")));
        U::decode(bytes).map(Some).map_err(no_message)
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, codec::Streaming};

    use super::*;
    use crate::grpc::pb::PingRequest;

    #[tokio::test]
    async fn bytes_that_are_no_message_are_the_callers_fault() {
        // A frame of two bytes, which announce a ping_id of five that does not follow.
        let frame = String::from("\0\0\0\0\u{2}\n\u{5}");
        let reader: Reader<PingRequest> = Protobuf::<(), PingRequest>::default().decoder();
        let status = Streaming::new_request(reader, frame, None, None).message().await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().starts_with("the bytes are no such message"), "{status}");
    }
}
