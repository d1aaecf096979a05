//! Keys of relays in a chain: changed through the relays above, and the old one is worth nothing then.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tributary_harness::{Service, World, is_attached, wait};
use tributary_terminal::Terminal;

use crate::edges::{RECOVERED, chain, guest_at, named};
use crate::room::{Room, knows};

/// Longer than a relay keeps a key.
const LONG_AGO: Duration = Duration::from_secs(60 * 24 * 60 * 60);
/// The lower one of the two.
const LOWER: usize = 1;

/// Where a relay keeps its key, and what it was told.
struct Vault(PathBuf);

impl Vault {
    fn of(world: &World, edge: usize) -> Self {
        let id = world.edge_id(edge).unwrap();
        Self(world.folder().join(format!("data/edge-{id}")))
    }

    fn key(&self) -> Vec<u8> {
        std::fs::read(self.0.join("relay.key")).unwrap()
    }

    fn put_key(&self, key: &[u8]) {
        std::fs::write(self.0.join("relay.key"), key).unwrap();
    }

    /// Since when the relay has its key, Unix time in seconds.
    fn key_since(&self) -> u64 {
        self.stored()["key_since"].as_u64().unwrap()
    }

    /// The key is old.
    fn age(&self) {
        let mut stored = self.stored();
        stored["key_since"] = (self.key_since() - LONG_AGO.as_secs()).into();
        std::fs::write(self.0.join("relay.json"), stored.to_string()).unwrap();
    }

    fn stored(&self) -> Value {
        let text = std::fs::read_to_string(self.0.join("relay.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// What a terminal says is done, and another one sees it.
async fn is_heard(terminal: &Terminal, text: &str, by: &Terminal) {
    terminal.chat(text, &[]).await.unwrap();
    knows(by, |snapshot| snapshot.chat.back().is_some_and(|line| line.text == text)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_through_a_chain_and_the_old_one_is_refused() {
    let mut room = Room::open_in(chain()).await;
    let host = room.host(0).await;
    let urls = [room.world.edge_url(LOWER).unwrap()];
    let linus = guest_at(&room, &urls, "Linus").await;
    let (lower, vault) = (Service::Edge(LOWER), Vault::of(&room.world, LOWER));
    let before = linus.participant_id();
    let first = vault.key();
    room.world.terminate(lower).await.unwrap();
    vault.age();
    let aged = vault.key_since();
    room.world.start_service(lower).await.unwrap();
    wait::until("it to have another key", RECOVERED, || async {
        vault.key() != first && vault.key_since() > aged
    })
    .await
    .unwrap();
    is_heard(&linus, "by the new key", &host).await;

    let second = vault.key();
    room.world.terminate(lower).await.unwrap();
    room.world.start_service(lower).await.unwrap();
    room.world.edge_attached(LOWER).await.unwrap();
    assert!(vault.key() == second, "one key is enough for a month");
    is_heard(&linus, "after a restart", &host).await;

    room.world.terminate(lower).await.unwrap();
    vault.put_key(&first);
    room.world.begin_service(lower).unwrap();
    wait::until("the old key to be refused", RECOVERED, || async {
        let status = room.world.edge_status(LOWER).await.unwrap_or_default();
        let said = status.get("last_error").and_then(Value::as_str).unwrap_or_default();
        !is_attached(&status) && said.contains("does not accept this relay")
    })
    .await
    .unwrap();

    room.world.terminate(lower).await.unwrap();
    vault.put_key(&second);
    room.world.start_service(lower).await.unwrap();
    room.world.edge_attached(LOWER).await.unwrap();
    is_heard(&linus, "after all", &host).await;
    let known = knows(&host, |snapshot| snapshot.roster.len() == 2).await;
    assert!(named(&known, "Linus").is_some_and(|one| one.is_online()));
    assert_eq!(linus.participant_id(), before);
}
