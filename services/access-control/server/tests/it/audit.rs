//! Every decision is written down, and what is secret is not.

use sea_orm::{ConnectionTrait as _, Database, Statement};
use tonic::Code;
use tributary_access_control_server::Config;
use tributary_contracts::{
    access::v1::{Action, CreateShareRequest, DecideRequest, Reason, Role},
    admin::v1::ListDecisionsRequest,
};
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    registry::{FakeMeeting, timestamp},
    world::{
        DAY, MEETING, MEMBER, ORGANISER, OTHER_MEETING, OUTSIDER, World, eventually, generous,
        join, join_as_guest, lasting, link, meeting, password_hash, read, share,
    },
};

async fn decisions_are_listed_newest_first_as_asked_for(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    world.join(MEMBER, "").await;
    world.pass(DAY);
    world.reason(read(MEMBER)).await;
    world.reason(join_as_guest("guest-1", "key-1", "2001:db8::7")).await;
    let elsewhere = DecideRequest { organisation: "other".to_owned(), ..join(OUTSIDER, "") };
    world.reason(elsewhere).await;
    world.reason(DecideRequest { meeting_id: OTHER_MEETING.to_owned(), ..join(MEMBER, "") }).await;
    let all = world.audited(4).await;
    let facts: Vec<_> =
        all.iter().map(|d| (d.user_id.as_str(), d.action(), d.reason(), d.role())).collect();
    assert_eq!(
        facts,
        [
            (MEMBER, Action::Join, Reason::Absent, Role::Outsider),
            ("guest-1", Action::Join, Reason::NotShared, Role::Outsider),
            (MEMBER, Action::Read, Reason::Member, Role::Member),
            (MEMBER, Action::Join, Reason::Member, Role::Member),
        ]
    );
    let guest = &all[1];
    assert_eq!((guest.guest, guest.allowed), (true, false));
    assert_eq!(
        (guest.client_id.as_str(), guest.client_prefix.as_str()),
        ("key-1", "2001:db8::/64")
    );
    assert_eq!((guest.meeting_id.as_str(), guest.at), (MEETING, Some(timestamp(world.now()))));

    let count = async |request: ListDecisionsRequest| {
        let answer = world.audit.clone().list_decisions(request).await;
        answer.unwrap().into_inner().decisions.len()
    };
    let any = ListDecisionsRequest::default;
    assert_eq!(count(ListDecisionsRequest { user_id: MEMBER.to_owned(), ..any() }).await, 3);
    assert_eq!(count(ListDecisionsRequest { meeting_id: MEETING.to_owned(), ..any() }).await, 3);
    assert_eq!(count(ListDecisionsRequest { refused_only: true, ..any() }).await, 2);
    assert_eq!(count(ListDecisionsRequest { organisation: "other".to_owned(), ..any() }).await, 1);
    let now = Some(timestamp(world.now()));
    assert_eq!(count(ListDecisionsRequest { since: now, ..any() }).await, 3);
    assert_eq!(count(ListDecisionsRequest { until: now, ..any() }).await, 1);
}

async fn who_shares_and_who_may_not_is_written_down(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    let (_, share_id) = world.share().await;
    world.revoke(&share_id).await.unwrap();
    for (meeting, user) in [(MEETING, MEMBER), (OTHER_MEETING, ORGANISER)] {
        let (meeting_id, user_id) = (meeting.to_owned(), user.to_owned());
        let request = CreateShareRequest { meeting_id, user_id, ..link() };
        share(&world.access, request).await.unwrap_err();
    }
    let all = world.audited(4).await;
    let facts: Vec<_> = all
        .iter()
        .rev()
        .map(|d| (d.user_id.as_str(), d.action(), d.allowed, d.reason(), d.role()))
        .collect();
    assert_eq!(
        facts,
        [
            (ORGANISER, Action::Share, true, Reason::Member, Role::Organiser),
            (ORGANISER, Action::Share, true, Reason::Member, Role::Organiser),
            (MEMBER, Action::Share, false, Reason::NotAHost, Role::Member),
            (ORGANISER, Action::Share, false, Reason::Absent, Role::Outsider),
        ]
    );
    let asked = DecideRequest { action: Action::Share.into(), ..join(MEMBER, "") };
    assert_eq!(world.ask(asked).await.unwrap_err().code(), Code::InvalidArgument);
}

