//! Standard methods (AIP-131 to 135) once for all kinds of resources: names, etags, pages, masks and refusals.
//!
//! Law: whose resource it is is asked before the resource is; everything wrong with a request is said at once.

use prost_types::FieldMask;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, PreconditionViolation, StatusExt};

use crate::{
    app::resources::{EditError, Kind, Obstacle, Page, Resources},
    domain::{
        name::{OrganizationName, check_id},
        organization::Organization,
        violation::{Invalid, Violations},
    },
    engine::catalog::Entry,
    grpc::{
        access::Access,
        mask::{Masked, check_mask, patched, paths},
        pages::{self, MAX_BYTES},
        status::{DOMAIN, MAX_DETAILS, MAX_SUMMARY, Problem, cut},
        wire::required,
    },
};

/// Most obstacles one refusal lists, of few bytes: details travel in a header, and clients take some 8 KiB of those.
pub const MAX_OBSTACLES: usize = 20;

/// A kind of resource that has a message.
pub trait Wire: Kind {
    type Message: prost::Message + Default + 'static;
    /// The field of requests that carries it: `store`.
    const FIELD: &'static str;

    /// Takes the message apart. Its name is given, and its etag is not its own to say.
    fn read(message: Self::Message, name: Self::Name) -> Result<Self, Violations>;
    /// What is wrong with the message of a resource whose own name is refused. Somebody else may have the name that stands
    /// in for it, so nothing that is found depends on it.
    fn check(message: Self::Message, stand_in: Self::Name) -> Result<(), Violations> {
        Self::read(message, stand_in).map(drop)
    }
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

/// The name in a field of a request. What is none is noted; what the caller may not touch is refused at once.
pub fn named<K: Wire>(
    access: &Access,
    wrong: &mut Violations,
    field: &str,
    name: &str,
) -> Result<Option<K::Name>, Status> {
    let name = wrong.take(field, K::parse_name(name));
    name.iter().try_for_each(|name| access.reaches(&K::owner(name)))?;
    Ok(name)
}

/// The organization whose resources are listed or made; noted and refused as [`named`] does.
pub fn parent(access: &Access, wrong: &mut Violations, parent: &str) -> Result<Option<OrganizationName>, Status> {
    named::<Organization>(access, wrong, "parent", parent)
}

pub async fn get<K: Wire>(access: &Access, resources: &Resources, name: &str) -> Result<K::Message, Status> {
    entry::<K>(access, resources, name).await.map(|entry| K::write(&entry))
}

/// The resource of that name, with its etag.
pub async fn entry<K: Wire>(access: &Access, resources: &Resources, name: &str) -> Result<Entry<K>, Status> {
    let mut wrong = Violations::default();
    let name = named::<K>(access, &mut wrong, "name", name)?;
    Ok(resources.get::<K>(&wrong.finish(name)?).await?)
}

/// What is to be deleted or stepped on, and from which etag.
pub fn versioned<K: Wire>(access: &Access, name: &str, etag: &str) -> Result<(K::Name, Option<u64>), Status> {
    let mut wrong = Violations::default();
    let name = named::<K>(access, &mut wrong, "name", name)?;
    let etag = wrong.take("etag", self::etag(etag));
    Ok(wrong.finish(name.zip(etag))?)
}

/// What a list request says beside its filter.
pub struct ListRequest<'a> {
    /// None for the resources of all organizations.
    pub parent: Option<&'a str>,
    pub page_size: i32,
    pub page_token: &'a str,
    /// The filter fields in any fixed form, which a page token is bound to.
    pub filter: String,
}

/// The resources of a page, and the token of the next one. `wrong` is what the filter is refused for.
pub async fn list<K: Wire>(
    access: &Access,
    resources: &Resources,
    request: &ListRequest<'_>,
    wrong: Violations,
    keep: impl Fn(&K) -> bool + Send,
) -> Result<(Vec<K::Message>, String), Status> {
    Ok(page(access, resources, request, wrong, keep).await?.write(K::write))
}

/// The resources of a page before they are written.
pub struct Listed<K> {
    page: Page<K>,
    /// What its token is bound to.
    of: String,
}

/// As [`list`] does.
pub async fn page<K: Wire>(
    access: &Access,
    resources: &Resources,
    request: &ListRequest<'_>,
    mut wrong: Violations,
    keep: impl Fn(&K) -> bool + Send,
) -> Result<Listed<K>, Status> {
    let parent = request.parent.map(|parent| self::parent(access, &mut wrong, parent)).transpose()?.flatten();
    let of = format!("{}\n{}\n{}", K::COLLECTION, request.parent.unwrap_or_default(), request.filter);
    let window = wrong.nest("", pages::window::<K>(request.page_size, request.page_token, &of));
    let window = wrong.finish(window)?;
    if let Some(parent) = &parent {
        resources.get::<Organization>(parent).await?;
    }
    Ok(Listed { page: resources.list::<K>(parent.as_ref(), window.after.as_ref(), window.limit, keep), of })
}

impl<K: Wire> Listed<K> {
    pub fn entries(&self) -> &[Entry<K>] {
        &self.page.entries
    }

