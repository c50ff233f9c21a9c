//! Messages as JSON, spelt as protobuf spells it.

use anyhow::Context;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

use crate::grpc::pb;

/// The message, whose whole name is `name`, with the fields that have their default too.
pub fn to_json(name: &str, message: &impl prost::Message) -> anyhow::Result<serde_json::Value> {
    let pool = DescriptorPool::decode(pb::DESCRIPTORS)?;
    let descriptor = pool.get_message_by_name(name).with_context(|| format!("there is no message {name}"))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
    let options = SerializeOptions::new().skip_default_fields(false);
    Ok(dynamic.serialize_with_options(serde_json::value::Serializer, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_times_and_empty_lists_are_spelt_as_protobuf_does() {
        let next = pb::Next { safe_radius_m: 12.5, at: Some(prost_types::Timestamp { seconds: 60, nanos: 0 }) };
        let answer = pb::PingResponse { next: Some(next), ..Default::default() };
        let json = to_json("dintorni.v1.PingResponse", &answer).expect("spelt");
        assert_eq!(json["next"], serde_json::json!({"safeRadiusM": 12.5, "at": "1970-01-01T00:01:00Z"}));
        assert_eq!(json["offers"], serde_json::json!([]));
    }
}
