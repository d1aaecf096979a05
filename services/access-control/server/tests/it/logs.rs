//! What is secret stands in no log line, whatever happens and however much is logged.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use tributary_contracts::access::v1::{CreateShareRequest, DecideRequest, Reason};
use tributary_database::scratch;

use crate::{
    registry::FakeMeeting,
    world::{
        MEETING, ORGANISER, OUTSIDER, World, generous, join, link, meeting, password_hash, share,
    },
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// One thread, so that all that the service does is logged to where the test looks.
#[tokio::test(flavor = "current_thread")]
async fn neither_passwords_nor_secrets_are_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let world = World::start(&scratch::sqlite(), generous()).await;
    let password_hash = password_hash().await;
    world.registry.put(MEETING, FakeMeeting { password_hash: password_hash.clone(), ..meeting() });
    let (secret, _) = world.share().await;
    let typed = "canary-password";
    let with_secret = DecideRequest { share_secret: secret.clone(), ..join(OUTSIDER, typed) };
    assert_eq!(world.reason(with_secret.clone()).await, Reason::WrongPassword);
    world
        .registry
        .put(MEETING, FakeMeeting { password_hash: "canary-hash".to_owned(), ..meeting() });
    let other = DecideRequest { user_id: "user-2".to_owned(), ..with_secret };
    assert_eq!(world.reason(other).await, Reason::WrongPassword);
    let wrong = CreateShareRequest { user_id: OUTSIDER.to_owned(), ..link() };
    share(&world.access, wrong).await.unwrap_err();
    world.registry.set_down(true);
    world.revoke("").await.unwrap_err();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains(ORGANISER) && text.contains("was shared"), "the log is looked at");
    for hidden in [typed, secret.as_str(), password_hash.as_str(), "canary-hash"] {
        assert!(!text.contains(hidden), "{hidden} is logged");
    }
}
