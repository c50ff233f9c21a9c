//! PlaceService: stores, geofences and beacons over gRPC.
//!
//! Law: every call begins with `PlaceGrpc::access`; what it then does is said once, in [`resource`].

use std::sync::Arc;

use tonic::{Extensions, Request, Response, Status, Streaming};

use crate::{
    app::{
        imports::{Imports, as_of_now},
        places::{Place, Places},
        resources::EditError,
    },
    domain::{
        place::{Beacon, Geofence, Store},
        source::Source,
        violation::Violations,
    },
    engine::{catalog::Entry, effective},
    grpc::{
        access::{Access, Work},
        detection_wire::distances_to_wire,
        importing::Importing,
        pb::{self, place_service_server::PlaceService},
        place_import,
        place_wire::optional_store,
        reading::Reading,
        resource::{self, ListRequest, Patch, Patched, Wire},
    },
};

/// Serves places.
pub struct PlaceGrpc {
    places: Arc<Places>,
    imports: Arc<Imports>,
    importing: Importing,
    reading: Reading,
}

/// How often a patch is applied anew because somebody else's edit came first.
const TRIES: usize = 4;

type Answer<T> = Result<Response<T>, Status>;

impl PlaceGrpc {
    pub fn new(places: Arc<Places>, imports: Arc<Imports>, importing: Importing) -> Self {
        Self { places, imports, importing, reading: Reading::default() }
    }

    fn access(extensions: &Extensions) -> Result<Access, Status> {
        Access::to(Work::Places, extensions)
    }

    async fn create<P: Place + Wire>(
        &self,
        access: Access,
        parent: String,
        (field, id): (&'static str, String),
        message: Option<P::Message>,
    ) -> Answer<P::Message> {
        let (caller, bytes) = (access.clone(), message.as_ref().map_or(0, prost::Message::encoded_len));
        let read = move || resource::wanted::<P>(&caller, Some(&parent), (field, &id), message);
        let place = self.reading.of(&access, bytes, read).await??;
        Ok(Response::new(P::write(&self.places.create(place, access.author()).await?)))
    }

    async fn get<P: Wire>(&self, access: &Access, name: &str) -> Answer<P::Message> {
        resource::get::<P>(access, self.places.resources(), name).await.map(Response::new)
    }

    /// The places on a page, of one store if one is named.
    async fn list<P: Place + Wire>(
        &self,
        access: &Access,
        parent: &str,
        (page_size, page_token): (i32, &str),
        store: &str,
    ) -> Result<(Vec<P::Message>, String), Status> {
        let mut wrong = Violations::default();
        let wanted = wrong.take("store", optional_store(store)).flatten();
        let request = ListRequest { parent: Some(parent), page_size, page_token, filter: store.to_owned() };
        resource::list::<P>(access, self.places.resources(), &request, wrong, |place| {
            wanted.as_ref().is_none_or(|wanted| place.store() == Some(wanted))
        })
        .await
    }

    async fn update<P: Place + Patched>(
        &self,
        access: Access,
        message: Option<P::Message>,
        mask: Option<prost_types::FieldMask>,
    ) -> Answer<P::Message> {
        let (caller, bytes) = (access.clone(), message.as_ref().map_or(0, prost::Message::encoded_len));
        let read = move || Patch::<P>::read(&caller, message, mask);
        let patch = Arc::new(self.reading.of(&access, bytes, read).await??);
        for _ in 0..TRIES {
            let entry = self.places.resources().get::<P>(&patch.name).await?;
            let (known, own) = (entry.value.clone(), patch.clone());
            let bytes = bytes + prost::Message::encoded_len(&P::write(&entry));
            let next = match Reading::is_large(bytes) {
                true => Some(self.reading.of(&access, bytes, move || own.apply(&known)).await?),
                false => None,
            };
            // Other edits wait while it is applied, so what is large was applied before: anew if it is another place by now.
            let change = |place: &P| match &next {
                None => patch.apply(place).map_err(EditError::Invalid),
                Some(next) if *place == *entry.value => next.clone().map_err(EditError::Invalid),
                Some(_) => Err(EditError::Changed(patch.name.clone().into())),
            };
            match self.places.update(&patch.name, patch.etag, access.author(), change).await {
                Err(EditError::Changed(_)) if self.has_changed(&entry).await? => {}
                done => return Ok(Response::new(P::write(&done?))),
            }
        }
        Err(EditError::Changed(patch.name.clone().into()).into())
    }

    /// Whether the place is another one by now than it was.
    async fn has_changed<P: Place>(&self, entry: &Entry<P>) -> Result<bool, EditError> {
        let now = self.places.resources().get::<P>(entry.value.name()).await?;
        Ok(now.etag != entry.etag)
    }

    async fn delete<P: Place + Wire>(
        &self,
        access: Access,
        name: &str,
        etag: &str,
        force: bool,
    ) -> Answer<pb::DeletePlaceResponse> {
        let (name, etag) = resource::versioned::<P>(&access, name, etag)?;
        self.places.delete::<P>(&name, etag, force, access.author()).await?;
        Ok(Response::new(pb::DeletePlaceResponse {}))
    }
}

#[tonic::async_trait]
impl PlaceService for PlaceGrpc {
    async fn create_store(&self, request: Request<pb::CreateStoreRequest>) -> Answer<pb::Store> {
        let access = Self::access(request.extensions())?;
        let pb::CreateStoreRequest { parent, store_id, store } = request.into_inner();
        self.create::<Store>(access, parent, ("store_id", store_id), store).await
    }

