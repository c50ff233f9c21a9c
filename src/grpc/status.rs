//! How a refusal is said: one closed list of problems, each with its code, its reason and when to try again.
//!
//! Law: the caller gets one message it can act on; the cause goes to the log, and never the other way round.

use std::time::Duration;

use prost::Message;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    app::{aside, ingest::PingError, tokens::TokenError},
    domain::violation::Violations,
    grpc::told::Told,
    ports::StoreError,
};

/// `google.rpc.ErrorInfo.domain` of every refusal.
pub const DOMAIN: &str = "dintorni";

/// Most bytes of field names and descriptions in one refusal.
pub(super) const MAX_DETAILS: usize = 3_500;

/// Most bytes of the message of a refusal: it travels in a header, where one byte may take three.
pub(super) const MAX_SUMMARY: usize = 500;

/// How long those stay away whose profiles too many others read: there is less to do then, and what was read just before is
/// still fresh.
const CROWDED: Duration = Duration::from_secs(10);

/// Everything a call can be refused for, but for its fields ([`invalid`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Of HTTP, but none of gRPC.
    NoCall,
    /// A call that this version does not have.
    NoSuchCall,
    /// No message is taken that has to be unfolded first.
    Compressed,
    /// No `authorization: Bearer …`.
    CredentialMissing,
    /// Neither a key nor a token of this server, or a key that was revoked.
    CredentialUnknown,
    TokenExpired,
    /// The token's epoch is over, or its app is gone.
    TokenRevoked,
    /// Whoever had the token's device was erased.
    ProfileErased,
    /// A sound credential, which does not open this call or this resource.
    ScopeTooNarrow,
    NotFound,
    AlreadyExists,
    /// A used ping id came with another body.
    PingIdReused,
    /// A till's used request id came with another body.
    RequestIdReused,
    /// The resource is not as the caller expected.
    EtagMismatch,
    /// The state of something else forbids it.
    Precondition,
    /// What a decision was made of is not kept.
    InputsNotKept,
    /// Too much would have to be gone through.
    TooMuch,
    /// A message of more bytes than its call takes.
    TooLarge,
    /// This caller calls too often.
    RateLimited,
    /// A till tried too many wrong codes.
    LockedOut,
    /// All callers together call too often.
    Overloaded,
    /// The call took longer than it may.
    TooSlow,
    /// The server is about to end.
    Stopping,
    /// Changed by others again and again while we tried.
    Busy,
    StoreUnavailable,
    StoreFull,
    StoreDamaged,
    /// Work for an answer, which changes nothing, met a fault of ours.
    ServerFault,
}

impl Problem {
    /// The gRPC code, the stable reason (`google.rpc.ErrorInfo.reason`), and when to try again, if that can help.
    fn row(self) -> (Code, &'static str, Option<Duration>) {
        const MOMENT: Option<Duration> = Some(Duration::from_millis(250));
        const SECOND: Option<Duration> = Some(Duration::from_secs(1));
        const MINUTE: Option<Duration> = Some(Duration::from_secs(60));
        match self {
            Self::NoCall => (Code::InvalidArgument, "NO_GRPC_CALL", None),
            Self::NoSuchCall => (Code::Unimplemented, "NO_SUCH_CALL", None),
            Self::Compressed => (Code::Unimplemented, "COMPRESSED", None),
            Self::CredentialMissing => (Code::Unauthenticated, "CREDENTIAL_MISSING", None),
            Self::CredentialUnknown => (Code::Unauthenticated, "CREDENTIAL_UNKNOWN", None),
            Self::TokenExpired => (Code::Unauthenticated, "TOKEN_EXPIRED", None),
            Self::TokenRevoked => (Code::Unauthenticated, "TOKEN_REVOKED", None),
            Self::ProfileErased => (Code::Unauthenticated, "PROFILE_ERASED", None),
            Self::ScopeTooNarrow => (Code::PermissionDenied, "SCOPE_TOO_NARROW", None),
            Self::NotFound => (Code::NotFound, "NOT_FOUND", None),
            Self::AlreadyExists => (Code::AlreadyExists, "ALREADY_EXISTS", None),
            Self::PingIdReused => (Code::AlreadyExists, "PING_ID_REUSED", None),
            Self::RequestIdReused => (Code::AlreadyExists, "REQUEST_ID_REUSED", None),
            Self::EtagMismatch => (Code::Aborted, "ETAG_MISMATCH", None),
            Self::Precondition => (Code::FailedPrecondition, "PRECONDITION", None),
            Self::InputsNotKept => (Code::FailedPrecondition, "INPUTS_NOT_KEPT", None),
            Self::TooMuch => (Code::FailedPrecondition, "TOO_MUCH", None),
            Self::TooLarge => (Code::OutOfRange, "TOO_LARGE", None),
            Self::RateLimited => (Code::ResourceExhausted, "RATE_LIMITED", SECOND),
            Self::LockedOut => (Code::ResourceExhausted, "LOCKED_OUT", MINUTE),
            Self::Overloaded => (Code::ResourceExhausted, "OVERLOADED", SECOND),
            Self::TooSlow => (Code::DeadlineExceeded, "TOO_SLOW", SECOND),
            Self::Stopping => (Code::Unavailable, "STOPPING", MOMENT),
            Self::Busy => (Code::Unavailable, "BUSY", MOMENT),
            Self::StoreUnavailable => (Code::Unavailable, "STORE_UNAVAILABLE", SECOND),
            Self::StoreFull => (Code::ResourceExhausted, "STORE_FULL", MINUTE),
            Self::StoreDamaged => (Code::DataLoss, "STORE_DAMAGED", None),
            Self::ServerFault => (Code::Internal, "SERVER_FAULT", None),
        }
    }

