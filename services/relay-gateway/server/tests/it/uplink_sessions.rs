//! Sessions of relays: taken up again after a cut, held for a while, replaced by newer ones, ended.

use std::{sync::atomic::Ordering, time::Duration};

use prost::Message as _;
use tonic::Code;
use tributary_contracts::{
    event::v1::{Announcement, meeting_event::Body as EventBody},
    relay::v1::{
        EnrolRequest, GetChallengeRequest, IntroductionAnswer, LinkMessage, LinksReachable,
        RotateKeyRequest, attach_request::Body as Up, attach_response::Body as Down,
    },
    terminal::v1::{
        Introduce, Ping, RefusalCode, TerminalMessage, relay_message::Body as Said,
        terminal_message::Body as Ask,
    },
};
use tributary_join_credential::RelayKey;
use tributary_relay_gateway_server::{Config, UplinkConfig};

use crate::{
    neighbour::Neighbour,
    office::Office,
    person::{Person, code},
    world::{World, eventually},
};

fn said(text: &str) -> EventBody {
    EventBody::Announcement(Announcement { text: text.into() })
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_nothing_is_missing_and_nothing_comes_twice() {
    let world = World::start().await;
    world.open([1]);
    let office = Office::known(&world, "office");
    let mut uplink = office.attach().await;
    let mut people = Vec::new();
    for name in ["eve", "bob"] {
        let mut person = Neighbour::enter(&mut uplink, name).await;
        person.join(&mut uplink, 1).await;
        people.push(person);
    }
    assert_eq!(people[0].next_numbers(&mut uplink, 1).await, [2]);
    let mut expected = Vec::new();
    for round in 0..5 {
        for count in 0..20 {
            expected.push(world.emit(1, said(&format!("{round} {count}"))).await);
        }
        let lost = uplink.cut();
        for count in 0..20 {
            expected.push(world.emit(1, said(&format!("gone {round} {count}"))).await);
        }
        // Said while nobody hears it.
        let ping = TerminalMessage { request_id: 1_000 + round, body: Some(Ask::Ping(Ping {})) };
        let message = ping.encode_to_vec().into();
        lost.say(Up::LinkMessage(LinkMessage { link_id: people[0].link, message }));
        uplink = lost.again(&office).await;
        assert!(uplink.attached.resumed);
        let answer = uplink.answer(people[0].link, 1_000 + round).await;
        assert!(matches!(answer, Said::Pong(_)), "{answer:?}");
    }
    for person in &people {
        assert_eq!(person.next_numbers(&mut uplink, expected.len()).await, expected);
    }
    // Nobody has noticed.
    assert!(world.registry.leaves.lock().unwrap().is_empty());
    assert_eq!(world.registry.joins.lock().unwrap().len(), 2);
    assert!(world.registry.reachable.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_not_be_reached_for_three_seconds_is_shown_as_away_until_it_can() {
    let world = World::start().await;
    world.open([1]);
    let office = Office::known(&world, "office");
    let mut uplink = office.attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    let own = eve.join(&mut uplink, 1).await.participant_id;
    world.registry.reach_failures.store(2, Ordering::SeqCst);
    let lost = uplink.cut();
    let reaches = || world.registry.reachable.lock().unwrap().clone();
    eventually("it is said", || reaches().len() == 1).await;
    let said = reaches().remove(0);
    assert_eq!((said.participant_ids, said.reachable), (vec![own], false));
    let mut uplink = lost.again(&office).await;
    assert!(uplink.attached.resumed);
    eventually("it is said", || reaches().len() == 2).await;
    let said = reaches().remove(1);
    assert_eq!((said.participant_ids, said.reachable), (vec![own], true));
    // A relay behind the relay is gone, and comes back.
    for (reachable, count) in [(false, 3), (true, 4)] {
        let link_ids = vec![eve.link];
        uplink.say(Up::LinksReachable(LinksReachable { link_ids, reachable }));
        eventually("it is said", || reaches().len() == count).await;
        assert_eq!(reaches().remove(count - 1).reachable, reachable);
    }
    let number = world.emit(1, said_to_all()).await;
    while eve.next_numbers(&mut uplink, 1).await != [number] {}
}

fn said_to_all() -> EventBody {
    said("all")
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_hold_everybody_is_lost_since_the_cut() {
    let uplink = UplinkConfig { hold_seconds: 5, ..UplinkConfig::default() };
    let world =
        World::start_with(Config { uplink, reconnect_grace_seconds: 1, ..Config::default() }).await;
    world.open([1]);
    let office = Office::known(&world, "office");
    let mut uplink = office.attach().await;
    assert_eq!(uplink.attached.hold_ms, 5_000);
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    let own = eve.join(&mut uplink, 1).await.participant_id;
    let lost = uplink.cut();
    eventually("it is taken out", || !world.registry.leaves.lock().unwrap().is_empty()).await;
    let leave = world.registry.leaves.lock().unwrap()[0].clone();
    assert_eq!(leave.participant_id, own);
    assert!((5_500..20_000).contains(&leave.silent_ms), "{} ms", leave.silent_ms);
    // The session is over: what comes is a new one.
    let mut uplink = lost.again(&office).await;
    assert!(!uplink.attached.resumed);
    eve.move_to(&mut uplink).await;
    assert_eq!(eve.join(&mut uplink, 1).await.participant_id, own);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_connection_wins() {
    let world = World::start().await;
    world.open([1]);
    let office = Office::known(&world, "office");
    let mut first = office.attach().await;
    let mut eve = Neighbour::enter(&mut first, "eve").await;
    let own = eve.join(&mut first, 1).await.participant_id;
    // Another session of the same relay.
    let mut second = office.attach().await;
    assert!(!second.attached.resumed);
    let ended = first.ended().await;
    assert_eq!((ended.code(), ended.message()), (Code::Aborted, "attached by a newer connection"));
    eve.move_to(&mut second).await;
    assert_eq!(eve.join(&mut second, 1).await.participant_id, own);
    // The first one's session is over.
    let again = first.cut().again(&office).await;
    assert!(!again.attached.resumed);
    assert_eq!(second.ended().await.code(), Code::Aborted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_taken_up_again_while_credential_is_down_and_no_new_one_begins() {
    let world = World::start().await;
    let office = Office::known(&world, "office");
    let lost = office.attach().await.cut();
    world.relays.is_down.store(true, Ordering::SeqCst);
    let uplink = lost.again(&office).await;
    assert!(uplink.attached.resumed);
    let lost = uplink.cut();
    let refused = lost.again_with(&office, vec![1; 32]).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_revoked_is_cut_and_changed_settings_are_told() {
    let world = World::start().await;
    world.open([1]);
    let (office, leaf) = (Office::known(&world, "office"), Office::known(&world, "leaf"));
    let mut uplink = office.attach().await;
    uplink.verify(&leaf).await.unwrap();
    let leaf_hop = tributary_contracts::relay::v1::RelayHop {
        relay_id: "leaf".into(),
        relay_name: String::new(),
    };
    let path = vec![uplink.hop(), leaf_hop];
    let link = uplink.open_by(path.clone());
    let mut eve = Neighbour::enter_by(&mut uplink, link, "eve").await;
    eve.join(&mut uplink, 1).await;
    let bus = world.credential_bus().await;
    let organisation = "default".parse().unwrap();
    let tell = async |id: &str| {
        bus.publish_relay_changed(&organisation, &id.parse().unwrap()).await.unwrap();
    };
    for id in ["office", "leaf"] {
        world.relays.known.lock().unwrap().get_mut(id).unwrap().settings.uplink_limit_kbit = 2_000;
        tell(id).await;
        let told = uplink
            .until("the settings are told", |uplink| {
                uplink.others.pop().and_then(|other| match other {
                    Down::Settings(settings) => Some(settings),
                    _ => None,
                })
            })
            .await;
        assert_eq!((&*told.relay_id, told.uplink_limit_kbit), (id, 2_000));
    }
    world.relays.known.lock().unwrap().remove("leaf");
    tell("leaf").await;
    assert_eq!(uplink.closed(link).await, 1008);
    // Nobody comes from there any more.
    let link = uplink.open_by(path);
    assert_eq!(uplink.closed(link).await, 1008);
    world.relays.known.lock().unwrap().remove("office");
    tell("office").await;
    assert_eq!(uplink.ended().await.code(), Code::Unauthenticated);
    let mut client = office.client().await;
    let hello = office.hello(&mut client).await;
    let refused = crate::uplink_attacks::attach_with(&mut client, hello).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_enrols_and_changes_its_key() {
    let world = World::start().await;
    let key = RelayKey::generate().unwrap();
    let known = Office::known(&world, "other");
    let mut client = known.client().await;
    let challenge = async |client: &mut tributary_contracts::relay::v1::relay_uplink_client::RelayUplinkClient<_>| {
        client.get_challenge(GetChallengeRequest {}).await.unwrap().into_inner().challenge
    };
    let fresh = challenge(&mut client).await;
    let token = "token-of-branch".to_owned();
    let request = EnrolRequest {
        public_key: key.public_key().to_vec(),
        proof: key.sign_enrolment(&fresh, &token).unwrap(),
        challenge: fresh,
        token,
    };
    let enrolled = client.enrol(request.clone()).await.unwrap().into_inner().settings.unwrap();
    assert_eq!(enrolled.relay_id, "branch");
    // The challenge was good once.
    assert_eq!(client.enrol(request).await.unwrap_err().code(), Code::Unauthenticated);
    let mut branch = Office { id: "branch".into(), key, ..known.by(&world.uplink_url) };
    let mut uplink = branch.attach().await;
    let next = RelayKey::generate().unwrap();
    let rotate = async |uplink: &mut crate::office::Uplink, id: &str, key: &RelayKey| {
        let fresh = challenge(&mut uplink.client).await;
        let request = RotateKeyRequest {
            relay_id: id.to_owned(),
            public_key: next.public_key().to_vec(),
            proof: key.sign_rotation(&fresh, &next.public_key()).unwrap(),
            next_proof: next.sign_rotation(&fresh, &next.public_key()).unwrap(),
            challenge: fresh,
        };
        let request = uplink.session_metadata(request);
        uplink.client.rotate_key(request).await.map(drop)
    };
    // That of somebody else is not its own to change.
    let refused = rotate(&mut uplink, "other", &known.key).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    rotate(&mut uplink, "branch", &branch.key).await.unwrap();
    branch.key = next;
    assert!(uplink.cut().again(&branch).await.attached.resumed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_introduced_to_the_relay_of_its_network() {
    let world = World::start().await;
    let office = Office::known_for(&world, "office", &["127.0.0.0/8"]);
    let mut uplink = office.attach().await;
    let person = Person::enter(&world, "ada").await;
    let suggested = &person.connection.welcome().suggested_relays;
    assert_eq!(suggested.iter().map(|relay| &*relay.relay_id).collect::<Vec<_>>(), ["office"]);
    let introduce = |relay_id: &str| {
        Ask::Introduce(Introduce { relay_id: relay_id.to_owned(), sdp: "offer".to_owned() })
    };
    let answering = async |uplink: &mut crate::office::Uplink, sdp: &str| {
        let asked = uplink.until("the introduction", |uplink| uplink.others.pop()).await;
        let Down::Introduction(asked) = asked else { panic!("{asked:?}") };
        assert_eq!(
            (&*asked.relay_id, &*asked.sdp, &*asked.client_address),
            ("office", "offer", "127.0.0.1")
        );
        uplink.say(Up::IntroductionAnswer(IntroductionAnswer {
            introduction_id: asked.introduction_id,
            sdp: sdp.to_owned(),
            reason: "because".to_owned(),
        }));
    };
    let (introduced, ()) =
        tokio::join!(person.ask(introduce("office")), answering(&mut uplink, "answer"));
    let Said::Introduced(introduced) = introduced.unwrap() else { panic!("not introduced") };
    assert_eq!(introduced.sdp, "answer");
    let (refused, ()) = tokio::join!(person.ask(introduce("office")), answering(&mut uplink, ""));
    assert_eq!(code(refused), RefusalCode::TryAgain);
    assert_eq!(code(person.ask(introduce("nobody")).await), RefusalCode::NotAdmitted);
    // Nobody answers.
    let asked = tokio::time::Instant::now();
    assert_eq!(code(person.ask(introduce("office")).await), RefusalCode::TryAgain);
    assert!(asked.elapsed() >= Duration::from_secs(4));
    assert_eq!(code(person.ask(introduce("nobody")).await), RefusalCode::NotAdmitted);
    assert_eq!(code(person.ask(introduce("nobody")).await), RefusalCode::Limit);
    // Who has not shown who they are is not introduced to anybody.
    let stranger = tributary_terminal::protocol::Connection::connect(&world.url).await.unwrap();
    assert_eq!(code(stranger.request(introduce("office")).await), RefusalCode::NotLoggedIn);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_moves_is_nowhere_else_any_more() {
    let world = World::start().await;
    world.open([1]);
    let (office, leaf) = (Office::known(&world, "office"), Office::known(&world, "leaf"));
    let mut uplink = office.attach().await;
    uplink.verify(&leaf).await.unwrap();
    let hop = |id: &str| tributary_contracts::relay::v1::RelayHop {
        relay_id: id.to_owned(),
        relay_name: String::new(),
    };
    let path = vec![hop("office"), hop("leaf")];
    let link = uplink.open_by(path.clone());
    Neighbour::enter_by(&mut uplink, link, "eve").await;
    // It attaches directly: whoever came by the other way comes again.
    let mut direct = leaf.attach().await;
    assert_eq!(uplink.closed(link).await, 1012);
    let refused = uplink.open_by(path.clone());
    assert_eq!(uplink.closed(refused).await, 1008);
    Neighbour::enter(&mut direct, "eve").await;
    // And back: its own session is over, for a token, too.
    uplink.verify(&leaf).await.unwrap();
    assert_eq!(direct.ended().await.code(), Code::Aborted);
    let link = uplink.open_by(path);
    Neighbour::enter_by(&mut uplink, link, "eve").await;
    // Revoked, it is cut off there.
    let bus = world.credential_bus().await;
    world.relays.known.lock().unwrap().remove("leaf");
    bus.publish_relay_changed(&"default".parse().unwrap(), &"leaf".parse().unwrap()).await.unwrap();
    assert_eq!(uplink.closed(link).await, 1008);
    let again = direct.cut().again_with(&leaf, Vec::new()).await;
    assert_eq!(again.err().unwrap().code(), Code::Unauthenticated);
}
