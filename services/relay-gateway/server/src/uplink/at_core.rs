//! What is behind a core relay that others attach to: a connection for each link, as for each WebSocket,
//! and the services that are asked on behalf of terminals.

mod addresses;
mod carrying;
mod challenges;
mod fetching;
mod keeping;
mod reach;
mod relays;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use axum::{Router, extract::ws::close_code};
use challenges::Challenges;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, Status};
use tributary_contracts::{
    credential::v1::RelayIdentity,
    relay::v1::{
        CloseLink, EnrolRequest, FetchRequestHead, FetchResponseHead, Hello, LinksReachable,
        RelayHop, RelaySettings, RotateKeyRequest,
    },
};
use tributary_identifiers::RelayId;

use super::{Backend, Child, FetchBody, Up};
use crate::{
    media::{MediaHandle, UplinkId},
    terminals::{Shared, socket::CONNECTIONS_MAX},
};
use carrying::Carried;
use reach::Reachability;
pub(crate) use relays::{IntroductionError, Relays};

/// What of one uplink's terminals may wait for their connections here, in bytes.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Connections for the links of one uplink at a time.
const CONNECTIONS_OF_UPLINK_MAX: usize = 4_096;
/// Connections for the links of all uplinks at a time: the rest is for who comes directly.
const CARRIED_MAX: usize = CONNECTIONS_MAX / 4 * 3;

/// One session of a relay that is attached.
struct Line {
    child: Arc<Child>,
    links: HashMap<u32, Carried>,
    /// Places for connections.
    places: Arc<Semaphore>,
    /// Room for what waits to be taken by connections.
    room: Arc<Semaphore>,
    reachability: Reachability,
}

/// All sessions.
#[derive(Default)]
struct Lines(Mutex<HashMap<UplinkId, Line>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, HashMap<UplinkId, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a link whose connection has ended.
    fn forget(&self, uplink: UplinkId, link: u32) {
        if let Some(line) = self.lock().get_mut(&uplink) {
            line.links.remove(&link);
        }
    }
}

/// The backend of a core relay.
pub(crate) struct AtCore {
    shared: Arc<Shared>,
    challenges: Challenges,
    lines: Arc<Lines>,
    /// Places for connections of all lines.
    places: Arc<Semaphore>,
    /// Everything that is served over HTTP, once that is known.
    router: OnceLock<Router>,
    connections: TaskTracker,
    shutdown: CancellationToken,
}

impl AtCore {
    /// `connections` and `shutdown` are those of the WebSockets.
    pub(crate) fn new(
        shared: Arc<Shared>,
        connections: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            shared,
            challenges: Challenges::default(),
            lines: Arc::default(),
            places: Arc::new(Semaphore::new(CARRIED_MAX)),
            router: OnceLock::new(),
            connections,
            shutdown,
        }
    }

    /// Says what terminals behind relays may fetch.
    pub(crate) fn serve(&self, router: Router) {
        // Said once.
        let _ = self.router.set(router);
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<UplinkId, Line>> {
        self.lines.lock()
    }

    /// An identity as credential tells it, if it is of this organisation.
    fn own(&self, identity: Option<RelayIdentity>) -> Result<RelayIdentity, Status> {
        let identity = identity.filter(|identity| identity.settings.is_some());
        let identity = identity.ok_or_else(|| Status::unavailable("no identity in the answer"))?;
        let organisation =
            identity.settings.as_ref().map(|settings| settings.organisation.as_str());
        if organisation != Some(self.shared.organisation.as_str()) {
            return Err(not_known());
        }
        Ok(identity)
    }

    fn spend(&self, challenge: &[u8]) -> Result<(), Status> {
        if self.challenges.spend(challenge) {
            return Ok(());
        }
        Err(Status::unauthenticated(
            "the challenge is not one of this core, was used, or is older than a minute: get another",
        ))
    }

    /// Closes links for which `is_meant`.
    fn close_links(&self, child: &Arc<Child>, is_meant: impl Fn(&[RelayId]) -> bool, code: u16) {
        let closed: Vec<u32> = {
            let mut lines = self.lines();
            let Some(line) = lines.get_mut(&child.uplink) else { return };
            let meant = line.links.iter().filter(|(_, carried)| is_meant(&carried.path));
            let meant: Vec<u32> = meant.map(|(link, _)| *link).collect();
            meant.into_iter().filter(|link| line.links.remove(link).is_some()).collect()
        };
        for link in closed {
            child.close_link(link, code);
        }
    }

    /// Closes all links whose way leads over this relay, but those of one uplink.
    fn close_all_by(&self, relay: &RelayId, except: Option<UplinkId>, code: u16) {
        let children: Vec<_> = self.lines().values().map(|line| line.child.clone()).collect();
        for child in children.iter().filter(|child| Some(child.uplink) != except) {
            self.close_links(child, |path| path.contains(relay), code);
        }
    }
}

impl Backend for AtCore {
    fn path(&self) -> Result<Vec<RelayHop>, Status> {
        if self.shutdown.is_cancelled() {
            return Err(Status::unavailable("this relay goes: use another upstream"));
        }
        let relay_id = self.shared.relay.to_string();
        Ok(vec![RelayHop { relay_id, relay_name: self.shared.relay_name.clone() }])
    }

