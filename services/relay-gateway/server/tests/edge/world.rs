//! What the shared fakes want to know of the world that they are in.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tributary_identifiers::{MeetingId, OrganisationId};
use tributary_message_bus::subjects::MeetingScope;

/// Nothing here takes this long unless it does not happen at all.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A relay that people come to.
pub struct World {
    pub url: String,
}

pub fn meeting(number: u64) -> MeetingId {
    (1 << 60 | number).to_string().parse().unwrap()
}

pub fn scope(number: u64) -> MeetingScope {
    MeetingScope { organisation: OrganisationId::default(), meeting: meeting(number) }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Waits for a condition, trying again and again.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What does not happen within [`PATIENCE`] fails the test.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: never"))
}
