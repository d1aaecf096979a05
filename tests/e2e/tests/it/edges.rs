//! Relays that are attached to others: everything goes through them, and what breaks comes back.

use std::time::Duration;

use tributary_contracts::event::v1::meeting_event::Body as Happened;
use tributary_harness::proxy::Proxy;
use tributary_harness::{EdgeOptions, Options, Parent, RelayOptions, Service, is_attached, wait};
use tributary_terminal::{
    Account, IdentitySource, MeetingTarget, OperationBody, Options as TerminalOptions, Person,
    Snapshot, Target, Terminal,
};

use crate::meeting::Meeting;
use crate::room::{Room, knows};

/// How long it may take until all is as it was.
pub const RECOVERED: Duration = Duration::from_secs(40);

pub fn cloud(edges: Vec<EdgeOptions>) -> Options {
    let relays = vec![RelayOptions::named("Cloud")];
    Options { relays, edges, uplinks: true, ..Options::default() }
}

/// A relay below the core, and one below that.
pub fn chain() -> Options {
    cloud(vec![
        EdgeOptions::below("Office A", Parent::Relay(0)),
        EdgeOptions::below("Room 3", Parent::Edge(0)),
    ])
}

pub async fn guest_at(room: &Room, urls: &[String], name: &str) -> Terminal {
    let who = IdentitySource::Guest { display_name: name.to_owned() };
    let target = MeetingTarget::Existing(Target::new(room.id));
    let options = TerminalOptions {
        media: false,
        record_events: true,
        other_relay_urls: urls[1..].to_vec(),
        ..TerminalOptions::new(&urls[0], who, target)
    };
    Terminal::join(options).await.unwrap()
}

pub fn named<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Person> {
    snapshot.roster.values().find(|person| person.display_name == name)
}