async fn pages_follow_each_other_without_gap(database: ScratchDatabase) {
    let world = World::start(&database, lasting()).await;
    for _ in 0..7 {
        world.join(MEMBER, "").await;
    }
    let all: Vec<_> = world.audited(7).await.into_iter().map(|d| d.decision_id).collect();
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListDecisionsRequest { page_size: 3, page_token, ..Default::default() };
        let page = world.audit.clone().list_decisions(request).await.unwrap().into_inner();
        assert!(page.decisions.len() <= 3);
        found.extend(page.decisions.into_iter().map(|d| d.decision_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, all);
}

async fn what_was_decided_is_written_before_the_process_ends(database: ScratchDatabase) {
    let mut world = World::start(&database, lasting()).await;
    for _ in 0..20 {
        world.join(MEMBER, "").await;
    }
    world.restart(&database, lasting()).await;
    let request = ListDecisionsRequest::default();
    let found = world.audit.clone().list_decisions(request).await.unwrap().into_inner();
    assert_eq!(found.decisions.len(), 20);
}

on_both_databases!(
    decisions_are_listed_newest_first_as_asked_for,
    who_shares_and_who_may_not_is_written_down,
    pages_follow_each_other_without_gap,
    what_was_decided_is_written_before_the_process_ends,
);

/// Passwords and secrets of links, searched for in every row of every table.
#[tokio::test]
async fn no_secret_is_kept_anywhere() {
    let database = scratch::sqlite();
    let world = World::start(&database, generous()).await;
    let password_hash = password_hash().await;
    world.registry.put(MEETING, FakeMeeting { password_hash, ..meeting() });
    let (secret, _) = world.share().await;
    let typed = "canary-password";
    let share_secret = secret.clone();
    let request = DecideRequest { share_secret, ..join(OUTSIDER, typed) };
    assert_eq!(world.reason(request).await, Reason::WrongPassword);
    world.audited(2).await;
    let folder = database.config().url.expose().trim_start_matches("sqlite:").to_owned();
    let connection = Database::connect(format!("sqlite:{folder}/access-control.db")).await.unwrap();
    let backend = connection.get_database_backend();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let tables = connection.query_all_raw(Statement::from_string(backend, tables)).await.unwrap();
    assert!(tables.len() >= 5, "{}", tables.len());
    for table in tables {
        let table: String = table.try_get("", "name").unwrap();
        let select = Statement::from_string(backend, format!("SELECT * FROM \"{table}\""));
        let rows = connection.query_all_raw(select).await.unwrap();
        let text = format!("{rows:?}");
        for hidden in [typed, secret.as_str()] {
            assert!(!text.contains(hidden), "{hidden} in {table}");
        }
    }
    let files = std::fs::read_dir(&folder).unwrap();
    for file in files {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        for hidden in [typed, secret.as_str()] {
            let found = content.windows(hidden.len()).any(|bytes| bytes == hidden.as_bytes());
            assert!(!found, "{hidden} in a file");
        }
    }
}

#[tokio::test]
async fn malformed_searches_are_refused() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    let any = ListDecisionsRequest::default;
    for request in [
        ListDecisionsRequest { page_size: -1, ..any() },
        ListDecisionsRequest { page_token: "x".to_owned(), ..any() },
        ListDecisionsRequest { meeting_id: "x".to_owned(), ..any() },
        ListDecisionsRequest { user_id: "a b".to_owned(), ..any() },
        ListDecisionsRequest { organisation: "*".to_owned(), ..any() },
    ] {
        let status = world.audit.clone().list_decisions(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}");
    }
}

#[tokio::test]
async fn old_decisions_are_removed() {
    let database = scratch::sqlite();
    let config = Config { audit_days: 1, ..lasting() };
    let mut world = World::start(&database, config.clone()).await;
    world.join(MEMBER, "").await;
    world.audited(1).await;
    world.pass(DAY * 2);
    world.restart(&database, config.clone()).await;
    // The first clean-up is done with the clock's beginning; the one of the next start is not.
    let replica = world.replica(&database, config).await;
    eventually("the decision is removed", async || {
        let request = ListDecisionsRequest::default();
        let answer = replica.audit.clone().list_decisions(request).await.unwrap().into_inner();
        answer.decisions.is_empty()
    })
    .await;
}
