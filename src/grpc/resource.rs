//! Standard methods (AIP-131 to 135) once for all kinds of resources: names, etags, pages, masks and refusals.
//!
//! Law: whose resource it is is asked before the resource is; everything wrong with a request is said at once.

use prost_types::FieldMask;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, PreconditionViolation, StatusExt};

use crate::{
    app::resources::{EditError, Kind, Obstacle, Resources},
    domain::{
        name::{OrganizationName, check_id},
        violation::{Invalid, Violations},
    },
    engine::catalog::Entry,
    grpc::{
        access::Access,
        mask::{Masked, patched},
        pages::{self, MAX_BYTES},
        status::{DOMAIN, MAX_DETAILS, MAX_SUMMARY, Problem, cut},
        wire::required,
    },
};

/// Most obstacles one refusal lists, of at most [`MAX_DETAILS`] bytes: details travel in a header, and clients take some 8 KiB of those.
const MAX_OBSTACLES: usize = 20;

/// A kind of resource that has a message.
pub trait Wire: Kind {
    type Message: prost::Message + Default;
    /// The field of requests that carries it: `store`.
    const FIELD: &'static str;

    /// Takes the message apart. Its name is given, and its etag is not its own to say.
    fn read(message: Self::Message, name: Self::Name) -> Result<Self, Violations>;
    /// The message of this resource, with its name and etag.
    fn write(entry: &Entry<Self>) -> Self::Message;
    /// The organization a resource of that name belongs to.
    fn owner(name: &Self::Name) -> OrganizationName {
        name.clone().into().organization()
    }
}

/// A resource that can be patched.
pub trait Patched: Wire<Message: Masked> {
    fn name_of(message: &Self::Message) -> &str;
    fn etag_of(message: &Self::Message) -> &str;
}

/// The name in a field of a request, if the caller may touch what is named so.
pub fn named<K: Wire>(access: &Access, field: &str, name: &str) -> Result<K::Name, Status> {
    let name = K::parse_name(name).map_err(|invalid| Violations::one(field, invalid))?;
    access.reaches(&K::owner(&name))?;
    Ok(name)
}

/// The organization whose resources are listed or made, if the caller may touch them.
pub fn parent(access: &Access, parent: &str) -> Result<OrganizationName, Status> {
    let parent = OrganizationName::parse(parent).map_err(|invalid| Violations::one("parent", invalid))?;
    access.reaches(&parent)?;
    Ok(parent)
}

pub fn get<K: Wire>(access: &Access, resources: &Resources, name: &str) -> Result<K::Message, Status> {
    let name = named::<K>(access, "name", name)?;
    Ok(K::write(&resources.get::<K>(&name)?))
}

/// What a list request says beside its filter.
pub struct ListRequest<'a> {
    pub page_size: i32,
    pub page_token: &'a str,
    /// The filter fields in any fixed form, which a page token is bound to.
    pub filter: String,
}

/// The resources of a page, and the token of the next one. Without a parent of all organizations.
pub fn list<K: Wire>(
    resources: &Resources,
    parent: Option<&OrganizationName>,
    request: &ListRequest<'_>,
    keep: impl Fn(&K) -> bool,
) -> Result<(Vec<K::Message>, String), Status> {
    let of = format!("{}\n{}\n{}", K::COLLECTION, parent.map_or("", OrganizationName::as_str), request.filter);
    let window = pages::window::<K>(request.page_size, request.page_token, &of)?;
    let page = resources.list::<K>(parent, window.after.as_ref(), window.limit, keep);
    let (mut messages, mut bytes) = (Vec::with_capacity(page.entries.len()), 0);
    for entry in &page.entries {
        let message = K::write(entry);
        bytes += prost::Message::encoded_len(&message);
        if bytes > MAX_BYTES && !messages.is_empty() {
            break;
        }
        messages.push(message);
    }
    let last = messages.len().checked_sub(1).and_then(|last| page.entries.get(last));
    let next = last.filter(|_| page.more || messages.len() < page.entries.len());
    let token = next.map(|entry| pages::token(entry.value.name().clone().into().as_str(), &of));
    Ok((messages, token.unwrap_or_default()))
}

