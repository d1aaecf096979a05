//! What a connection has come to: which nonce it was given, by which tokens it stands, and what it
//! follows.

use std::sync::Arc;

use tokio::{
    sync::{broadcast, mpsc},
    task::JoinHandle,
    time::Instant,
};
use tributary_contracts::terminal::v1::relay_message::Body;
use tributary_identifiers::{OrganisationId, UserId};

use super::{
    Shared, link::Origin, participations::Participations, requests::introducing::Introductions,
    standing::Standing,
};
use crate::{
    notices::{Feed, Sent, Told},
    operations::Stored,
    refusal::Refused,
};

pub(super) const NONCE_BYTES: usize = 32;
/// Operations that were stored and are not yet said to be: more than can wait in two meetings.
const STORED_MAX: usize = 128;

/// What a terminal that hears notices follows.
pub(super) struct Listening {
    pub(super) organisation: OrganisationId,
    pub(super) user: UserId,
    pub(super) told: broadcast::Receiver<Arc<Told>>,
    pub(super) sent: Sent,
    /// When the token that it goes by ends.
    pub(super) ends_at: Instant,
    // Ends when nobody listens to it any more.
    pub(super) _feed: Arc<Feed>,
}

/// What is being carried out while the connection goes on: a share, which waits for other people's mail
/// servers, or an introduction, which waits for another relay.
pub(super) struct Pending {
    pub(super) request_id: u64,
    pub(super) answer: JoinHandle<Result<Body, Refused>>,
}

/// The state of one connection.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) origin: Origin,
    pub(super) nonce: [u8; NONCE_BYTES],
    pub(super) standing: Standing,
    pub(super) participations: Participations,
    pub(super) listening: Option<Listening>,
    pub(super) sharing: Option<Pending>,
    pub(super) introducing: Option<Pending>,
    pub(super) introductions: Introductions,
    /// Somebody has shown here who they are.
    pub(super) is_known: bool,
    /// Given along with operations.
    pub(super) waits: mpsc::Sender<Stored>,
    pub(super) stored: mpsc::Receiver<Stored>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, origin: Origin) -> Self {
        let (waits, stored) = mpsc::channel(STORED_MAX);
        Self {
            shared,
            origin,
            nonce: [0; NONCE_BYTES],
            standing: Standing::default(),
            participations: Participations::default(),
            listening: None,
            sharing: None,
            introducing: None,
            introductions: Introductions::default(),
            is_known: false,
            waits,
            stored,
        }
    }

    /// Resolves when a token that the connection stands by is revoked.
    pub(super) fn revoked(&self) -> impl Future<Output = ()> + use<> {
        let own = self.standing.revoked();
        let joined = self.participations.revoked();
        async {
            tokio::select! {
                () = own => {}
                () = joined => {}
            }
        }
    }
}