    /// The refusal in words the caller can act on.
    pub fn says(self, message: impl Into<String>) -> Status {
        self.after(None, message)
    }

    /// As [`Self::says`], with a better knowledge of when to try again.
    pub fn says_until(self, retry: Duration, message: impl Into<String>) -> Status {
        self.after(Some(retry), message)
    }

    fn after(self, retry: Option<Duration>, message: impl Into<String>) -> Status {
        let (code, reason, usual) = self.row();
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, []);
        if let Some(retry) = retry.or(usual) {
            details.set_retry_info(Some(retry));
        }
        Status::with_error_details(code, message, details)
    }
}

/// The same refusal with one detail more: a message of ours.
pub fn with_detail(status: Status, type_name: &str, detail: &impl Message) -> Status {
    let Ok(mut said) = tonic_types::Status::decode(status.details()) else { return status };
    let type_url = format!("type.googleapis.com/{type_name}");
    said.details.push(prost_types::Any { type_url, value: detail.encode_to_vec() });
    Status::with_details(status.code(), status.message(), said.encode_to_vec().into())
}

/// The refusal of a request for its fields, as `google.rpc.BadRequest`. All of them are named, unless they would not
/// fit in what clients accept as trailers (8 KiB in some); then the last entry says how many more there are.
pub fn invalid(violations: &Violations) -> Status {
    let mut details = ErrorDetails::with_error_info("INVALID_FIELDS", DOMAIN, []);
    let (mut room, mut left) = (MAX_DETAILS, violations.count());
    for violation in violations.iter() {
        let size = violation.field.len() + violation.description.len();
        if size > room {
            break;
        }
        (room, left) = (room - size, left - 1);
        details.add_bad_request_violation(&violation.field, &violation.description);
    }
    if left > 0 {
        details.add_bad_request_violation("", format!("and {left} more"));
    }
    Status::with_error_details(Code::InvalidArgument, summary(violations), details)
}

/// The first finding, and how many there are.
fn summary(violations: &Violations) -> String {
    let Some(first) = violations.iter().next() else { return "the request is not sound".to_owned() };
    let more = match violations.count() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more, see the details)"),
    };
    let subject = if first.field.is_empty() { String::new() } else { format!("{}: ", first.field) };
    cut(&format!("{subject}{}", first.description), MAX_SUMMARY) + &more
}

/// The beginning of `text`, of at most so many bytes, and dots if there was more.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(most)])
}

impl From<Violations> for Status {
    fn from(violations: Violations) -> Self {
        invalid(&violations)
    }
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(cause) => {
                static AWAY: Told = Told::new();
                if let Some(left_out) = AWAY.again() {
                    tracing::warn!(cause, left_out, "the store is unavailable");
                }
                Problem::StoreUnavailable.says("the store is away for the moment; the same request may be sent again")
            }
            StoreError::Busy => Problem::Overloaded.says("too much is listed and counted at once; the same request may be sent again"),
            StoreError::Full(cause) => {
                static FULL: Told = Told::new();
                if let Some(left_out) = FULL.again() {
                    tracing::error!(cause, left_out, "the store is full");
                }
                Problem::StoreFull.says("the store has no room left, and the change was not made")
            }
            StoreError::TooMuch(within) => Problem::TooMuch.says(format!(
                "there is too much to go through within {} seconds; ask for a shorter time (start_time, end_time), or for one store",
                within.as_secs()
            )),
            StoreError::Corrupt(cause) => {
                tracing::error!(cause, "the store is damaged");
                Problem::StoreDamaged.says("the store returned what cannot be understood; the operator must look")
            }
        }
    }
}