    async fn get_store(&self, request: Request<pb::GetStoreRequest>) -> Answer<pb::Store> {
        let access = Self::access(request.extensions())?;
        self.get::<Store>(&access, &request.get_ref().name).await
    }

    async fn list_stores(&self, request: Request<pb::ListStoresRequest>) -> Answer<pb::ListStoresResponse> {
        let access = Self::access(request.extensions())?;
        let pb::ListStoresRequest { parent, page_size, page_token } = request.get_ref();
        let (stores, next_page_token) = self.list::<Store>(&access, parent, (*page_size, page_token), "").await?;
        Ok(Response::new(pb::ListStoresResponse { stores, next_page_token }))
    }

    async fn update_store(&self, request: Request<pb::UpdateStoreRequest>) -> Answer<pb::Store> {
        let access = Self::access(request.extensions())?;
        let pb::UpdateStoreRequest { store, update_mask } = request.into_inner();
        self.update::<Store>(access, store, update_mask).await
    }

    async fn delete_store(&self, request: Request<pb::DeleteStoreRequest>) -> Answer<pb::DeletePlaceResponse> {
        let access = Self::access(request.extensions())?;
        let pb::DeleteStoreRequest { name, etag, force } = request.get_ref();
        self.delete::<Store>(access, name, etag, *force).await
    }

    async fn create_geofence(&self, request: Request<pb::CreateGeofenceRequest>) -> Answer<pb::Geofence> {
        let access = Self::access(request.extensions())?;
        let pb::CreateGeofenceRequest { parent, geofence_id, geofence } = request.into_inner();
        self.create::<Geofence>(access, parent, ("geofence_id", geofence_id), geofence).await
    }

    async fn get_geofence(&self, request: Request<pb::GetGeofenceRequest>) -> Answer<pb::Geofence> {
        let access = Self::access(request.extensions())?;
        let entry = resource::entry::<Geofence>(&access, self.places.resources(), &request.get_ref().name).await?;
        // Of large and of thin shapes they take a while, and pings do not wait for it.
        let place = entry.value.clone();
        let distances = move || effective::distances(&place.shape, &place.detection);
        let distances = self.reading.beside(&access, "effective distances", distances).await?;
        let effective_distances = distances.iter().map(distances_to_wire).collect();
        Ok(Response::new(pb::Geofence { effective_distances, ..Geofence::write(&entry) }))
    }

    async fn list_geofences(&self, request: Request<pb::ListGeofencesRequest>) -> Answer<pb::ListGeofencesResponse> {
        let access = Self::access(request.extensions())?;
        let pb::ListGeofencesRequest { parent, page_size, page_token, store } = request.get_ref();
        let (geofences, next_page_token) =
            self.list::<Geofence>(&access, parent, (*page_size, page_token), store).await?;
        Ok(Response::new(pb::ListGeofencesResponse { geofences, next_page_token }))
    }

    async fn update_geofence(&self, request: Request<pb::UpdateGeofenceRequest>) -> Answer<pb::Geofence> {
        let access = Self::access(request.extensions())?;
        let pb::UpdateGeofenceRequest { geofence, update_mask } = request.into_inner();
        self.update::<Geofence>(access, geofence, update_mask).await
    }

