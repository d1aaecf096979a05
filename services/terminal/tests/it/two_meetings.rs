//! Live in one meeting, held in another; and back again.

use std::time::Duration;

use tributary_contracts::{
    event::v1::{Announcement, Presence, meeting_event},
    operation::v1::{OfflineReason, PresenceWish, operation::Body},
    terminal::v1::{Refusal, RefusalCode, relay_message::Body as Reply},
};
use tributary_terminal::{EndReason, Event, Options, Terminal};

use crate::{
    conversation::tone,
    stub_relay::{StubRelay, meeting_id, other_meeting_id},
};

const SOON: Duration = Duration::from_secs(20);

async fn silent(relay: &StubRelay) -> Terminal {
    let mut options = Options::guest(&relay.url, "A", meeting_id());
    options.media = false;
    Terminal::join(options).await.unwrap()
}

#[tokio::test]
async fn the_voice_goes_to_the_other_meeting_and_both_are_told() {
    let relay = StubRelay::start().await;
    let join = |id, source| {
        let mut options = Options::guest(&relay.url, "somebody", id);
        options.listen_for_hz = vec![440.0, 550.0, 660.0];
        options.source = source;
        Terminal::join(options)
    };
    let a = join(meeting_id(), tone(440.0)).await.unwrap();
    let here = join(meeting_id(), tone(550.0)).await.unwrap();
    let there = join(other_meeting_id(), tone(660.0)).await.unwrap();
    assert_eq!(a.join_held(other_meeting_id()).await.unwrap(), other_meeting_id());
    assert_eq!(a.meetings(), [meeting_id(), other_meeting_id()]);
    here.wait_until(|s| s.hearing.heard_ms(440.0) >= 200, SOON).await.unwrap();
    assert_eq!(there.hearing().heard_ms(440.0), 0);
    a.switch_to(other_meeting_id()).await.unwrap();
    assert_eq!(a.meeting_id(), other_meeting_id());
    there.wait_until(|s| s.hearing.heard_ms(440.0) >= 300, SOON).await.unwrap();
    a.wait_until(|s| s.hearing.heard_ms(660.0) >= 300, SOON).await.unwrap();
    let me = a.participant_in(meeting_id()).unwrap();
    let left_behind =
        here.wait_until(|s| s.roster[&me].presence == Presence::Offline, SOON).await.unwrap();
    assert_eq!(left_behind.roster[&me].offline_reason, OfflineReason::OtherMeeting);
    // One peer connection for both.
    assert_eq!((relay.count("media_offer"), relay.count("switch_meeting")), (3, 1));
    here.reset_hearing();
    a.switch_to(meeting_id()).await.unwrap();
    here.wait_until(|s| s.hearing.heard_ms(440.0) >= 300, SOON).await.unwrap();
    let said = relay.operations().into_iter().map(|o| (o.meeting_id, o.body.unwrap()));
    let said: Vec<_> = said.collect();
    let wishes = said.iter().filter_map(|(id, body)| match body {
        Body::SetPresence(set) => Some((id.parse().unwrap(), set.presence())),
        _ => None,
    });
    let (first, other) = (meeting_id(), other_meeting_id());
    let mut wishes: Vec<_> = wishes.collect();
    wishes.sort();
    let mut expected = vec![
        (first, PresenceWish::Offline),
        (other, PresenceWish::Online),
        (other, PresenceWish::Offline),
        (first, PresenceWish::Online),
    ];
    expected.sort();
    assert_eq!(wishes, expected);
}

