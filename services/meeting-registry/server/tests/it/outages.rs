//! Operations while the registry, its database and NATS end and come back: each is applied once, in
//! the order of its session, and nothing that a relay has seen stored is lost.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use prost::Message as _;
use tributary_contracts::operation::v1::{SendChat, operation::Body};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_meeting_registry_server::Config;
use tributary_message_bus::{ControlBus, subjects::MeetingScope};
use tributary_service_runtime::{DatabaseConfig, Secret};

use crate::{
    actor::{Actor, Client, answer, causes, log, meeting, publish, publish_bytes},
    calls::Answering,
    nats::{Nats, connect, free_port},
    proxy::Proxy,
};

fn say(number: usize) -> Body {
    Body::SendChat(SendChat { text: format!("{number}"), to_participant_ids: Vec::new() })
}

/// Meetings with three people each who talk all the time.
struct Crowd {
    meetings: Vec<(MeetingScope, Vec<Actor>)>,
    /// What each has said, by meeting and participant.
    said: BTreeMap<(usize, u32), Vec<String>>,
}

impl Crowd {
    async fn gather(client: &mut Client, meetings: usize) -> Self {
        let mut crowd = Self { meetings: Vec::new(), said: BTreeMap::new() };
        for _ in 0..meetings {
            let scope = meeting(client).await;
            let mut actors = Vec::new();
            for user in ["ann", "bob", "cleo"] {
                actors.push(Actor::join(client, &scope, user).await);
            }
            crowd.meetings.push((scope, actors));
        }
        crowd
    }

    /// Everybody says so many things more; returns when all of it is stored.
    async fn talk(&mut self, relay: &ControlBus, times: usize) {
        for number in 0..times {
            for (index, (_, actors)) in self.meetings.iter_mut().enumerate() {
                for actor in actors {
                    let id = actor.act(relay, say(number)).await;
                    self.said.entry((index, actor.participant)).or_default().push(id);
                }
            }
        }
    }

    /// Waits for the last answers, and looks whether each is there once and in order.
    async fn check(&self, client: &Client) {
        for (index, (scope, actors)) in self.meetings.iter().enumerate() {
            for actor in actors {
                let said = &self.said[&(index, actor.participant)];
                answer(client, scope, said.last().unwrap()).await;
            }
            let log = log(&mut client.clone(), scope).await;
            for actor in actors {
                let of_actor: Vec<_> = log
                    .iter()
                    .filter(|event| {
                        let cause = event.cause.as_ref();
                        cause.is_some_and(|cause| cause.participant_id == actor.participant)
                    })
                    .cloned()
                    .collect();
                assert_eq!(causes(&of_actor), self.said[&(index, actor.participant)]);
            }
        }
    }
}

async fn start(scratch: &Arc<ScratchDatabase>, url: &str) -> Answering {
    let database = scratch.config().clone();
    Answering::start_on(Arc::clone(scratch), database, url, Config::default()).await
}

