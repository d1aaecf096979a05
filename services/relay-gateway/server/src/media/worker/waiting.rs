//! What the media loop waits for.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tributary_message_bus::MediaInbox;

use super::super::meetings::Topic;

/// After a shutdown whose end nobody says, media goes on for so long.
const LINGER_MAX: Duration = Duration::from_secs(10);

/// Resolves when the relay ends and everybody has been told, or has had the time for it.
pub(super) async fn over(shutdown: &CancellationToken, end: &CancellationToken) {
    let lingered = async {
        shutdown.cancelled().await;
        tokio::time::sleep(LINGER_MAX).await;
    };
    tokio::select! {
        () = end.cancelled() => {}
        () = lingered => {}
    }
}

/// Resolves when something has come from the bus, if there is one.
pub(super) async fn something_from(inbox: Option<&MediaInbox<Topic>>) {
    match inbox {
        Some(inbox) => inbox.arrived().await,
        None => std::future::pending().await,
    }
}

/// Resolves then; never, if there is no such time.
pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