/// The resource that a create request describes: `id_field` is `store_id`.
pub fn wanted<K: Wire>(
    parent: Option<&OrganizationName>,
    id_field: &str,
    id: &str,
    message: Option<K::Message>,
) -> Result<K, Status> {
    let mut wrong = Violations::default();
    let sound = wrong.take(id_field, check_id(id)).is_some();
    let prefix = parent.map_or(String::new(), |parent| format!("{parent}/"));
    let id = if sound { id } else { "0" };
    let name = K::parse_name(&format!("{prefix}{}/{id}", K::COLLECTION)).map_err(|e| Violations::one(id_field, e))?;
    let message = wrong.take(K::FIELD, message.ok_or_else(required));
    let resource = message.and_then(|message| wrong.nest(K::FIELD, K::read(message, name)));
    Ok(wrong.finish(resource)?)
}

/// What an update request says: which resource, from which etag, and how to change it.
pub struct Patch<'a, K: Patched> {
    pub name: K::Name,
    pub etag: Option<u64>,
    message: K::Message,
    mask: Option<&'a FieldMask>,
}

impl<'a, K: Patched> Patch<'a, K> {
    pub fn read(access: &Access, message: Option<K::Message>, mask: Option<&'a FieldMask>) -> Result<Self, Status> {
        let message = message.ok_or_else(|| Violations::one(K::FIELD, required()))?;
        let name = named::<K>(access, &format!("{}.name", K::FIELD), K::name_of(&message))?;
        let etag = etag(K::etag_of(&message)).map_err(|e| Violations::one(format!("{}.etag", K::FIELD), e))?;
        Ok(Self { name, etag, message, mask })
    }

    /// The resource as the patch wants it.
    pub fn apply(&self, current: &K) -> Result<K, Violations> {
        let entry = Entry { etag: 0, value: std::sync::Arc::new(current.clone()) };
        let message = patched(K::write(&entry), &self.message, self.mask)?;
        let mut wrong = Violations::default();
        let resource = wrong.nest(K::FIELD, K::read(message, self.name.clone()));
        wrong.finish(resource)
    }
}

/// The version an etag stands for; empty is none.
pub fn etag(text: &str) -> Result<Option<u64>, Invalid> {
    let refuse = |_| Invalid::new("must be an etag as it was read, or empty");
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(refuse) }
}

/// The etag of a request that has nothing else to refuse.
pub fn etag_field(text: &str) -> Result<Option<u64>, Status> {
    Ok(etag(text).map_err(|invalid| Violations::one("etag", invalid))?)
}

impl From<EditError> for Status {
    fn from(error: EditError) -> Self {
        let said = error.to_string();
        match error {
            EditError::NotFound(_) => Problem::NotFound.says(said),
            EditError::AlreadyExists(_) => Problem::AlreadyExists.says(said),
            EditError::Changed(_) => Problem::EtagMismatch.says(said),
            EditError::Denied(_) => Problem::ScopeTooNarrow.says(said),
            EditError::Invalid(violations) => violations.into(),
            EditError::Refused(obstacles) => refused(&obstacles, said),
            EditError::Store(error) => error.into(),
        }
    }
}

fn refused(obstacles: &[Obstacle], said: String) -> Status {
    let violation = |obstacle: &Obstacle| {
        PreconditionViolation::new(obstacle.code, obstacle.subject.clone(), obstacle.description.clone())
    };
    let mut room = MAX_DETAILS;
    let fits = |obstacle: &&Obstacle| {
        let size = obstacle.code.len() + obstacle.subject.len() + obstacle.description.len();
        let left = room.checked_sub(size);
        room = left.unwrap_or(0);
        left.is_some()
    };
    let listed: Vec<_> = obstacles.iter().take(MAX_OBSTACLES).take_while(fits).map(violation).collect();
    let mut details = ErrorDetails::with_error_info("PRECONDITION", DOMAIN, []);
    details.set_precondition_failure(listed);
    Status::with_error_details(Code::FailedPrecondition, cut(&said, MAX_SUMMARY), details)
}
