//! One holder at a time, epochs that only grow, nothing lost with JetStream away.

use tributary_identifiers::MeetingId;
use tributary_message_bus::{
    ControlBus, Lease, Leases, Renewal, permissions::User, subjects::MeetingScope,
};

use crate::server::{Server, dependency, eventually};

fn scope(meeting: u64) -> MeetingScope {
    MeetingScope {
        organisation: Default::default(),
        meeting: MeetingId::try_from(meeting).unwrap(),
    }
}

async fn leases(server: &Server) -> Leases {
    let bus = ControlBus::connect(&server.config(&User::Mixer), "test", &dependency()).await;
    Leases::new(&bus.unwrap())
}

async fn take(leases: &Leases, meeting: u64, holder: &str) -> Lease {
    let scope = scope(meeting);
    let scope = &scope;
    eventually("the lease", || async move { leases.acquire(scope, holder).await.ok().flatten() })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_has_one_holder_and_its_next_holder_a_higher_epoch() {
    let server = Server::start();
    let (first, second) = (leases(&server).await, leases(&server).await);
    let mut lease = take(&first, 1, "first").await;
    assert!(second.acquire(&scope(1), "second").await.unwrap().is_none());
    assert_eq!(first.renew(&mut lease).await.unwrap(), Renewal::Held);
    let epoch = lease.epoch;
    first.release(lease).await;
    let next = take(&second, 1, "second").await;
    assert!(next.epoch > epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_not_renewed_passes_to_another_holder_and_is_lost_to_the_first() {
    let server = Server::start();
    let (first, second) = (leases(&server).await, leases(&server).await);
    let mut lease = take(&first, 2, "first").await;
    let next = take(&second, 2, "second").await;
    assert!(next.epoch > lease.epoch);
    assert_eq!(first.renew(&mut lease).await.unwrap(), Renewal::Lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_leases_do_not_expire() {
    let server = Server::start();
    let (first, second) = (leases(&server).await, leases(&server).await);
    let kept = tokio::sync::Mutex::new(take(&first, 3, "first").await);
    // Another lease, never renewed, shows that more than a lifetime has passed.
    let _unkept = take(&first, 4, "first").await;
    let (first, second, kept) = (&first, &second, &kept);
    eventually("the other lease's end", || async move {
        assert_eq!(first.renew(&mut *kept.lock().await).await.unwrap(), Renewal::Held);
        second.acquire(&scope(4), "second").await.unwrap()
    })
    .await;
    assert_eq!(first.renew(&mut *kept.lock().await).await.unwrap(), Renewal::Held);
    assert!(second.acquire(&scope(3), "second").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_a_lease_is_neither_renewed_nor_lost() {
    let mut server = Server::start();
    let leases = leases(&server).await;
    let mut lease = take(&leases, 5, "first").await;
    server.stop();
    assert!(leases.renew(&mut lease).await.is_err());
    server.start_again();
    let leases = &leases;
    let lease = &lease;
    // Expired meanwhile or not: the answer comes back.
    eventually("an answer", || async move { leases.renew(&mut lease.clone()).await.ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ran_out_and_that_nobody_took_is_held_on_under_a_higher_epoch() {
    let server = Server::start();
    let leases = leases(&server).await;
    let lease = take(&leases, 6, "first").await;
    let other = take(&leases, 7, "first").await;
    // The other lease, taken later, has run out when it can be taken: so has the first.
    let leases = &leases;
    eventually(
        "the lease's end",
        || async move { leases.acquire(&scope(7), "second").await.unwrap() },
    )
    .await;
    assert!(other.epoch > lease.epoch);
    let mut again = lease.clone();
    assert_eq!(leases.renew(&mut again).await.unwrap(), Renewal::Retaken);
    assert!(again.epoch > lease.epoch);
    assert_eq!(leases.renew(&mut again).await.unwrap(), Renewal::Held);
}
