//! Meetings and participants with more to do than others: what they do holds up nobody else.

use std::{sync::Arc, time::Duration};

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, Statement, TransactionTrait as _,
};
use tributary_contracts::operation::v1::{SendChat, SetHand, operation::Body};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_meeting_registry_core::Act;
use tributary_meeting_registry_server::{Config, Operated};
use tributary_message_bus::{ControlBus, subjects::MeetingScope};
use tributary_service_runtime::{CancellationToken, Readiness};

use crate::{
    Base,
    actor::{Actor, Client, answer, causes, log, meeting},
    acts::{operate, received, with_three_in},
    calls::Answering,
    nats::{Nats, connect, free_port},
    on_both,
};

on_both!(whether_an_operation_waits_still_is_seen_without_writing);

/// Far less than it takes until an operation is not waited for, or the database counts as away.
const SOON: Duration = Duration::from_secs(8);

fn say(text: &str) -> Body {
    Body::SendChat(SendChat { text: text.into(), to_participant_ids: Vec::new() })
}

/// A registry on PostgreSQL, where a meeting can be held while others go on.
struct Stage {
    client: Client,
    relay: ControlBus,
    base: DatabaseConnection,
    _answering: Answering,
    _nats: Nats,
}

impl Stage {
    async fn set() -> Self {
        let port = free_port();
        let nats = Nats::start(port);
        let url = format!("nats://127.0.0.1:{port}");
        let scratch = Arc::new(scratch::postgres().await);
        let base = open(&scratch).await;
        let database = scratch.config().clone();
        let answering = Answering::start_on(scratch, database, &url, Config::default()).await;
        let relay = connect(&url, "relay").await;
        Self { client: answering.client(), relay, base, _answering: answering, _nats: nats }
    }

    /// Nobody else writes anything about a meeting as long as the transaction lives.
    async fn hold(&self, scope: &MeetingScope) -> DatabaseTransaction {
        let holding = self.base.begin().await.unwrap();
        let id = scope.meeting.to_i64();
        let take = format!("SELECT id FROM registry_meeting WHERE id = {id} FOR UPDATE");
        holding.execute_unprepared(&take).await.unwrap();
        holding
    }

    /// How many want to write and have to wait for somebody else.
    async fn held_up(&self) -> i64 {
        let query = "SELECT COUNT(*) AS number FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let query = Statement::from_string(self.base.get_database_backend(), query);
        self.base.query_one_raw(query).await.unwrap().unwrap().try_get("", "number").unwrap()
    }

    /// Whether in a time in which all that wait are looked at nobody wants to write.
    async fn nobody_is_held_up(&self, scope: &MeetingScope) -> bool {
        // In between there is time for those that have not been looked at.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let holding = self.hold(scope).await;
        let mut nobody = true;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            nobody &= self.held_up().await == 0;
        }
        holding.rollback().await.unwrap();
        nobody
    }

    async fn answered_soon(&self, scope: &MeetingScope, operation: &str) {
        let answered = answer(&self.client, scope, operation);
        let answered = tokio::time::timeout(SOON, answered).await;
        assert!(answered.is_ok(), "{operation} waits for others");
    }
}

async fn open(scratch: &ScratchDatabase) -> DatabaseConnection {
    let readiness = Readiness::new().dependency("database");
    let shutdown = CancellationToken::new();
    let service = "meeting-registry";
    tributary_database::connect(scratch.config(), service, &readiness, &shutdown).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_with_much_to_do_takes_no_place_of_others_and_keeps_its_order() {
    let mut stage = Stage::set().await;
    let (busy, other) = (meeting(&mut stage.client).await, meeting(&mut stage.client).await);
    let mut actors = Vec::new();
    for user in 0..10 {
        actors.push(Actor::join(&mut stage.client, &busy, &format!("user-{user}")).await);
    }
    let mut ann = Actor::join(&mut stage.client, &other, "ann").await;
    let holding = stage.hold(&busy).await;
    let mut said = vec![Vec::new(); actors.len()];
    for number in 0..20 {
        for (actor, said) in actors.iter_mut().zip(&mut said) {
            said.push(actor.act(&stage.relay, say(&format!("{number}"))).await);
        }
    }
    let hand = ann.act(&stage.relay, Body::SetHand(SetHand { raised: true })).await;
    stage.answered_soon(&other, &hand).await;
    holding.rollback().await.unwrap();
    for said in &said {
        answer(&stage.client, &busy, said.last().unwrap()).await;
    }
    let log = log(&mut stage.client.clone(), &busy).await;
    for (actor, said) in actors.iter().zip(&said) {
        let mut theirs = log.clone();
        theirs.retain(|event| {
            event.cause.as_ref().is_some_and(|cause| cause.participant_id == actor.participant)
        });
        assert_eq!(causes(&theirs), *said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_out_numbers_keeps_few_waiting_and_holds_up_nobody_by_that() {
    let mut stage = Stage::set().await;
    let scope = meeting(&mut stage.client).await;
    let mut bob = Actor::join(&mut stage.client, &scope, "bob").await;
    let mut every_second = async |times: usize| {
        let mut ids = Vec::new();
        for _ in 0..times {
            bob.sequence += 1;
            ids.push(bob.act(&stage.relay, say("again")).await);
        }
        ids
    };
    let ids = every_second(40).await;
    // Each is looked at in earnest once; from then on nobody writes to see that it waits still.
    let mut looks = 0;
    while !stage.nobody_is_held_up(&scope).await {
        looks += 1;
        assert!(looks < 6, "who waits writes again and again");
    }
    assert_eq!(causes(&log(&mut stage.client.clone(), &scope).await), [""; 0]);
    // So many wait; one more does not, and those before it are overtaken.
    every_second(260).await;
    stage.answered_soon(&scope, &ids[0]).await;
}

async fn whether_an_operation_waits_still_is_seen_without_writing(base: Base) {
    let meeting = with_three_in(&base).await;
    let waits = async |who: &_| base.store.waits_still(&meeting, who).await.unwrap();
    let (first, third) = (received(2, 1, Act::CheckIn), received(2, 3, Act::CheckIn));
    assert_eq!(operate(&base, &meeting, &third).await, Operated::Wait);
    let another = open(&base.scratch).await;
    let holding = another.begin().await.unwrap();
    let id = meeting.meeting.to_i64();
    let take = format!("UPDATE registry_meeting SET next_event = next_event WHERE id = {id}");
    holding.execute_unprepared(&take).await.unwrap();
    assert!(waits(&third).await, "while somebody else writes");
    assert!(!waits(&first).await);
    holding.rollback().await.unwrap();
    let mut theirs = third.clone();
    theirs.key = "key-3".parse().unwrap();
    assert!(!waits(&theirs).await, "nobody's");
    theirs = third.clone();
    theirs.operation.session = "another".parse().unwrap();
    assert!(!waits(&theirs).await, "of another session");
    for number in [1, 2] {
        let one = received(2, number, Act::CheckIn);
        assert!(matches!(operate(&base, &meeting, &one).await, Operated::Answered(_)));
    }
    assert!(!waits(&third).await, "its turn has come");
}
