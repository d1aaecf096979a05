//! With a real nats-server, which `NATS_SERVER` names: verifiers hear of changes at once.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use prost::Message as _;
use tributary_contracts::credential::v1::{Revocation, revocation::What};
use tributary_database::scratch;
use tributary_identifiers::OrganisationId;
use tributary_message_bus::{ControlBus, RelayChanges, Subscriber, subjects};
use tributary_service_runtime::{NatsConfig, Readiness};

use crate::{
    relays::{Office, update},
    world::{PASSWORD, Setting, World, manual_clock, until},
};

const DEADLINE: Duration = Duration::from_secs(20);

/// A server of the test's own, ended with it.
struct Nats {
    process: Child,
    url: String,
}

impl Nats {
    fn free_url() -> String {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        format!("nats://127.0.0.1:{port}")
    }

    fn start_at(url: String) -> Self {
        let program = std::env::var("NATS_SERVER")
            .expect("NATS_SERVER must name the nats-server program: run `just test`");
        let port = url.rsplit(':').next().unwrap();
        let process = Command::new(program)
            .args(["-a", "127.0.0.1", "-p", port])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, url }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a relay does: it hears.
struct Verifier {
    bus: ControlBus,
    revoked: Subscriber,
    keys: Subscriber,
    relays: RelayChanges,
}

impl Verifier {
    async fn connect(url: &str) -> Self {
        let config = NatsConfig { url: url.to_owned(), ..Default::default() };
        let dependency = Readiness::new().dependency("NATS");
        let bus = ControlBus::connect(&config, "relay", &dependency).await.unwrap();
        let revoked = bus.hear(subjects::revoked()).await.unwrap();
        let keys = bus.hear(subjects::keys_changed()).await.unwrap();
        let relays = bus.relay_changes(&OrganisationId::default()).await.unwrap();
        Self { bus, revoked, keys, relays }
    }

    async fn relay(&mut self) -> String {
        let changed = tokio::time::timeout(DEADLINE, self.relays.next()).await.unwrap();
        changed.unwrap().to_string()
    }

