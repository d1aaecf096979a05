//! A relay that is in a meeting itself: it heads its group, and its status page shows who is there.

use serde_json::Value;
use tributary_contracts::admin::v1::CreateMeetingRequest;
use tributary_contracts::operation::v1::RemoveParticipant;
use tributary_harness::directory::ORGANISATION;
use tributary_harness::proxy::Proxy;
use tributary_harness::{EdgeOptions, Parent, wait};
use tributary_terminal::{
    IdentitySource, MeetingTarget, OperationBody, Options as TerminalOptions, Snapshot, Target,
    Terminal,
};

use crate::edges::{RECOVERED, chain, cloud, guest_at};
use crate::meeting::Meeting;
use crate::room::{Room, knows};

/// What a relay shows of its meeting, once that is as expected.
async fn shows(room: &Room, edge: usize, expected: impl Fn(&Value) -> bool) -> Value {
    let looked = wait::until_some("the relay to show its meeting", RECOVERED, || async {
        let status = room.world.edge_status(edge).await.ok()?;
        let meeting = status.get("meeting")?.clone();
        expected(&meeting).then_some(meeting)
    })
    .await;
    match looked {
        Ok(meeting) => meeting,
        Err(error) => panic!("{error:#}: {}", room.world.edge_status(edge).await.unwrap()),
    }
}

fn stands(meeting: &Value, standing: &str) -> bool {
    meeting["standing"] == standing
}