fn nats() -> (Nats, String) {
    let port = free_port();
    (Nats::start(port), format!("nats://127.0.0.1:{port}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_ends_and_starts_again_loses_and_doubles_nothing() {
    let (_nats, url) = nats();
    let scratch = Arc::new(scratch::sqlite());
    let mut answering = start(&scratch, &url).await;
    let relay = connect(&url, "relay").await;
    let mut crowd = Crowd::gather(&mut answering.client(), 3).await;
    for round in 0..6 {
        crowd.talk(&relay, 5).await;
        // In the middle of it, without warning or in order; the rest is applied by the next.
        if round % 2 == 0 {
            answering.kill().await
        } else {
            answering.stop().await
        }
        crowd.talk(&relay, 2).await;
        answering = start(&scratch, &url).await;
    }
    crowd.check(&answering.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_on_one_database_apply_everything_once_and_in_order() {
    let (_nats, url) = nats();
    let scratch = Arc::new(scratch::postgres().await);
    let (first, second) = (start(&scratch, &url).await, start(&scratch, &url).await);
    let relay = connect(&url, "relay").await;
    let mut crowd = Crowd::gather(&mut first.client(), 4).await;
    crowd.talk(&relay, 15).await;
    first.kill().await;
    crowd.talk(&relay, 5).await;
    crowd.check(&second.client()).await;
}

/// The way to a PostgreSQL database through a proxy.
async fn by_proxy(scratch: &ScratchDatabase) -> (Proxy, DatabaseConfig) {
    let direct = scratch.config().url.expose();
    let at = direct.rsplit_once('/').unwrap().0.rsplit(['@', '/']).next().unwrap();
    let proxy = Proxy::to(at).await;
    let url = direct.replacen(at, &format!("127.0.0.1:{}", proxy.port), 1);
    (proxy, DatabaseConfig { url: Secret::new(url) })
}

/// Everybody talks while the database is away for longer than an operation is tried in place.
async fn talk_through(outage: fn(&Proxy)) {
    let (_nats, url) = nats();
    let scratch = Arc::new(scratch::postgres().await);
    let (proxy, database) = by_proxy(&scratch).await;
    let config = Config::default();
    let answering = Answering::start_on(Arc::clone(&scratch), database, &url, config).await;
    let relay = connect(&url, "relay").await;
    let mut crowd = Crowd::gather(&mut answering.client(), 3).await;
    crowd.talk(&relay, 5).await;
    outage(&proxy);
    // More than is held in the process.
    crowd.talk(&relay, 20).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    proxy.mend();
    crowd.talk(&relay, 5).await;
    crowd.check(&answering.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_a_while_costs_time_and_nothing_else() {
    talk_through(Proxy::cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_says_nothing_for_a_while_costs_time_and_nothing_else() {
    talk_through(Proxy::silence).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_without_a_database_leaves_its_operations_to_one_that_has() {
    let (_nats, url) = nats();
    let scratch = Arc::new(scratch::postgres().await);
    let (proxy, database) = by_proxy(&scratch).await;
    let config = Config::default();
    let without = Answering::start_on(Arc::clone(&scratch), database, &url, config).await;
    let with = start(&scratch, &url).await;
    let relay = connect(&url, "relay").await;
    let mut crowd = Crowd::gather(&mut with.client(), 2).await;
    proxy.silence();
    crowd.talk(&relay, 5).await;
    crowd.check(&with.client()).await;
    proxy.mend();
    without.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_may_come_after_the_registry_and_go_and_come_back() {
    let port = free_port();
    let url = format!("nats://127.0.0.1:{port}");
    let answering = Answering::start_with_nats(&url).await;
    let mut crowd = Crowd::gather(&mut answering.client(), 2).await;
    let mut nats = Nats::start(port);
    let relay = connect(&url, "relay").await;
    crowd.talk(&relay, 5).await;
    for _ in 0..3 {
        nats.kill();
        nats.start_again();
        crowd.talk(&relay, 5).await;
    }
    crowd.check(&answering.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_by_another_relay_after_an_outage_is_known() {
    let (mut nats, url) = nats();
    let scratch = Arc::new(scratch::sqlite());
    let answering = start(&scratch, &url).await;
    let mut client = answering.client();
    let scope = meeting(&mut client).await;
    let mut bob = Actor::join(&mut client, &scope, "bob").await;
    let relay = connect(&url, "relay").await;
    let operations: Vec<_> = (0..10)
        .map(|number| {
            let operation = bob.operation(say(number));
            (operation.operation_id.clone(), bob.sign(&operation))
        })
        .collect();
    for (_, signed) in &operations {
        publish(&relay, &scope, signed).await;
    }
    answering.kill().await;
    nats.kill();
    nats.start_again();
    let answering = start(&scratch, &url).await;
    let other = connect(&url, "another relay").await;
    for (_, signed) in &operations {
        publish_bytes(&other, &scope, signed.encode_to_vec().into()).await;
    }
    let last = bob.act(&other, say(10)).await;
    answer(&answering.client(), &scope, &last).await;
    let log = log(&mut answering.client(), &scope).await;
    let ids: Vec<_> = operations.iter().map(|(id, _)| id.as_str()).chain([last.as_str()]).collect();
    assert_eq!(causes(&log), ids);
}