fn texts(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.chat.iter().map(|line| line.text.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_at_three_relays_in_a_chain_hear_each_other_and_nobody_themselves() {
    let mut meeting = Meeting::start_with(chain(), &[0]).await;
    for edge in [0, 1, 1] {
        let url = meeting.world.edge_url(edge).unwrap();
        meeting.join_by(&url).await;
    }
    meeting.everybody_is_in_once().await;
    for speakers in [&[0][..], &[1], &[2], &[3], &[0, 2], &[2, 3], &[0, 1, 3]] {
        meeting.speak(speakers).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_do_behind_a_chain_is_seen_by_all_with_group_and_depth() {
    let room = Room::open_in(chain()).await;
    let host = room.host(0).await;
    let urls = [room.world.edge_url(0).unwrap(), room.world.edge_url(1).unwrap()];
    let grace = guest_at(&room, &urls[..1], "Grace").await;
    let linus = guest_at(&room, &urls[1..], "Linus").await;
    for terminal in [&host, &grace, &linus] {
        let known = knows(terminal, |snapshot| snapshot.roster.len() == 3).await;
        for (name, group, way) in [
            ("Ada", "Cloud", &[][..]),
            ("Grace", "Office A", &["Office A"][..]),
            ("Linus", "Room 3", &["Office A", "Room 3"][..]),
        ] {
            let person = named(&known, name).unwrap();
            assert_eq!(person.relay_name, group, "{name}");
            assert_eq!(person.relay_path, way, "{name}");
            assert_eq!(person.relay_depth as usize, way.len(), "{name}");
            assert!(!person.unreachable && !person.relay_itself);
        }
    }
    let groups = room.directory.groups(&room.id.to_string()).await.unwrap();
    let mut depths: Vec<_> = groups
        .iter()
        .map(|group| (group.relay_depth, group.relay_name.as_str(), group.relay_path.join(" > ")))
        .collect();
    depths.sort_unstable();
    let expected =
        [(0, "Cloud", ""), (1, "Office A", "Office A"), (2, "Room 3", "Office A > Room 3")];
    assert_eq!(depths, expected.map(|(depth, name, way)| (depth, name, way.to_owned())));

    linus.chat("from the room", &[]).await.unwrap();
    host.chat("from the cloud", &[]).await.unwrap();
    grace.chat("for Linus alone", &[linus.participant_id()]).await.unwrap();
    let all = |snapshot: &Snapshot| snapshot.chat.len() == 3;
    assert_eq!(
        texts(&knows(&linus, all).await),
        ["from the room", "from the cloud", "for Linus alone"]
    );
    let two = |snapshot: &Snapshot| snapshot.chat.len() == 2;
    assert_eq!(texts(&knows(&host, two).await), ["from the room", "from the cloud"]);
    linus.leave().await;
    knows(&host, |snapshot| snapshot.roster.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_through_a_chain_both_ways() {
    let room = Room::open_in(chain()).await;
    let (user, far) = (&room.organiser, room.world.edge_url(1).unwrap());
    let account = Account::logged_in(&far, &user.user_name, &user.password).await.unwrap();
    // Larger than what goes in one piece, and than what is on its way at once.
    let content: Vec<u8> = (0..700_000_u32).map(|number| (number * 31 / 7) as u8).collect();
    let file = account.attach(room.id, "plan.bin", "application/octet-stream", content.clone());
    let file = file.await.unwrap();
    assert_eq!(file.size, content.len() as u64);
    for url in [far, room.world.relay_url(0).unwrap()] {
        let reader = account.at(&url).await.unwrap();
        let read = reader.attachment(room.id, &file.attachment_id).await.unwrap();
        assert!(read.data == content, "by {url}");
    }
    let stranger = Account::guest(&room.world.edge_url(1).unwrap(), "Mallory").await.unwrap();
    assert!(stranger.attach(room.id, "x", "text/plain", "x").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_lost_uplink_everything_is_done_once_in_one_stay() {
    let mut room = Room::open_in(cloud(Vec::new())).await;
    let uplink = room.world.uplink_address(Parent::Relay(0)).unwrap();
    let proxy = Proxy::to(uplink).await.unwrap();
    let below = EdgeOptions::below("Office A", Parent::At(proxy.address()));
    let edge = room.world.add_edge(below).await.unwrap();
    let host = room.host(0).await;
    let grace = guest_at(&room, &[room.world.edge_url(edge).unwrap()], "Grace").await;
    knows(&host, |snapshot| snapshot.roster.len() == 2).await;

    proxy.cut();
    let mut done = Vec::new();
    for text in ["one", "two", "three"] {
        let chat = tributary_contracts::operation::v1::SendChat {
            text: text.to_owned(),
            to_participant_ids: Vec::new(),
        };
        done.push(grace.submit(OperationBody::SendChat(chat)).unwrap());
    }
    host.chat("meanwhile", &[]).await.unwrap();
    let away = |snapshot: &Snapshot| named(snapshot, "Grace").is_some_and(|one| one.unreachable);
    let known = knows(&host, away).await;
    assert!(!named(&known, "Grace").unwrap().is_online());
    proxy.mend();
    for chat in done {
        tokio::time::timeout(RECOVERED, chat.outcome()).await.unwrap().unwrap();
    }
    knows(&host, |snapshot| named(snapshot, "Grace").is_some_and(|one| !one.unreachable)).await;
    for terminal in [&host, &grace] {
        let known = knows(terminal, |snapshot| snapshot.chat.len() == 4).await;
        assert_eq!(texts(&known), ["meanwhile", "one", "two", "three"]);
        assert_eq!((known.repeated_events, known.connections), (0, 1));
    }
    let attendance = room.directory.attendance(&room.id.to_string()).await.unwrap();
    assert!(attendance.iter().all(|one| one.stays.len() == 1), "{attendance:?}");
    let log = room.log().await;
    assert!(!log.iter().any(|event| matches!(event.body, Some(Happened::Left(_)))), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_comes_back_with_the_uplink_and_stays_in_the_office_meanwhile() {
    let mut meeting = Meeting::start_with(cloud(Vec::new()), &[0]).await;
    let uplink = meeting.world.uplink_address(Parent::Relay(0)).unwrap();
    let proxy = Proxy::to(uplink).await.unwrap();
    let below = EdgeOptions::below("Office A", Parent::At(proxy.address()));
    let edge = meeting.world.add_edge(below).await.unwrap();
    let url = meeting.world.edge_url(edge).unwrap();
    for _ in 0..2 {
        meeting.join_by(&url).await;
    }
    meeting.speak(&[1]).await;
    proxy.cut();
    // Who is outside hears nothing any more; inside they go on.
    wait::until("the office to hear itself, and nobody else to hear it", RECOVERED, || async {
        let heard: Vec<_> = meeting.voices.iter().map(|voice| voice.hears_now()).collect();
        heard[2][1] == Some(true) && heard[0][1] == Some(false) && heard[1][1] == Some(false)
    })
    .await
    .unwrap();
    proxy.mend();
    meeting.hears(&[1], RECOVERED).await;
    meeting.speak(&[0]).await;
    assert!(meeting.voices.iter().all(|voice| voice.terminal().snapshot().connections == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_another_way_takes_it_when_nothing_is_held_any_more_and_who_has_none_stays() {
    let options = cloud(Vec::new()).configured("[relay.uplink]\nhold_seconds = 5").unwrap();
    let mut meeting = Meeting::start_with(options, &[0]).await;
    let uplink = meeting.world.uplink_address(Parent::Relay(0)).unwrap();
    let proxy = Proxy::to(uplink).await.unwrap();
    let below = EdgeOptions::below("Office A", Parent::At(proxy.address()));
    let edge = meeting.world.add_edge(below).await.unwrap();
    let url = meeting.world.edge_url(edge).unwrap();
    for _ in 0..2 {
        meeting.join_by(&url).await;
    }
    let who = IdentitySource::Guest { display_name: "Grace".to_owned() };
    let target = MeetingTarget::Existing(Target::new(meeting.id.parse().unwrap()));
    let grace = Terminal::join(TerminalOptions {
        media: false,
        other_relay_urls: vec![meeting.world.relay_url(0).unwrap()],
        ..TerminalOptions::new(&url, who, target)
    })
    .await
    .unwrap();
    let before = grace.participant_id();
    meeting.speak(&[1]).await;
    proxy.cut();
    let cut_off = |snapshot: &Snapshot| snapshot.uplink_lost && snapshot.connections == 1;
    grace.wait_until(cut_off, RECOVERED).await.unwrap();
    for voice in &meeting.voices[1..] {
        voice.terminal().wait_until(cut_off, RECOVERED).await.unwrap();
    }
    let moved = |snapshot: &Snapshot| {
        snapshot.connected && snapshot.connections == 2 && !snapshot.uplink_lost
    };
    grace.wait_until(moved, RECOVERED).await.unwrap();
    let by_core =
        |snapshot: &Snapshot| named(snapshot, "Grace").is_some_and(|one| one.relay_name == "Cloud");
    grace.wait_until(by_core, RECOVERED).await.unwrap();
    assert_eq!(grace.participant_id(), before);
    wait::until("the office to hear itself, and nobody else to hear it", RECOVERED, || async {
        let heard: Vec<_> = meeting.voices.iter().map(|voice| voice.hears_now()).collect();
        heard[2][1] == Some(true) && heard[0][1] == Some(false) && heard[1][1] == Some(false)
    })
    .await
    .unwrap();
    for voice in &meeting.voices[1..] {
        assert!(cut_off(&voice.terminal().snapshot()));
    }
    proxy.mend();
    meeting.hears(&[1], RECOVERED).await;
    assert!(meeting.voices.iter().all(|voice| !voice.terminal().snapshot().uplink_lost));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_relay_dies_its_terminals_come_back_by_another_one() {
    let siblings = cloud(vec![
        EdgeOptions::below("Office A", Parent::Relay(0)),
        EdgeOptions::below("Office B", Parent::Relay(0)),
    ]);
    let mut room = Room::open_in(siblings).await;
    let host = room.host(0).await;
    let urls = [0, 1].map(|edge| room.world.edge_url(edge).unwrap());
    let grace = guest_at(&room, &urls, "Grace").await;
    let before = grace.participant_id();
    knows(&host, |snapshot| snapshot.roster.len() == 2).await;
    room.world.kill(Service::Edge(0)).await.unwrap();
    grace.chat("on my way", &[]).await.unwrap();
    let known = knows(&host, |snapshot| {
        named(snapshot, "Grace").is_some_and(|one| one.relay_name == "Office B")
    })
    .await;
    assert_eq!(texts(&known), ["on my way"]);
    assert_eq!((grace.participant_id(), known.roster.len()), (before, 2));
    // The one that died comes back with the identity that it has.
    room.world.start_service(Service::Edge(0)).await.unwrap();
    room.world.edge_attached(0).await.unwrap();
    let linus = guest_at(&room, &urls, "Linus").await;
    let by = knows(&host, |snapshot| named(snapshot, "Linus").is_some()).await;
    assert_eq!(named(&by, "Linus").unwrap().relay_name, "Office A");
    drop(linus);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_parent_is_gone_goes_to_its_second_one() {
    let mut options = cloud(Vec::new());
    options.relays.push(RelayOptions::named("Cloud 2"));
    let mut below = EdgeOptions::below("Office A", Parent::Relay(0));
    below.parents.push(Parent::Relay(1));
    options.edges.push(below);
    let mut room = Room::open_in(options).await;
    let host = room.host(1).await;
    let grace = guest_at(&room, &[room.world.edge_url(0).unwrap()], "Grace").await;
    let before = grace.participant_id();
    room.world.kill(Service::Relay(0)).await.unwrap();
    grace.chat("still here", &[]).await.unwrap();
    let all = |snapshot: &Snapshot| snapshot.chat.len() == 1 && snapshot.roster.len() == 2;
    host.wait_until(all, RECOVERED).await.unwrap();
    assert_eq!(grace.participant_id(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_relay_is_cut_off_and_says_so_and_may_be_allowed_again() {
    let mut room =
        Room::open_in(cloud(vec![EdgeOptions::below("Office A", Parent::Relay(0))])).await;
    let host = room.host(0).await;
    let urls = [room.world.edge_url(0).unwrap(), room.world.relay_url(0).unwrap()];
    let grace = guest_at(&room, &urls, "Grace").await;
    let relay_id = room.world.edge_id(0).unwrap();
    room.directory.revoke_relay(&relay_id).await.unwrap();
    let said = wait::until_some("the relay to say that it is cut off", RECOVERED, || async {
        let status = room.world.edge_status(0).await.ok()?;
        let error = status.get("last_error")?.as_str()?.to_owned();
        (!is_attached(&status) && !error.is_empty()).then_some(error)
    })
    .await
    .unwrap();
    assert!(!said.is_empty());
    let relays = room.directory.relays().await.unwrap();
    let relay = relays.iter().find(|relay| relay.relay_id == relay_id).unwrap();
    assert!(relay.revoked_at.is_some() && relay.enrolled_at.is_some(), "{relay:?}");
    // Whoever was behind it comes in by itself where it may.
    let known = host
        .wait_until(
            |snapshot| named(snapshot, "Grace").is_some_and(|one| one.relay_name == "Cloud"),
            RECOVERED,
        )
        .await
        .unwrap();
    assert_eq!(known.roster.len(), 2);
    drop(grace);
    room.world.allow_again(0).await.unwrap();
    room.world.edge_attached(0).await.unwrap();
    guest_at(&room, &urls[..1], "Linus").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_in_a_room_hears_the_room_and_settings_change_at_once() {
    let edge = EdgeOptions::below("Room 3", Parent::Relay(0)).in_a_room();
    let mut meeting = Meeting::start_with(cloud(vec![edge]), &[0]).await;
    let url = meeting.world.edge_url(0).unwrap();
    for _ in 0..2 {
        meeting.join_by(&url).await;
    }
    meeting.set_speakers(&[1]);
    wait::until("who is outside to hear the room, and nobody in it", RECOVERED, || async {
        let heard: Vec<_> = meeting.voices.iter().map(|voice| voice.hears_now()).collect();
        heard[0][1] == Some(true) && heard[1][1] == Some(false) && heard[2][1] == Some(false)
    })
    .await
    .unwrap();
    let update = tributary_contracts::admin::v1::UpdateRelayRequest {
        relay_id: meeting.world.edge_id(0).unwrap(),
        room: Some(false),
        ..Default::default()
    };
    meeting.directory.update_relay(update).await.unwrap();
    meeting.hears(&[1], RECOVERED).await;
}