impl From<TokenError> for Status {
    fn from(error: TokenError) -> Self {
        let problem = match error {
            TokenError::Forged => Problem::CredentialUnknown,
            TokenError::Expired => Problem::TokenExpired,
        };
        problem.says(error.to_string())
    }
}

impl From<aside::Refused> for Status {
    fn from(refused: aside::Refused) -> Self {
        match refused {
            aside::Refused::Crowded(_) => Problem::Overloaded.says(refused.to_string()),
            // What panicked said so on standard error, and it may hold what no log may.
            aside::Refused::Panicked(what) => {
                tracing::error!(what, "work for an answer panicked");
                Problem::ServerFault.says(refused.to_string())
            }
            aside::Refused::Store(error) => error.into(),
        }
    }
}

impl From<PingError> for Status {
    fn from(error: PingError) -> Self {
        match error {
            PingError::Revoked => revoked(),
            PingError::Erased => erased(),
            PingError::AnotherBody => {
                Problem::PingIdReused.says("the id was used for another ping or event; draw a new one")
            }
            PingError::Busy => Problem::Busy.says("the profile is changing too fast; send the same ping again"),
            PingError::Overloaded => Problem::StoreUnavailable.says_until(
                CROWDED,
                format!("{error}; nothing was decided, and the same ping or event may be sent again"),
            ),
            PingError::Store(error) => error.into(),
        }
    }
}

/// The refusal of a token that was good once.
pub fn revoked() -> Status {
    Problem::TokenRevoked.says("the device token was revoked; register the device again")
}

/// The refusal of a token whose person is no more.
pub fn erased() -> Status {
    Problem::ProfileErased.says(
        "the profile of this device was erased; before the device is registered again, whoever has it must be asked for their \
         consents anew",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::violation::Invalid;

    #[test]
    fn all_violations_are_named() {
        let mut violations = Violations::one("ping_id", Invalid::new("must be longer"));
        violations.add("fixes[2].accuracy_m", Invalid::new("is required"));
        let status = invalid(&violations);
        let details = status.get_error_details();
        let named: Vec<&str> =
            details.bad_request().expect("given").field_violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(named, ["ping_id", "fixes[2].accuracy_m"]);
    }

    #[test]
    fn too_many_violations_still_fit_in_trailers() {
        let mut violations = Violations::default();
        for i in 0..600 {
            violations.add(format!("fixes[{i}].accuracy_m"), Invalid::new("must be more than 0"));
        }
        let status = invalid(&violations);
        let details = status.get_error_details();
        let named = &details.bad_request().expect("given").field_violations;
        assert!(status.details().len() < 6_000, "{}", status.details().len());
        assert_eq!(named.last().expect("some").description, format!("and {} more", 600 - (named.len() - 1)));
    }

    #[test]
    fn a_long_field_still_fits_in_a_header() {
        let status = invalid(&Violations::one(format!("traits[\"{}\"]", "è".repeat(10_000)), "is wrong"));
        assert!(status.message().len() <= MAX_SUMMARY + "…".len(), "{}", status.message().len());
        assert!(status.details().len() < 1_000, "{}", status.details().len());
    }

    #[test]
    fn whoever_should_try_again_is_told_when() {
        for error in
            [StoreError::Unavailable("host 10.0.0.7".into()), StoreError::Full("/var".into()), StoreError::Busy]
        {
            let status = Status::from(error);
            assert!(status.get_error_details().retry_info().is_some(), "{status}");
            assert!(!status.message().contains("10.0.0.7") && !status.message().contains("/var"), "{status}");
        }
        let status = Status::from(aside::Refused::Panicked("replays"));
        let details = status.get_error_details();
        assert!(status.code() == Code::Internal && details.retry_info().is_none(), "{status}");
        assert_eq!(details.error_info().expect("given").reason, "SERVER_FAULT");
        let status = Status::from(PingError::Overloaded);
        let retry = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
        assert_eq!((status.code(), retry), (Code::Unavailable, Some(CROWDED)), "what was sent is still to be done");
        let status = Status::from(StoreError::TooMuch(Duration::from_secs(4)));
        assert!(
            status.get_error_details().retry_info().is_none() && status.message().contains("start_time"),
            "{status}"
        );
        let status = Status::from(PingError::AnotherBody);
        assert!(status.get_error_details().retry_info().is_none());
        assert_eq!(status.get_error_details().error_info().expect("given").reason, "PING_ID_REUSED");
    }
}