    /// As many as fit, each written in this way, and the token of the next page.
    pub fn write(self, write: impl Fn(&Entry<K>) -> K::Message) -> (Vec<K::Message>, String) {
        let Self { page, of } = self;
        let (mut messages, mut bytes) = (Vec::with_capacity(page.entries.len()), 0);
        for entry in &page.entries {
            let message = write(entry);
            bytes += prost::Message::encoded_len(&message);
            if bytes > MAX_BYTES && !messages.is_empty() {
                break;
            }
            messages.push(message);
        }
        let last = messages.len().checked_sub(1).and_then(|last| page.entries.get(last));
        let next = last.filter(|_| page.more || messages.len() < page.entries.len());
        let token = next.map(|entry| pages::token(entry.value.name().clone().into().as_str(), &of));
        (messages, token.unwrap_or_default())
    }
}

/// The name that a create request gives by its parent (none for organizations) and the id in `id_field` (`store_id`).
pub fn new_name<K: Wire>(
    access: &Access,
    wrong: &mut Violations,
    parent: Option<&str>,
    (id_field, id): (&str, &str),
) -> Result<Option<K::Name>, Status> {
    let owner = match parent {
        Some(parent) => self::parent(access, wrong, parent)?.map(|parent| format!("{parent}/")),
        None => Some(String::new()),
    };
    let owner = wrong.take(id_field, check_id(id)).and(owner);
    Ok(owner.and_then(|owner| wrong.take(id_field, K::parse_name(&format!("{owner}{}/{id}", K::COLLECTION)))))
}

/// What is wrong with a message whose own name is refused.
fn check<K: Wire>(message: K::Message) -> Result<(), Violations> {
    let owned = K::parse_name(&format!("organizations/0/{}/0", K::COLLECTION));
    let stand_in = owned.or_else(|_| K::parse_name(&format!("{}/0", K::COLLECTION)));
    stand_in.map_or(Ok(()), |name| K::check(message, name))
}

/// The resource of that message and name. What is wrong is noted under the kind's field, also if the name was refused.
pub fn read_under<K: Wire>(wrong: &mut Violations, message: K::Message, name: Option<K::Name>) -> Option<K> {
    let read = match name {
        Some(name) => K::read(message, name).map(Some),
        None => check::<K>(message).map(|()| None),
    };
    wrong.nest(K::FIELD, read).flatten()
}

/// The resource as a request would make it that says of it what it is now: refused if that is allowed no more.
pub fn read_again<K: Wire>(resource: &K) -> Result<K, Violations> {
    let entry = Entry { etag: 0, value: std::sync::Arc::new(resource.clone()) };
    let mut wrong = Violations::default();
    let read = wrong.nest(K::FIELD, K::read(K::write(&entry), resource.name().clone()));
    wrong.finish(read)
}

/// The resource that a create request describes, by the fields of [`new_name`].
pub fn wanted<K: Wire>(
    access: &Access,
    parent: Option<&str>,
    id: (&str, &str),
    message: Option<K::Message>,
) -> Result<K, Status> {
    let mut wrong = Violations::default();
    let name = new_name::<K>(access, &mut wrong, parent, id)?;
    let message = wrong.take(K::FIELD, message.ok_or_else(required));
    let resource = message.and_then(|message| read_under(&mut wrong, message, name));
    Ok(wrong.finish(resource)?)
}

/// What an update request says: which resource, from which etag, and how to change it.
pub struct Patch<K: Patched> {
    pub name: K::Name,
    pub etag: Option<u64>,
    message: K::Message,
    mask: Option<FieldMask>,
}

impl<K: Patched> Patch<K> {
    pub fn read(access: &Access, message: Option<K::Message>, mask: Option<FieldMask>) -> Result<Self, Status> {
        let message = message.ok_or_else(|| Violations::one(K::FIELD, required()))?;
        let mut wrong = Violations::default();
        let name = named::<K>(access, &mut wrong, &format!("{}.name", K::FIELD), K::name_of(&message))?;
        let etag = wrong.take(format!("{}.etag", K::FIELD), etag(K::etag_of(&message)));
        wrong.nest("", check_mask::<K::Message>(mask.as_ref()));
        if !wrong.is_empty() {
            wrong.nest(K::FIELD, Self::check_alone(&message, mask.as_ref()));
        }
        let (name, etag) = wrong.finish(name.zip(etag))?;
        Ok(Self { name, etag, message, mask })
    }

    /// What is wrong with the fields of a patch whatever the resource says in the others. Asked only of a patch that is
    /// refused anyway: the others are read once, as what they make of the resource.
    fn check_alone(message: &K::Message, mask: Option<&FieldMask>) -> Result<(), Violations> {
        let mut alone = K::Message::default();
        let mut paths = paths(message, mask);
        paths.retain(|path| alone.take_over(message, path));
        check::<K>(alone).map_err(|found| found.within(&paths))
    }

    /// The resource as the patch wants it.
    pub fn apply(&self, current: &K) -> Result<K, Violations> {
        let entry = Entry { etag: 0, value: std::sync::Arc::new(current.clone()) };
        let message = patched(K::write(&entry), &self.message, self.mask.as_ref());
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

impl From<EditError> for Status {
    fn from(error: EditError) -> Self {
        let said = error.to_string();
        match error {
            EditError::NotFound(_) => Problem::NotFound.says(said),
            EditError::AlreadyExists(_) | EditError::IdentityTaken(_) => Problem::AlreadyExists.says(said),
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
