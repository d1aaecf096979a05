//! What is behind a relay that others attach to: NATS and the services of a core relay, or the parent of
//! an edge relay.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};
use tonic::Status;
use tributary_contracts::relay::v1::{
    EnrolRequest, FetchRequestHead, FetchResponseHead, Hello, RelayHop, RelaySettings,
    RotateKeyRequest,
};

use super::{child::Child, links::Up};
use crate::media::MediaHandle;

/// The body of an HTTP request or answer, in pieces; its end is the end of the channel.
pub(crate) type FetchBody = mpsc::Receiver<Result<Bytes, Status>>;

/// What is behind this relay. Nothing here may wait for a child.
pub(crate) trait Backend: Send + Sync + 'static {
    /// The way from the core to this relay, both included.
    ///
    /// # Errors
    /// `UNAVAILABLE`: it has no way to the core now.
    fn path(&self) -> Result<Vec<RelayHop>, Status>;

    /// The media thread.
    fn media(&self) -> &MediaHandle;

    /// A value to be signed, made by the core, good once.
    fn challenge(&self) -> impl Future<Output = Result<Vec<u8>, Status>> + Send;

    /// Trades a one-time token for an identity.
    fn enrol(
        &self,
        request: EnrolRequest,
    ) -> impl Future<Output = Result<RelaySettings, Status>> + Send;

    /// Whether a relay is what it says: one that attaches here, or to the child that it comes `via`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`: it is not. `UNAVAILABLE`: nobody can say so now.
    fn verify(
        &self,
        via: Option<&Arc<Child>>,
        hello: &Hello,
    ) -> impl Future<Output = Result<RelaySettings, Status>> + Send;

    /// Puts another key in the place of a relay's own.
    fn rotate(
        &self,
        via: &Arc<Child>,
        request: RotateKeyRequest,
    ) -> impl Future<Output = Result<(), Status>> + Send;

    /// A new session has begun. The table of sessions is locked meanwhile.
    fn began(&self, child: &Arc<Child>);

    /// Something that a child has said, in order.
    fn take(&self, child: &Arc<Child>, up: Up) -> impl Future<Output = ()> + Send;

    /// A child can't be reached for now, or can again.
    fn reachable(&self, child: &Arc<Child>, reachable: bool);

    /// A session is over; its links with it. The child was there for the last time at `last_there`.
    fn ended(&self, child: &Arc<Child>, last_there: Instant);

    /// One HTTP request of a terminal behind the child.
    fn fetch(
        &self,
        child: &Arc<Child>,
        head: FetchRequestHead,
        body: FetchBody,
    ) -> impl Future<Output = Result<(FetchResponseHead, FetchBody), Status>> + Send;
}
