//! What a till is answered: the same for the same request, or why nothing happened.
//!
//! Law 2: a request that was answered is answered so again; another body under its id is refused.

use std::time::Duration;

use super::profile_edits::ProfileEditError;
use crate::{
    domain::{
        redemption::{Redemption, Refusal, TillRequest},
        time::TimeZone,
    },
    ports::{Coupons, StoreError, TillAnswer},
};

/// Why nothing happened at a till.
#[derive(Debug, thiserror::Error)]
pub enum TillError {
    #[error("there is no {0}")]
    NotFound(String),
    /// The coupon is not good here and now; told by the clock of the shop.
    #[error("{}", .0.message(.1))]
    Refused(Refusal, TimeZone),
    #[error("this request id was used for another request")]
    AnotherBody,
    /// The redemption cannot be taken back so.
    #[error("{0}")]
    NotReversed(String),
    /// Too many wrong codes were tried.
    #[error("too many wrong codes; try again in {} s", .0.as_secs().max(1))]
    LockedOut(Duration),
    #[error("the offer is changing too fast")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ProfileEditError> for TillError {
    fn from(error: ProfileEditError) -> Self {
        match error {
            ProfileEditError::Gone(name) => Self::NotFound(name.to_string()),
            ProfileEditError::Busy => Self::Busy,
            ProfileEditError::Store(error) => Self::Store(error),
        }
    }
}

/// The first answer, if it was to the same request.
pub fn same(request: &TillRequest, first: TillAnswer) -> Result<Redemption, TillError> {
    if first.fingerprint == request.fingerprint { Ok(first.redemption) } else { Err(TillError::AnotherBody) }
}

/// What the request was answered before, if it was: then the coupon is as it is because of it, or was changed since. Else
/// the error.
pub async fn unless_answered(
    coupons: &dyn Coupons,
    request: &TillRequest,
    error: TillError,
) -> Result<Redemption, TillError> {
    match coupons.till_answer(request).await? {
        Some(first) => same(request, first),
        None => Err(error),
    }
}
