//! What decisions were made of, beside their receipts.
//!
//! Law 4: what is kept of a person is what they agree to now: whatever writes them without a consent ends what rests on it,
//! in the same transaction. A ping, a report, a claim or a till changes no consent, and is spared the statement.

use super::{
    batch::{Batch, Halt},
    conn::{Conn, values},
};
use crate::{
    domain::{
        consent::{Location, Profiling},
        decision::Decision,
        inputs::Inputs,
        offer::DecisionId,
        profile::Profile,
        time::Timestamp,
    },
    ports::StoreError,
    storage::codec,
};

pub async fn write(
    batch: &mut Batch<'_, '_>,
    decision: &Decision,
    inputs: &Inputs,
    until: Timestamp,
) -> Result<(), Halt> {
    const SQL: &str = "INSERT INTO decision_input (decision_id, profiled, expires_at, body)
        VALUES ($1, $2, $3, $4)";
    let body = codec::encode_inputs(inputs);
    let profiled = u64::from(inputs.is_profiled());
    batch.add(SQL, values![&decision.id, profiled, until, body.as_slice()]).await
}

/// Ends what the person, as they are now, does not agree to.
pub async fn keep_agreed(batch: &mut Batch<'_, '_>, profile: &Profile) -> Result<(), Halt> {
    const SQL: &str = "DELETE FROM decision_input WHERE profiled >= $2
        AND decision_id IN (SELECT id FROM decision WHERE profile_id = $1)";
    let least: u64 = match (profile.consents.permit::<Location>(), profile.consents.permit::<Profiling>()) {
        (Some(_), Some(_)) => return Ok(()),
        (Some(_), None) => 1,
        (None, _) => 0,
    };
    batch.add(SQL, values![profile.name.as_str(), least]).await
}

pub async fn read(conn: &mut Conn<'_>, id: &DecisionId, now: Timestamp) -> Result<Option<Inputs>, StoreError> {
    const SQL: &str = "SELECT body FROM decision_input WHERE decision_id = $1 AND expires_at > $2";
    let Some(row) = conn.row(SQL, values![id, now]).await? else { return Ok(None) };
    let body: Vec<u8> = row.get(0)?;
    Ok(Some(codec::decode_inputs(&body)?))
}