#[tokio::test]
async fn after_a_loss_both_are_joined_again_and_both_go_on() {
    let relay = StubRelay::start().await;
    let a = silent(&relay).await;
    a.join_held(other_meeting_id()).await.unwrap();
    a.switch_to(other_meeting_id()).await.unwrap();
    a.wait_until(|s| s.operations.pending == 0, SOON).await.unwrap();
    relay.drop_connections();
    let text = "hello".to_owned();
    let announcement = meeting_event::Body::Announcement(Announcement { text });
    relay.say_event_in(meeting_id(), announcement);
    let is_back = |s: &tributary_terminal::Snapshot| s.connected && s.connections == 2;
    let live = a.wait_until_in(other_meeting_id(), is_back, SOON).await.unwrap();
    let held =
        a.wait_until_in(meeting_id(), |s| is_back(s) && s.chat.len() == 1, SOON).await.unwrap();
    assert!(live.live && !held.live);
    let joins = relay.joins();
    let again: Vec<_> =
        joins[2..].iter().map(|join| (join.meeting_id.clone(), join.held)).collect();
    let (first, other) = (meeting_id().to_string(), other_meeting_id().to_string());
    assert_eq!(again, [(other, false), (first, true)]);
    assert_eq!(joins[0].session_id, joins[3].session_id);
    let done = a.operate_in(meeting_id(), Body::SetHand(Default::default())).await.unwrap();
    assert!(done.event_number().is_some());
}

#[tokio::test]
async fn one_meeting_ends_and_the_other_goes_on() {
    let relay = StubRelay::start().await;
    let a = silent(&relay).await;
    a.join_held(other_meeting_id()).await.unwrap();
    let mut events = a.events();
    let (code, message) = (RefusalCode::Removed, "out".to_owned());
    let refusal = Refusal { code: code.into(), message: message.clone() };
    relay.say_of(&meeting_id().to_string(), Reply::Refusal(refusal));
    let end = EndReason::Refused(code, message);
    assert_eq!(events.recv().await.unwrap(), Event::EndedIn(meeting_id(), end.clone()));
    assert_eq!(a.snapshot_of(meeting_id()).unwrap().ended, Some(end));
    assert_eq!(a.meetings(), [other_meeting_id()]);
    a.switch_to(other_meeting_id()).await.unwrap();
    assert!(a.snapshot().live && a.snapshot().connected);
    assert!(a.switch_to(meeting_id()).await.is_err(), "it is not in there any more");
    a.leave().await;
    assert_eq!(relay.count("leave"), 1);
}

#[tokio::test]
async fn after_the_live_meeting_has_ended_the_other_one_gets_a_peer_connection_of_its_own() {
    let relay = StubRelay::start().await;
    let a = Terminal::join(Options::guest(&relay.url, "A", meeting_id())).await.unwrap();
    let mut options = Options::guest(&relay.url, "B", other_meeting_id());
    options.listen_for_hz = vec![440.0];
    let there = Terminal::join(options).await.unwrap();
    a.join_held(other_meeting_id()).await.unwrap();
    a.leave_meeting(meeting_id()).await.unwrap();
    assert_eq!(relay.count("media_offer"), 2);
    a.switch_to(other_meeting_id()).await.unwrap();
    a.set_source(tone(440.0));
    there.wait_until(|s| s.hearing.heard_ms(440.0) >= 200, SOON).await.unwrap();
    assert_eq!(relay.count("media_offer"), 3);
}

#[tokio::test]
async fn there_is_room_for_two_and_one_can_be_left_for_a_third() {
    let relay = StubRelay::start().await;
    let a = silent(&relay).await;
    let third = "1152921504606846979".parse::<tributary_identifiers::MeetingId>().unwrap();
    a.join_held(other_meeting_id()).await.unwrap();
    assert_eq!(a.join_held(third).await.unwrap_err().refusal(), Some(RefusalCode::Limit));
    a.leave_meeting(other_meeting_id()).await.unwrap();
    a.join_held(third).await.unwrap();
    assert_eq!(a.meetings(), [meeting_id(), third]);
    let left = a.snapshot_of(other_meeting_id()).unwrap();
    assert_eq!((left.ended, a.snapshot().ended), (Some(EndReason::Left), None));
}
