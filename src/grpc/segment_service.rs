//! SegmentService: named audiences over gRPC.
//!
//! Law: every call begins with `SegmentGrpc::access`; whose segment it is is asked before the segment is.

use std::sync::Arc;

use tonic::{Extensions, Request, Response, Status};

use crate::{
    app::segments::Segments,
    domain::{
        name::SegmentName,
        segment::Segment,
        text::{MAX_DISPLAY_NAME, line},
        violation::Violations,
    },
    engine::catalog::Entry,
    grpc::{
        access::{Access, Work},
        audience_wire::{Rules, rule_to_wire},
        pb::{self, segment_service_server::SegmentService},
        resource::{self, ListRequest, Patch, Patched, Wire},
        wire::required,
    },
};

/// Serves segments.
pub struct SegmentGrpc {
    pub segments: Arc<Segments>,
}

type Answer<T> = Result<Response<T>, Status>;

impl SegmentGrpc {
    fn access(extensions: &Extensions) -> Result<Access, Status> {
        Access::to(Work::Campaigns, extensions)
    }
}

#[tonic::async_trait]
impl SegmentService for SegmentGrpc {
    async fn create_segment(&self, request: Request<pb::CreateSegmentRequest>) -> Answer<pb::Segment> {
        let access = Self::access(request.extensions())?;
        let pb::CreateSegmentRequest { parent, segment_id, segment } = request.into_inner();
        let id = ("segment_id", segment_id.as_str());
        let wanted = resource::wanted::<Segment>(&access, Some(&parent), id, segment)?;
        let segment = self.segments.create(wanted, access.author()).await?;
        Ok(Response::new(Segment::write(&segment)))
    }

    async fn get_segment(&self, request: Request<pb::GetSegmentRequest>) -> Answer<pb::Segment> {
        let access = Self::access(request.extensions())?;
        resource::get::<Segment>(&access, self.segments.resources(), &request.get_ref().name).await.map(Response::new)
    }

    async fn list_segments(&self, request: Request<pb::ListSegmentsRequest>) -> Answer<pb::ListSegmentsResponse> {
        let access = Self::access(request.extensions())?;
        let pb::ListSegmentsRequest { parent, page_size, page_token } = request.get_ref();
        let request = ListRequest { parent: Some(parent), page_size: *page_size, page_token, filter: String::new() };
        let wrong = Violations::default();
        let (segments, next_page_token) =
            resource::list(&access, self.segments.resources(), &request, wrong, |_: &Segment| true).await?;
        Ok(Response::new(pb::ListSegmentsResponse { segments, next_page_token }))
    }

    async fn update_segment(&self, request: Request<pb::UpdateSegmentRequest>) -> Answer<pb::Segment> {
        let access = Self::access(request.extensions())?;
        let pb::UpdateSegmentRequest { segment, update_mask } = request.into_inner();
        let patch = Patch::<Segment>::read(&access, segment, update_mask)?;
        let change = |segment: &Segment| patch.apply(segment);
        let segment = self.segments.update(&patch.name, patch.etag, access.author(), change).await?;
        Ok(Response::new(Segment::write(&segment)))
    }

    async fn delete_segment(&self, request: Request<pb::DeleteSegmentRequest>) -> Answer<pb::DeleteSegmentResponse> {
        let access = Self::access(request.extensions())?;
        let pb::DeleteSegmentRequest { name, etag } = request.get_ref();
        let (name, etag) = resource::versioned::<Segment>(&access, name, etag)?;
        self.segments.delete(&name, etag, access.author()).await?;
        Ok(Response::new(pb::DeleteSegmentResponse {}))
    }
}

impl Wire for Segment {
    type Message = pb::Segment;
    const FIELD: &'static str = "segment";

    fn read(message: pb::Segment, name: SegmentName) -> Result<Self, Violations> {
        let own = name.clone();
        read(message, name, &Rules::of_segment(Some(own.owner())))
    }

    fn check(message: pb::Segment, stand_in: SegmentName) -> Result<(), Violations> {
        read(message, stand_in, &Rules::of_segment(None)).map(drop)
    }

    fn write(entry: &Entry<Self>) -> pb::Segment {
        let Segment { name, display_name, audience } = entry.value.as_ref();
        pb::Segment {
            name: name.to_string(),
            display_name: display_name.clone(),
            rule: Some(rule_to_wire(audience.rule())),
            etag: entry.etag.to_string(),
        }
    }
}

/// The segment, with its rule read in this way.
fn read(message: pb::Segment, name: SegmentName, rules: &Rules<'_>) -> Result<Segment, Violations> {
    let pb::Segment { name: _, display_name, rule, etag: _ } = message;
    let mut wrong = Violations::default();
    let display_name = wrong.take("display_name", line(&display_name, MAX_DISPLAY_NAME));
    let rule = wrong.take("rule", rule.ok_or_else(required));
    let audience = rule.and_then(|rule| wrong.nest("rule", rules.audience(Some(rule))));
    let segment = display_name.zip(audience);
    wrong.finish(segment.map(|(display_name, audience)| Segment { name, display_name, audience }))
}

impl Patched for Segment {
    fn name_of(message: &pb::Segment) -> &str {
        &message.name
    }
    fn etag_of(message: &pb::Segment) -> &str {
        &message.etag
    }
}