    async fn heard(&mut self) -> Revocation {
        let message = tokio::time::timeout(DEADLINE, self.revoked.next()).await.unwrap().unwrap();
        Revocation::decode(message.payload).unwrap()
    }
}

/// Waits until what this world tells is heard, by telling until it is.
async fn until_heard(world: &World, verifier: &mut Verifier) -> u64 {
    let mut link = verifier.bus.link();
    tokio::time::timeout(DEADLINE, link.wait_for(|link| link.up)).await.unwrap().unwrap();
    let deadline = Instant::now() + DEADLINE;
    loop {
        world.revoke_user("guest-probe").await;
        let heard = tokio::time::timeout(Duration::from_millis(200), verifier.revoked.next());
        if let Ok(Some(message)) = heard.await {
            return Revocation::decode(message.payload).unwrap().number;
        }
        assert!(Instant::now() < deadline, "nothing is heard");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_revocation_is_told_within_a_second_with_its_number() {
    let nats = Nats::start_at(Nats::free_url());
    let setting = Setting { nats: nats.url.clone(), ..Setting::default() };
    let world = World::start_as(&scratch::sqlite(), setting).await;
    let mut verifier = Verifier::connect(&nats.url).await;
    let mut number = until_heard(&world, &mut verifier).await;
    let user = world.create_user("zoe").await;
    let identity = world.log_in("zoe", PASSWORD).await.unwrap();
    let key_id = world.signing_keys().await[0].key_id.clone();
    let mut next = async |what: What| {
        let heard = verifier.heard().await;
        number += 1;
        assert_eq!((heard.number, heard.what.as_ref()), (number, Some(&what)));
        assert!(heard.forget_at.unwrap().seconds > heard.at.unwrap().seconds);
        assert_eq!(world.revocations(number - 1).await, [heard]);
    };

    let began = Instant::now();
    world.log_out(&identity).await.unwrap();
    let token = world.revocations(0).await.pop().unwrap().what.unwrap();
    next(token).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    world.revoke_terminal(&world.thumbprint()).await;
    next(What::KeyThumbprint(world.thumbprint())).await;
    world.revoke_key(&key_id).await.unwrap();
    next(What::KeyId(key_id)).await;
    world.delete_user(&user.user_id).await;
    let organisation = "default".to_owned();
    let user = tributary_contracts::credential::v1::RevokedUser {
        organisation,
        user_id: user.user_id.clone(),
    };
    next(What::User(user)).await;
    tokio::time::timeout(DEADLINE, verifier.keys.next()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_hears_of_a_new_key_and_verifiers_do() {
    let nats = Nats::start_at(Nats::free_url());
    let database = scratch::postgres().await;
    let setting = || Setting { nats: nats.url.clone(), ..Setting::default() };
    let (one, other) =
        tokio::join!(World::start_as(&database, setting()), World::start_as(&database, setting()));
    let mut verifier = Verifier::connect(&nats.url).await;
    until_heard(&one, &mut verifier).await;
    let made = one.rotate().await;
    tokio::time::timeout(DEADLINE, verifier.keys.next()).await.unwrap().unwrap();
    assert!(other.keys().await.key_ids().any(|id| id.as_str() == made.key_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_everything_is_revoked_and_told_when_it_is_back() {
    let url = Nats::free_url();
    let (clock, _hands) = manual_clock();
    let setting = Setting { nats: url.clone(), clock, ..Setting::default() };
    let world = World::start_as(&scratch::sqlite(), setting).await;
    let identity = world.guest("Zoë").await;
    world.revoke_user(&identity.user_id).await;
    assert!(world.join(&identity).await.is_err());
    assert_eq!(world.revocations(0).await.len(), 1);
    let nats = Nats::start_at(url);
    let mut verifier = Verifier::connect(&nats.url).await;
    let number = until_heard(&world, &mut verifier).await;
    assert!(number > 1);
    until("the list has what was not heard", || async {
        world.revocations(0).await.first().is_some_and(|first| first.number == 1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn core_relays_hear_what_has_changed_about_a_relay() {
    let nats = Nats::start_at(Nats::free_url());
    let setting = Setting { nats: nats.url.clone(), ..Setting::default() };
    let world = World::start_as(&scratch::sqlite(), setting).await;
    let mut verifier = Verifier::connect(&nats.url).await;
    until_heard(&world, &mut verifier).await;
    // Each of another name, so that nothing is heard for something else.
    let one = Office::enrolled(&world, "enrolled").await;
    assert_eq!(verifier.relay().await, "enrolled");
    let _token = Office::token(&world, "updated").await;
    world.relays_admin.clone().update_relay(update("updated", "Other")).await.unwrap();
    assert_eq!(verifier.relay().await, "updated", "nothing was told of its first setup");
    let _token = Office::token(&world, "revoked").await;
    Office::revoke(&world, "revoked").await.unwrap();
    assert_eq!(verifier.relay().await, "revoked");
    one.attach(&world).await.unwrap();
    let again = Office::token(&world, "enrolled").await;
    assert_eq!(verifier.relay().await, "enrolled", "it was set up anew");
    Office::enrol(&world, "enrolled", &again).await.unwrap();
    assert_eq!(verifier.relay().await, "enrolled");
}

/// From now on who connects to one URL is connected to the server of the other.
async fn open_way(from: &str, to: &str) {
    let address = |url: &str| url.trim_start_matches("nats://").to_owned();
    let (listener, to) = (tokio::net::TcpListener::bind(address(from)).await.unwrap(), address(to));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = tokio::net::TcpStream::connect(&to).await.unwrap();
            tokio::spawn(
                async move { tokio::io::copy_bidirectional(&mut client, &mut server).await },
            );
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_revoked_without_nats_is_told_of_when_it_is_back() {
    // The service can't reach the server, and who hears can.
    let nats = Nats::start_at(Nats::free_url());
    let closed = Nats::free_url();
    let setting = Setting { nats: closed.clone(), ..Setting::default() };
    let world = World::start_as(&scratch::sqlite(), setting).await;
    let mut verifier = Verifier::connect(&nats.url).await;
    let mut link = verifier.bus.link();
    tokio::time::timeout(DEADLINE, link.wait_for(|link| link.up)).await.unwrap().unwrap();
    // Answers come in order: what is heard from is in force when this has arrived.
    verifier.bus.tell(subjects::keys_changed(), Default::default()).await.unwrap();
    let _office = Office::enrolled(&world, "office-a").await;
    Office::revoke(&world, "office-a").await.unwrap();
    open_way(&closed, &nats.url).await;
    assert_eq!(verifier.relay().await, "office-a");
}
