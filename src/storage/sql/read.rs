//! What is read of people: profiles, devices and answers.

use super::{
    conn::{Conn, Row, values},
    error::unsound,
};
use crate::{
    domain::{
        name::{DeviceName, ProfileName},
        offer::DecisionId,
        ping::PingId,
        profile::Profile,
    },
    ports::{Answer, StoreError},
    storage::codec,
};

pub async fn profile(conn: &mut Conn<'_>, name: &ProfileName) -> Result<Option<Profile>, StoreError> {
    const SQL: &str = "SELECT state, version FROM profile WHERE id = $1 AND state IS NOT NULL";
    let Some(row) = conn.row(SQL, values![name.as_str()]).await? else { return Ok(None) };
    let state: Vec<u8> = row.get(0)?;
    let profile = codec::decode(&state)?;
    if profile.revision.version != row.count(1)? || profile.name != *name {
        return Err(StoreError::Corrupt(format!("the state of {name} is not that of its row")));
    }
    Ok(Some(profile))
}

pub async fn profile_version(conn: &mut Conn<'_>, name: &ProfileName) -> Result<Option<u64>, StoreError> {
    const SQL: &str = "SELECT version FROM profile WHERE id = $1 AND state IS NOT NULL";
    conn.row(SQL, values![name.as_str()]).await?.map(|row| row.count(0)).transpose()
}

pub async fn is_erased(conn: &mut Conn<'_>, name: &ProfileName) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT 1 FROM profile WHERE id = $1 AND state IS NULL";
    Ok(conn.row(SQL, values![name.as_str()]).await?.is_some())
}

pub async fn profile_of(conn: &mut Conn<'_>, device: &DeviceName) -> Result<Option<ProfileName>, StoreError> {
    const SQL: &str = "SELECT profile_id FROM device WHERE id = $1";
    let Some(row) = conn.row(SQL, values![device.as_str()]).await? else { return Ok(None) };
    let name: String = row.get(0)?;
    ProfileName::parse(&name).map(Some).map_err(unsound)
}

pub async fn answer(conn: &mut Conn<'_>, device: &DeviceName, ping: &PingId) -> Result<Option<Answer>, StoreError> {
    const SQL: &str = "SELECT fingerprint, decision_id FROM answer WHERE device_id = $1 AND ping_id = $2";
    let row = conn.row(SQL, values![device.as_str(), ping.as_str()]).await?;
    row.map(|row| read_answer(&row, device, ping)).transpose()
}

fn read_answer(row: &Row, device: &DeviceName, ping: &PingId) -> Result<Answer, StoreError> {
    let fingerprint: Vec<u8> = row.get(0)?;
    let decision: String = row.get(1)?;
    Ok(Answer {
        device: device.clone(),
        ping: ping.clone(),
        fingerprint: fingerprint.try_into().map_err(|_| unsound("a fingerprint is not of 32 bytes"))?,
        decision: DecisionId::parse(&decision).map_err(unsound)?,
    })
}
