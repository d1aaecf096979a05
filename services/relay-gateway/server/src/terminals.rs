//! The terminals' side: the WebSocket, the requests that come over it, and who is attached.

pub(crate) mod attached;
mod connection;
mod requests;
mod socket;

use std::sync::Arc;

pub(crate) use socket::{WebSocketState, upgrade};
use tributary_identifiers::{OrganisationId, RelayId, RelaySessionId};

use crate::{keys::VerifyingKeys, media::MediaHandle, meetings::Meetings, upstream::Upstream};

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) relay: RelayId,
    pub(crate) relay_name: String,
    pub(crate) relay_session: RelaySessionId,
    pub(crate) organisation: OrganisationId,
    pub(crate) upstream: Upstream,
    pub(crate) keys: VerifyingKeys,
    pub(crate) media: MediaHandle,
    pub(crate) meetings: Meetings,
    pub(crate) attached: Arc<attached::Attached>,
}
