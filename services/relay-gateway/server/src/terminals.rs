//! The terminals' side: the WebSocket, the requests that come over it, and who is attached.

pub(crate) mod admit;
pub(crate) mod allowance;
pub(crate) mod attached;
pub(crate) mod connection;
mod fate;
pub(crate) mod link;
mod participations;
mod passing;
pub(crate) mod requests;
mod seat;
mod session;
pub(crate) mod socket;
mod sound;
mod standing;
mod telling;
mod turns;
mod wake;

use std::sync::Arc;

use ipnet::IpNet;
pub(crate) use socket::{WebSocketState, upgrade};
use tributary_identifiers::{OrganisationId, RelayId, RelaySessionId};

use crate::{
    media::MediaHandle,
    meetings::Meetings,
    narrowings::Narrowings,
    notices::NoticeDesk,
    operations::{Operations, Stream},
    trust::Trust,
    uplink::Relays,
    upstream::Upstream,
};

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) relay: RelayId,
    pub(crate) relay_name: String,
    pub(crate) relay_session: RelaySessionId,
    pub(crate) organisation: OrganisationId,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) upstream: Upstream,
    pub(crate) trust: Trust,
    pub(crate) narrowings: Narrowings,
    pub(crate) media: MediaHandle,
    pub(crate) meetings: Meetings,
    pub(crate) notices: NoticeDesk,
    pub(crate) operations: Operations<Stream>,
    pub(crate) attached: Arc<attached::Attached>,
    /// The relays that are attached here.
    pub(crate) relays: Relays,
}
