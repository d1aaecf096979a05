//! Terminals behind a relay that is attached: they join, hear, operate and leave as any other.

use std::time::Duration;

use tributary_contracts::{
    event::v1::{
        Announcement, Audience, LeaveReason, ParticipantMuted, meeting_event::Body as EventBody,
    },
    relay::v1::{
        CarryRequest, CloseLink, FetchRequest, FetchRequestHead, PlaceAttach, PlaceSound,
        PlaceSwitch, attach_request::Body as Up, fetch_request, fetch_response,
        place::Body as PlaceBody,
    },
    terminal::v1::{
        Leave, MediaOffer, Ping, RefusalCode, SwitchMeeting, TerminalMessage,
        relay_message::Body as Said, terminal_message::Body as Ask,
    },
};
use tributary_relay_gateway_server::Config;

use crate::{
    addresses::unique_local,
    neighbour::Neighbour,
    office::{Office, with_token},
    person::Person,
    world::{World, eventually, meeting},
};

fn said() -> EventBody {
    EventBody::Announcement(Announcement { text: "something that is said to all".repeat(20) })
}

fn muted(participant_id: u32, muted: bool) -> EventBody {
    EventBody::Muted(ParticipantMuted { participant_id, muted, by_participant_id: 99 })
}

#[tokio::test(flavor = "multi_thread")]
async fn they_join_by_their_relay_and_its_name_and_depth_are_known() {
    let world = World::start().await;
    world.open([1]);
    let office = Office::known(&world, "office");
    let mut uplink = office.attach().await;
    assert_eq!(uplink.attached.path.iter().map(|hop| &*hop.relay_id).collect::<Vec<_>>(), ["test"]);
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    assert_eq!(eve.relay_id, "office");
    eve.join(&mut uplink, 1).await;
    let leaf = Office::known(&world, "leaf");
    uplink.verify(&leaf).await.unwrap();
    let hops = |ids: [&str; 2]| {
        let hop = |id: &str| tributary_contracts::relay::v1::RelayHop {
            relay_id: id.to_owned(),
            relay_name: "forged".to_owned(),
        };
        ids.map(hop).to_vec()
    };
    let link = uplink.open_by(hops(["office", "leaf"]));
    let mut bob = Neighbour::enter_by(&mut uplink, link, "bob").await;
    assert_eq!(bob.relay_id, "leaf");
    bob.join(&mut uplink, 1).await;
    let joins = world.registry.joins.lock().unwrap().clone();
    let joins: Vec<_> = joins
        .iter()
        .map(|j| (&*j.relay_id, &*j.relay_name, j.relay_depth, j.relay_itself))
        .collect();
    assert_eq!(joins, [("office", "OFFICE", 1, false), ("leaf", "LEAF", 2, false)]);
    // The names of the whole way are those that credential knows, too.
    let joins = world.registry.joins.lock().unwrap().clone();
    let ways: Vec<_> =
        joins.iter().map(|join| (join.relay_path.join(" › "), &*join.core_relay_id)).collect();
    assert_eq!(ways, [("OFFICE".to_owned(), "test"), ("OFFICE › LEAF".to_owned(), "test")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_is_one_participant_itself_at_a_time() {
    let world = World::start().await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut links = Vec::new();
    for name in ["eve", "bob"] {
        let path = vec![uplink.hop()];
        links.push(uplink.open_as(path, true));
        let mut one = Neighbour::enter_by(&mut uplink, links[links.len() - 1], name).await;
        one.join(&mut uplink, 1).await;
    }
    for link_id in links {
        uplink.say(Up::CloseLink(CloseLink { link_id, ..CloseLink::default() }));
    }
    let path = vec![uplink.hop()];
    let link = uplink.open_as(path, true);
    let mut again = Neighbour::enter_by(&mut uplink, link, "ada").await;
    again.join(&mut uplink, 1).await;
    let joins = world.registry.joins.lock().unwrap().clone();
    let itself: Vec<_> = joins.iter().map(|join| join.relay_itself).collect();
    assert_eq!(itself, [true, false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_over_the_uplink_once_for_all_behind_it() {
    const PEOPLE: usize = 20;
    let world = World::start().await;
    world.open([1]);
    let office = Office::known(&world, "office");
    let mut uplink = office.attach().await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let mut person = Neighbour::enter(&mut uplink, &format!("p{number}")).await;
        person.join(&mut uplink, 1).await;
        people.push(person);
    }
    let number = world.emit(1, said()).await;
    for person in &people {
        // After the joining of those who came later.
        while person.next_numbers(&mut uplink, 1).await != [number] {}
    }
    let (_, before) = *uplink.delivers.borrow();
    let number = world.emit(1, said()).await;
    for person in &people {
        assert_eq!(person.next_numbers(&mut uplink, 1).await, [number]);
    }
    let (_, after) = *uplink.delivers.borrow();
    let bytes = after - before;
    assert!((600..1_200).contains(&bytes), "{bytes} bytes of payload for one event");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_a_group_is_for_the_terminals_of_that_relay() {
    let world = World::start().await;
    world.open([1]);
    let office = Office::known(&world, "office");
    let mut uplink = office.attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    eve.join(&mut uplink, 1).await;
    let mut direct = Person::enter(&world, "bob").await;
    direct.join(1).await;
    assert_eq!(eve.next_numbers(&mut uplink, 1).await, [2]);
    let group = |relay_id: &str| Some(Audience { relay_id: relay_id.into(), ..<_>::default() });
    let to_office = world.emit_to(1, said(), group("office"), None).await;
    let to_core = world.emit_to(1, said(), group("test"), None).await;
    let to_all = world.emit(1, said()).await;
    assert_eq!(eve.next_numbers(&mut uplink, 2).await, [to_office, to_all]);
    assert_eq!(direct.next_numbers(2).await, [to_core, to_all]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_their_sound_is_in_force_before_they_are_told() {
    let world = World::start().await;
    world.open([1, 2]);
    let office = Office::known(&world, "office");
    let mut uplink = office.attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    let own = eve.join(&mut uplink, 1).await.participant_id;
    let places = std::mem::take(&mut uplink.places);
    let [place] = places.as_slice() else { panic!("{places:?}") };
    let first = place.place_id;
    let expected = PlaceAttach {
        link_id: eve.link,
        meeting_id: meeting(1).to_u64(),
        participant_id: own,
        muted: false,
        held: false,
    };
    assert_eq!(place.body, Some(PlaceBody::Attach(expected)));
    world.emit(1, muted(own, true)).await;
    // Deliveries are looked at one by one: what came before is in `places` already.
    eve.next_numbers(&mut uplink, 1).await;
    let sound = |muted| Some(PlaceBody::Sound(PlaceSound { muted, target_ids: Vec::new() }));
    let places = std::mem::take(&mut uplink.places);
    let bodies: Vec<_> = places.iter().map(|place| (place.place_id, place.body.clone())).collect();
    assert_eq!(bodies, [(first, sound(true))]);
    world.emit(1, muted(own, false)).await;
    eve.next_numbers(&mut uplink, 1).await;
    assert_eq!(std::mem::take(&mut uplink.places)[0].body, sound(false));
    // A second meeting, and the sound moves there.
    eve.try_join(&mut uplink, 2, |join| join.held = true).await.unwrap();
    let held = std::mem::take(&mut uplink.places);
    let second = held[0].place_id;
    assert!(matches!(&held[0].body, Some(PlaceBody::Attach(attach)) if attach.held));
    let switch = Ask::SwitchMeeting(SwitchMeeting { meeting_id: meeting(2).to_string() });
    assert!(matches!(eve.ask(&mut uplink, switch).await, Said::Switched(_)));
    let moved = std::mem::take(&mut uplink.places);
    let switch = Some(PlaceBody::Switch(PlaceSwitch { to_place_id: second }));
    assert_eq!((moved[0].place_id, moved[0].body.clone()), (first, switch));
    // Out of both.
    for number in [1, 2] {
        let leave = Ask::Leave(Leave { meeting_id: meeting(number).to_string() });
        assert!(matches!(eve.ask(&mut uplink, leave).await, Said::Left(_)));
    }
    let out = std::mem::take(&mut uplink.places);
    assert!(out.iter().all(|place| matches!(place.body, Some(PlaceBody::Detach(_)))), "{out:?}");
    assert_eq!(out.iter().map(|place| place.place_id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(uplink.closed(eve.link).await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_connections_do_not_end_at_the_core_and_pings_are_answered() {
    let world = World::start().await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    eve.join(&mut uplink, 1).await;
    assert!(matches!(eve.ask(&mut uplink, Ask::Ping(Ping {})).await, Said::Pong(_)));
    let offer = Ask::MediaOffer(MediaOffer { sdp: "v=0".to_owned() });
    let Said::Refusal(refusal) = eve.ask(&mut uplink, offer).await else { panic!("answered") };
    assert_eq!(refusal.code(), RefusalCode::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_by_another_way_keeps_the_place_and_leaves_it_at_the_old_relay() {
    let world = World::start().await;
    world.open([1]);
    let (one, other) = (Office::known(&world, "one"), Office::known(&world, "other"));
    let (mut one, mut other) = (one.attach().await, other.attach().await);
    let mut eve = Neighbour::enter(&mut one, "eve").await;
    let own = eve.join(&mut one, 1).await.participant_id;
    let place = one.places.remove(0).place_id;
    let old = eve.link;
    eve.move_to(&mut other).await;
    assert_eq!(eve.join(&mut other, 1).await.participant_id, own);
    let attached = other.places.remove(0);
    assert_eq!(attached.place_id, place);
    assert!(matches!(attached.body, Some(PlaceBody::Attach(_))));
    let detached = one
        .until("the place is given up", |one| {
            (!one.places.is_empty()).then(|| one.places.remove(0))
        })
        .await;
    assert_eq!(
        (detached.place_id, detached.body),
        (place, Some(PlaceBody::Detach(<_>::default())))
    );
    one.closed(old).await;
    let mut uplink = other;
    let number = world.emit(1, said()).await;
    while eve.next_numbers(&mut uplink, 1).await != [number] {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_link_is_a_lost_terminal() {
    let config = Config { reconnect_grace_seconds: 1, ..Config::default() };
    let world = World::start_with(config).await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    let own = eve.join(&mut uplink, 1).await.participant_id;
    uplink.say(tributary_contracts::relay::v1::attach_request::Body::CloseLink(
        tributary_contracts::relay::v1::CloseLink {
            link_id: eve.link,
            silent_ms: 4_000,
            code: 1006,
        },
    ));
    // Late words are nobody's.
    uplink.send(eve.link, &TerminalMessage::default());
    eventually("it is taken out", || !world.registry.leaves.lock().unwrap().is_empty()).await;
    let leave = world.registry.leaves.lock().unwrap()[0].clone();
    assert_eq!((leave.participant_id, leave.reason()), (own, LeaveReason::TerminalLost));
    assert!(leave.silent_ms >= 4_900, "{} ms", leave.silent_ms);
    uplink
        .until("the place is given up", |uplink| {
            let gone = |place: &tributary_contracts::relay::v1::Place| {
                matches!(place.body, Some(PlaceBody::Detach(_)))
            };
            uplink.places.iter().any(gone).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_fetched_through_the_uplink_by_who_may() {
    use tributary_contracts::{access::v1::Role, registry::v1::Attachment};
    const SIZE: usize = 3 << 20;
    let world = World::start().await;
    world.access.decide(meeting(1), crate::fake_access::Verdict::Allowed(Role::Member));
    let file = Attachment {
        attachment_id: "large".into(),
        size: SIZE as u64,
        file_name: "a".into(),
        ..<_>::default()
    };
    world.registry.keep_file(file, vec![7; SIZE]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let token = world.account("ada").await.identity().unwrap().identity_token;
    let fetch = async |client: &mut tributary_contracts::relay::v1::relay_uplink_client::RelayUplinkClient<_>,
                       session: &[u8],
                       path: String,
                       token: &str| {
        let header = tributary_contracts::relay::v1::FetchHeader {
            name: "authorization".to_owned(),
            value: format!("Bearer {token}").into_bytes(),
        };
        let head = FetchRequestHead {
            method: "GET".to_owned(),
            path,
            headers: vec![header],
            client_address: "192.0.2.9".to_owned(),
        };
        let part = FetchRequest { part: Some(fetch_request::Part::Head(head)) };
        let mut parts =
            client.fetch(with_token(tokio_stream::iter([part]), session)).await?.into_inner();
        let Some(fetch_response::Part::Head(head)) = parts.message().await?.unwrap().part else {
            panic!("no head")
        };
        let mut body = Vec::new();
        while let Some(part) = parts.message().await? {
            let Some(fetch_response::Part::Body(piece)) = part.part else { panic!("no body") };
            assert!(piece.len() <= 16 << 10);
            body.extend_from_slice(&piece);
        }
        Ok::<_, tonic::Status>((head, body))
    };
    let path = format!("/meetings/{}/attachments/large", meeting(1));
    let session = uplink.attached.session_token.clone();
    let (head, body) = fetch(&mut uplink.client, &session, path.clone(), &token).await.unwrap();
    assert_eq!((head.status, body.len()), (200, SIZE));
    // In the relay's network, whatever it says.
    let decision = world.access.decisions.lock().unwrap().last().unwrap().clone();
    let address: std::net::IpAddr = decision.client_address.parse().unwrap();
    assert!(unique_local().contains(&address), "{address}");
    let (head, _) = fetch(&mut uplink.client, &session, path.clone(), "nonsense").await.unwrap();
    assert_eq!(head.status, 401);
    let outside = fetch(&mut uplink.client, &session, "/terminal/v1".to_owned(), &token).await;
    assert_eq!(outside.unwrap_err().code(), tonic::Code::InvalidArgument);
    let stranger = fetch(&mut uplink.client, &[7; 32], path, &token).await;
    assert_eq!(stranger.unwrap_err().code(), tonic::Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_everybody_is_told_to_come_again() {
    let world = World::start().await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    eve.join(&mut uplink, 1).await;
    world.end();
    loop {
        if let Some(Said::Draining(_)) = uplink.next(eve.link).await.body {
            break;
        }
    }
    assert_eq!(uplink.closed(eve.link).await, 1012);
    let ended = tokio::time::timeout(Duration::from_secs(10), uplink.ended()).await.unwrap();
    assert_eq!(ended.code(), tonic::Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_goes_on_until_everybody_has_been_told() {
    let world = World::start().await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    eve.join(&mut uplink, 1).await;
    // It takes a while until what is said has arrived.
    uplink.deafen();
    world.end();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let voices = tokio_stream::pending::<CarryRequest>();
        let request = uplink.session_metadata(voices);
        let carried = uplink.client.carry(request).await;
        assert!(carried.is_ok(), "the sound ends before the telling: {:?}", carried.err());
    }
}