/// The names at a relay, in the order in which they are shown.
fn names(group: &Value) -> Vec<&str> {
    let people = group["people"].as_array().into_iter().flatten();
    people.filter_map(|someone| someone["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_in_a_meeting_heads_its_group_shows_the_meeting_and_comes_back() {
    let mut room = Room::open_in(cloud(Vec::new())).await;
    let host = room.host(0).await;
    let uplink = room.world.uplink_address(Parent::Relay(0)).unwrap();
    let proxy = Proxy::to(uplink).await.unwrap();
    let link = room.directory.share_link(&room.organiser, &room.id.to_string()).await.unwrap().url;
    let device = EdgeOptions::below("Room 3", Parent::At(proxy.address())).in_meeting(&link);
    let edge = room.world.add_edge(device).await.unwrap();
    let grace = guest_at(&room, &[room.world.edge_url(edge).unwrap()], "Grace").await;

    let known = knows(&host, |snapshot| snapshot.roster.len() == 3).await;
    let own: Vec<_> = known.roster.values().filter(|person| person.relay_itself).collect();
    let [own] = own[..] else { panic!("{:?}", known.roster) };
    assert_eq!((own.display_name.as_str(), own.relay_name.as_str()), ("Room 3", "Room 3"));
    assert!(own.muted && own.guest && own.relay_depth == 1);

    host.raise_hand(true).await.unwrap();
    let meeting = shows(&room, edge, |meeting| {
        stands(meeting, "in") && meeting["groups"][1]["people"][0]["hand"] == 1
    })
    .await;
    assert_eq!((&meeting["subject"], &meeting["people"]), (&"Room".into(), &2.into()));
    let [here, cloud] = &meeting["groups"].as_array().unwrap()[..] else { panic!("{meeting}") };
    assert_eq!((&here["own"], &here["relay_name"]), (&true.into(), &"Room 3".into()));
    assert_eq!(names(here), ["Room 3", "Grace"]);
    let itself = [&here["people"][0]["itself"], &here["people"][1]["itself"]];
    assert_eq!(itself, [&Value::Bool(true), &Value::Bool(false)]);
    assert_eq!((cloud["own"].clone(), names(cloud)), (false.into(), vec!["Ada"]));
    assert_eq!(cloud["people"][0]["host"], true);

    proxy.cut();
    shows(&room, edge, |meeting| stands(meeting, "lost") && meeting["people"] == 2).await;
    proxy.mend();
    shows(&room, edge, |meeting| stands(meeting, "in")).await;
    let again = |snapshot: &Snapshot| {
        snapshot.roster.values().filter(|one| one.relay_itself && !one.unreachable).count() == 1
    };
    let known = host.wait_until(again, RECOVERED).await.unwrap();
    assert!(known.roster[&own.participant_id].relay_itself, "it is the same one");

    grace.leave().await;
    shows(&room, edge, |meeting| meeting["people"] == 1).await;
    room.directory.end_meeting(&room.id.to_string()).await.unwrap();
    let meeting = shows(&room, edge, |meeting| stands(meeting, "over")).await;
    assert_eq!(meeting["groups"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_not_let_in_says_so_and_serves_others_all_the_same() {
    let mut room = Room::open_in(cloud(Vec::new())).await;
    let closed = room.directory.meeting(&room.organiser, "Closed", false).await.unwrap();
    let link = format!("https://meet.example/#/m/{closed}");
    let device = EdgeOptions::below("Room 3", Parent::Relay(0)).in_meeting(&link);
    let edge = room.world.add_edge(device).await.unwrap();
    let meeting = shows(&room, edge, |meeting| stands(meeting, "not-admitted")).await;
    assert!(meeting["words"].as_str().unwrap().contains("--join"), "{meeting}");
    assert_eq!((&meeting["subject"], &meeting["people"]), (&"".into(), &0.into()));
    let grace = guest_at(&room, &[room.world.edge_url(edge).unwrap()], "Grace").await;
    assert_eq!(grace.snapshot().roster.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_waits_in_the_lobby_and_does_not_come_back_when_it_is_sent_out() {
    let mut room = Room::open_in(cloud(Vec::new())).await;
    let meeting = CreateMeetingRequest {
        organisation: ORGANISATION.to_owned(),
        subject: "Board".to_owned(),
        organiser_user_id: room.organiser.user_id.clone(),
        lobby: true,
        ..Default::default()
    };
    let id = room.directory.create_meeting(meeting).await.unwrap();
    let link = room.directory.share_link(&room.organiser, &id).await.unwrap().url;
    let device = EdgeOptions::below("Room 3", Parent::Relay(0)).in_meeting(&link);
    let edge = room.world.add_edge(device).await.unwrap();
    let waiting = shows(&room, edge, |meeting| stands(meeting, "lobby")).await;
    assert_eq!((&waiting["subject"], &waiting["groups"]), (&"".into(), &Value::Array(Vec::new())));

    let who = IdentitySource::LogIn {
        user_name: room.organiser.user_name.clone(),
        password: room.organiser.password.clone(),
    };
    let target = MeetingTarget::Existing(Target::new(id.parse().unwrap()));
    let url = room.world.relay_url(0).unwrap();
    let options = TerminalOptions { media: false, ..TerminalOptions::new(url, who, target) };
    let host = Terminal::join(options).await.unwrap();
    let device = |snapshot: &Snapshot| {
        snapshot.roster.values().find(|one| one.relay_itself).map(|one| one.participant_id)
    };
    let known = knows(&host, |snapshot| device(snapshot).is_some()).await;
    let device = device(&known).unwrap();
    host.admit(device, true).await.unwrap();
    let inside = shows(&room, edge, |meeting| stands(meeting, "in")).await;
    assert_eq!((&inside["subject"], &inside["people"]), (&"Board".into(), &1.into()));

    let removal = RemoveParticipant { participant_id: device.0 };
    host.operate(OperationBody::RemoveParticipant(removal)).await.unwrap();
    let outside = shows(&room, edge, |meeting| stands(meeting, "removed")).await;
    assert_eq!(outside["people"], 0, "who is not there sees nobody");
    knows(&host, |snapshot| snapshot.roster.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_is_shown_and_in_a_chain_all_behind_a_relay_count_for_what_it_saves() {
    let mut meeting = Meeting::start_with(chain(), &[0]).await;
    let last = meeting.world.edge_url(1).unwrap();
    for _ in 0..4 {
        meeting.join_by(&last).await;
    }
    let link = format!("https://meet.example/#/m/{}", meeting.id);
    let screen = EdgeOptions::below("Screen", Parent::Edge(0)).in_meeting(&link);
    let screen = meeting.world.add_edge(screen).await.unwrap();
    meeting.set_speakers(&[0]);
    let speaks = |status: &Value| {
        let groups = status["meeting"]["groups"].as_array().into_iter().flatten();
        let people = groups.flat_map(|group| group["people"].as_array().into_iter().flatten());
        let speaking = people.filter(|someone| someone["speaking"] == true);
        speaking.map(|someone| someone["name"].clone()).eq(["Terminal 0"])
    };
    wait::until("the speaker to be shown", RECOVERED, || async {
        meeting.world.edge_status(screen).await.is_ok_and(|status| speaks(&status))
    })
    .await
    .unwrap();
    // Nobody is at the relay in the middle itself; four are behind the last one.
    wait::until("the relay in the middle to have saved something", RECOVERED, || async {
        meeting.world.edge_status(0).await.is_ok_and(|status| {
            status["terminals"] == 0 && status["saved_bytes"].as_i64() > Some(50_000)
        })
    })
    .await
    .unwrap();
}