    fn media(&self) -> &MediaHandle {
        &self.shared.media
    }

    async fn challenge(&self) -> Result<Vec<u8>, Status> {
        self.challenges.make().map_err(|_| Status::unavailable("no random bytes: try again"))
    }

    async fn enrol(&self, request: EnrolRequest) -> Result<RelaySettings, Status> {
        self.spend(&request.challenge)?;
        let enrolled = self.shared.upstream.enrol_relay(request).await.map_err(told)?;
        let settings = self.own(enrolled)?.settings;
        settings.ok_or_else(not_known)
    }

    async fn verify(
        &self,
        via: Option<&Arc<Child>>,
        hello: &Hello,
    ) -> Result<RelaySettings, Status> {
        self.spend(&hello.challenge)?;
        let (organisation, hello) = (&self.shared.organisation, hello.clone());
        let relay: RelayId = hello.relay_id.parse().map_err(|_| not_known())?;
        let verified =
            self.shared.upstream.verify_relay(organisation, hello).await.map_err(told)?;
        let identity = self.own(verified)?;
        let settings = identity.settings.clone().ok_or_else(not_known)?;
        if settings.relay_id != relay.as_str() {
            return Err(not_known());
        }
        let Some(child) = via else {
            self.shared.relays.know(&relay, &identity);
            return Ok(settings);
        };
        // Once it is there, the end of another session does not take what is known of it.
        let is_new = self.shared.relays.put_behind(child, &relay)?;
        self.shared.relays.know(&relay, &identity);
        if is_new {
            self.close_all_by(&relay, Some(child.uplink), close_code::RESTART);
        }
        child.set_settings(&relay, settings.clone());
        Ok(settings)
    }

    async fn rotate(&self, via: &Arc<Child>, request: RotateKeyRequest) -> Result<(), Status> {
        self.spend(&request.challenge)?;
        let relay: RelayId = request.relay_id.parse().map_err(|_| not_known())?;
        if !self.shared.relays.are_behind(via.uplink, std::slice::from_ref(&relay)) {
            return Err(Status::permission_denied("this relay is not behind this uplink"));
        }
        let organisation = &self.shared.organisation;
        self.shared.upstream.rotate_relay_key(organisation, request).await.map_err(told)
    }

    fn began(&self, child: &Arc<Child>) {
        if !self.shared.relays.begin(child) {
            return;
        }
        let line = Line {
            child: child.clone(),
            links: HashMap::new(),
            places: Arc::new(Semaphore::new(CONNECTIONS_OF_UPLINK_MAX)),
            room: Arc::new(Semaphore::new(WAITING_BYTES_MAX)),
            reachability: Reachability::start(self.shared.clone(), child.clone()),
        };
        self.lines().insert(child.uplink, line);
        // What audit logs show of its terminals.
        let network = addresses::network_of(&child.relay);
        tracing::info!(relay = %child.relay, %network, "terminals behind a relay count as a network");
        self.close_all_by(&child.relay, Some(child.uplink), close_code::RESTART);
    }

    async fn take(&self, child: &Arc<Child>, up: Up) {
        match up {
            Up::Open(open) => self.open(child, &open),
            Up::Message { link, message } => self.pass(child, link, message),
            Up::Close(CloseLink { link_id, silent_ms, .. }) => {
                self.lose(child, link_id, silent_ms);
            }
            Up::Reachable(LinksReachable { .. }) => {
                if let Some(line) = self.lines().get(&child.uplink) {
                    line.reachability.look();
                }
            }
            Up::Introduced(answer) => self.shared.relays.introduced(child.uplink, answer),
        }
    }

    fn reachable(&self, child: &Arc<Child>, _reachable: bool) {
        if let Some(line) = self.lines().get(&child.uplink) {
            line.reachability.look();
        }
    }

    fn ended(&self, child: &Arc<Child>, last_there: Instant) {
        self.shared.relays.end(child.uplink);
        let line = self.lines().remove(&child.uplink);
        child.links().close_all();
        for carried in line.into_iter().flat_map(|line| line.links.into_values()) {
            carried.gone(last_there);
        }
    }

    async fn fetch(
        &self,
        child: &Arc<Child>,
        head: FetchRequestHead,
        body: FetchBody,
    ) -> Result<(FetchResponseHead, FetchBody), Status> {
        let router = self.router.get().cloned();
        let router = router.ok_or_else(|| Status::unavailable("this relay is not ready yet"))?;
        fetching::fetch(child, router, head, body).await
    }
}

/// One answer to everybody who is not what they say.
fn not_known() -> Status {
    Status::unauthenticated(
        "this relay is not known, was revoked, or has another key: enrol it with a new token",
    )
}

/// What a child is told of credential's answer.
fn told(status: Status) -> Status {
    match status.code() {
        Code::Unauthenticated | Code::NotFound | Code::PermissionDenied => not_known(),
        Code::InvalidArgument | Code::FailedPrecondition | Code::AlreadyExists => {
            Status::new(status.code(), status.message())
        }
        code => {
            tracing::warn!(?code, message = status.message(), "credential was asked about a relay");
            Status::unavailable("the credential service is not reachable now: try again")
        }
    }
}