    async fn delete_geofence(&self, request: Request<pb::DeleteGeofenceRequest>) -> Answer<pb::DeletePlaceResponse> {
        let access = Self::access(request.extensions())?;
        let pb::DeleteGeofenceRequest { name, etag, force } = request.get_ref();
        self.delete::<Geofence>(access, name, etag, *force).await
    }

    async fn create_beacon(&self, request: Request<pb::CreateBeaconRequest>) -> Answer<pb::Beacon> {
        let access = Self::access(request.extensions())?;
        let pb::CreateBeaconRequest { parent, beacon_id, beacon } = request.into_inner();
        self.create::<Beacon>(access, parent, ("beacon_id", beacon_id), beacon).await
    }

    async fn get_beacon(&self, request: Request<pb::GetBeaconRequest>) -> Answer<pb::Beacon> {
        let access = Self::access(request.extensions())?;
        self.get::<Beacon>(&access, &request.get_ref().name).await
    }

    async fn list_beacons(&self, request: Request<pb::ListBeaconsRequest>) -> Answer<pb::ListBeaconsResponse> {
        let access = Self::access(request.extensions())?;
        let pb::ListBeaconsRequest { parent, page_size, page_token, store } = request.get_ref();
        let (beacons, next_page_token) = self.list::<Beacon>(&access, parent, (*page_size, page_token), store).await?;
        Ok(Response::new(pb::ListBeaconsResponse { beacons, next_page_token }))
    }

    async fn update_beacon(&self, request: Request<pb::UpdateBeaconRequest>) -> Answer<pb::Beacon> {
        let access = Self::access(request.extensions())?;
        let pb::UpdateBeaconRequest { beacon, update_mask } = request.into_inner();
        self.update::<Beacon>(access, beacon, update_mask).await
    }

    async fn delete_beacon(&self, request: Request<pb::DeleteBeaconRequest>) -> Answer<pb::DeletePlaceResponse> {
        let access = Self::access(request.extensions())?;
        let pb::DeleteBeaconRequest { name, etag, force } = request.get_ref();
        self.delete::<Beacon>(access, name, etag, *force).await
    }

    async fn get_source(&self, request: Request<pb::GetSourceRequest>) -> Answer<pb::Source> {
        let access = Self::access(request.extensions())?;
        let resources = self.places.resources();
        let source = resource::entry::<Source>(&access, resources, &request.get_ref().name).await?;
        Ok(Response::new(Source::write(&as_of_now(&source, &resources.snapshot()))))
    }

    async fn list_sources(&self, request: Request<pb::ListSourcesRequest>) -> Answer<pb::ListSourcesResponse> {
        let access = Self::access(request.extensions())?;
        let pb::ListSourcesRequest { parent, page_size, page_token } = request.get_ref();
        let request = ListRequest { parent: Some(parent), page_size: *page_size, page_token, filter: String::new() };
        let (resources, wrong) = (self.places.resources(), Violations::default());
        let catalog = resources.snapshot();
        let write = |source: &Entry<Source>| Source::write(&as_of_now(source, &catalog));
        let page = resource::page(&access, resources, &request, wrong, |_: &Source| true).await?;
        let (sources, next_page_token) = page.write(write);
        Ok(Response::new(pb::ListSourcesResponse { sources, next_page_token }))
    }

    async fn delete_source(&self, request: Request<pb::DeleteSourceRequest>) -> Answer<pb::DeleteSourceResponse> {
        let access = Self::access(request.extensions())?;
        let pb::DeleteSourceRequest { name, etag, force } = request.get_ref();
        let (name, etag) = resource::versioned::<Source>(&access, name, etag)?;
        let let_go = self.imports.delete_source(&name, etag, *force, access.author()).await?;
        Ok(Response::new(pb::DeleteSourceResponse { let_go }))
    }

    async fn import_places(
        &self,
        request: Request<Streaming<pb::ImportPlacesRequest>>,
    ) -> Answer<pb::ImportPlacesResponse> {
        let access = Self::access(request.extensions())?;
        let stream = request.into_inner();
        let (_import, options, rows) = place_import::receive(&access, (&self.importing, &self.reading), stream).await?;
        let report = self.imports.run(&options, rows, access.author()).await?;
        Ok(Response::new(place_import::report_to_wire(report)))
    }
}
