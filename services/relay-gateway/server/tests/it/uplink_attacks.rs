//! Evil and broken relays: they are cut, and nobody else notices.

use tonic::{Code, Status, transport::Channel};
use tributary_contracts::{
    event::v1::{Announcement, meeting_event::Body as EventBody},
    media::v1::SendBatch,
    relay::v1::{
        AttachRequest, Attached, CarriedSend, CarryRequest, Heartbeat, Hello, LinkMessage,
        OpenLink, RelayHop, VerifyRelayRequest, attach_request::Body as Up,
        attach_response::Body as Down, relay_uplink_client::RelayUplinkClient,
    },
    terminal::v1::{
        RefusalCode, TerminalMessage, relay_message::Body as Said, terminal_message::Body as Ask,
    },
};

use crate::{
    neighbour::Neighbour,
    office::{Office, garbage, with_token},
    person::Person,
    world::{World, eventually},
};

fn said(bytes: usize) -> EventBody {
    EventBody::Announcement(Announcement { text: "x".repeat(bytes) })
}

/// Attaches with exactly this.
pub async fn attach_with(
    client: &mut RelayUplinkClient<Channel>,
    hello: Hello,
) -> Result<Attached, Status> {
    let first = AttachRequest { body: Some(Up::Hello(hello)), ..AttachRequest::default() };
    let stream = client.attach(tokio_stream::iter([first])).await?;
    match stream.into_inner().message().await?.and_then(|message| message.body) {
        Some(Down::Attached(attached)) => Ok(attached),
        other => panic!("{other:?}"),
    }
}

fn hop(id: &str) -> RelayHop {
    RelayHop { relay_id: id.to_owned(), relay_name: String::new() }
}

fn open(link_id: u32, path: &[&str]) -> Up {
    let path = path.iter().map(|id| hop(id)).collect();
    Up::OpenLink(OpenLink { link_id, client_address: "192.0.2.1".to_owned(), path, own: false })
}

fn numbered(sequence: u64, body: Up) -> AttachRequest {
    AttachRequest { sequence, acknowledged: 0, body: Some(body) }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_what_it_says_does_not_get_in() {
    let world = World::start().await;
    let office = Office::known(&world, "office");
    let mut client = office.client().await;
    let good = office.hello(&mut client).await;
    attach_with(&mut client, good.clone()).await.unwrap();
    // The same again: the challenge is used up.
    let replayed = attach_with(&mut client, good.clone()).await.unwrap_err();
    assert_eq!(replayed.code(), Code::Unauthenticated);
    // A challenge of its own making.
    let challenge = vec![7; 32];
    let proof = office.key.sign_attach(&challenge, &"office".parse().unwrap()).unwrap();
    let forged = Hello { challenge, proof, ..good };
    assert_eq!(attach_with(&mut client, forged).await.unwrap_err().code(), Code::Unauthenticated);
    // Another's name with the own key, and a name that nobody has.
    let other = Office::known(&world, "other");
    for (id, code) in [("other", Code::Unauthenticated), ("nobody", Code::Unauthenticated)] {
        let mut hello = office.hello(&mut client).await;
        hello.relay_id = id.to_owned();
        assert_eq!(attach_with(&mut client, hello).await.unwrap_err().code(), code, "{id}");
    }
    // The core's own name, and another protocol.
    world.relays.know("test", &office.key.public_key(), &[]);
    let looping = Office { id: "test".to_owned(), ..office.by(&world.uplink_url) };
    let hello = looping.hello(&mut client).await;
    let refused = attach_with(&mut client, hello).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("loop"), "{refused}");
    let newer = other.hello(&mut client).await;
    let newer = Hello { protocol_oldest: 1_000, protocol_newest: 1_001, ..newer };
    let refused = attach_with(&mut client, newer).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    // Something else than `hello`.
    let first = numbered(0, Up::Heartbeat(Heartbeat::default()));
    let refused = client.attach(tokio_stream::iter([first])).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_keep_to_the_protocol_is_cut_alone() {
    let world = World::start().await;
    world.open([1]);
    let good = Office::known(&world, "good");
    let mut bystanders = good.attach().await;
    let mut eve = Neighbour::enter(&mut bystanders, "eve").await;
    eve.join(&mut bystanders, 1).await;
    let evil = Office::known(&world, "evil");
    let large = vec![0; 70_000].into();
    let violations: Vec<(&str, Vec<AttachRequest>)> = vec![
        ("a gap", vec![numbered(2, open(1, &["evil"]))]),
        (
            "an unknown link",
            vec![numbered(1, Up::LinkMessage(LinkMessage { link_id: 9, message: garbage() }))],
        ),
        ("a link twice", vec![numbered(1, open(1, &["evil"])), numbered(2, open(1, &["evil"]))]),
        ("another's link", vec![numbered(1, open(1, &["good"]))]),
        ("a loop", vec![numbered(1, open(1, &["evil", "test"]))]),
        ("hello again", vec![numbered(0, Up::Hello(Hello::default()))]),
        ("not numbered", vec![numbered(0, open(1, &["evil"]))]),
        (
            "too large",
            vec![
                numbered(1, open(1, &["evil"])),
                numbered(2, Up::LinkMessage(LinkMessage { link_id: 1, message: large })),
            ],
        ),
        (
            "an impossible acknowledgement",
            vec![AttachRequest { acknowledged: 99, ..<_>::default() }],
        ),
        (
            "far too large",
            vec![numbered(
                1,
                Up::LinkMessage(LinkMessage { link_id: 1, message: vec![0; 300_000].into() }),
            )],
        ),
    ];
    for (what, messages) in violations {
        let mut uplink = evil.attach().await;
        assert!(!uplink.attached.resumed, "{what}");
        for message in messages {
            uplink.say_raw(message).await;
        }
        let ended = uplink.ended().await;
        assert_eq!(ended.code(), Code::InvalidArgument, "{what}: {ended}");
        assert!(!ended.message().is_empty(), "{what}");
        // Its session is over, too.
        let again = uplink.cut().again(&evil).await;
        assert!(!again.attached.resumed, "{what}");
    }
    let number = world.emit(1, said(10)).await;
    assert_eq!(eve.next_numbers(&mut bystanders, 1).await, [number]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_talks_nonsense_or_too_much_is_closed_alone() {
    let world = World::start().await;
    world.open([1]);
    let mut uplink = Office::known(&world, "office").attach().await;
    let mut eve = Neighbour::enter(&mut uplink, "eve").await;
    eve.join(&mut uplink, 1).await;
    let noisy = uplink.open();
    uplink.next(noisy).await;
    uplink.say(Up::LinkMessage(LinkMessage { link_id: noisy, message: garbage() }));
    let Some(Said::Refusal(refusal)) = uplink.next(noisy).await.body else { panic!("taken") };
    assert_eq!(refusal.code(), RefusalCode::Malformed);
    let ping = TerminalMessage { request_id: 1, body: Some(Ask::Ping(<_>::default())) };
    for _ in 0..2_000 {
        uplink.send(noisy, &ping);
    }
    assert_eq!(uplink.closed(noisy).await, 1008);
    let number = world.emit(1, said(10)).await;
    assert_eq!(eve.next_numbers(&mut uplink, 1).await, [number]);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_relays_that_are_not_behind_the_uplink_are_closed() {
    let world = World::start().await;
    world.open([1]);
    let (office, leaf) = (Office::known(&world, "office"), Office::known(&world, "leaf"));
    let mut uplink = office.attach().await;
    let path = vec![uplink.hop(), hop("leaf")];
    let link = uplink.open_by(path.clone());
    assert_eq!(uplink.closed(link).await, 1008);
    // A proof of somebody else changes nothing.
    let mut hello = Office::known(&world, "stranger").hello(&mut uplink.client).await;
    hello.relay_id = "leaf".to_owned();
    let request = uplink.session_metadata(VerifyRelayRequest { hello: Some(hello) });
    let refused = uplink.client.verify_relay(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let link = uplink.open_by(path.clone());
    assert_eq!(uplink.closed(link).await, 1008);
    uplink.verify(&leaf).await.unwrap();
    let link = uplink.open_by(path);
    Neighbour::enter_by(&mut uplink, link, "eve").await;
    // The core can't be behind its own child.
    world.relays.know("test", &leaf.key.public_key(), &[]);
    let looping = Office { id: "test".to_owned(), ..leaf.by(&world.uplink_url) };
    assert_eq!(uplink.verify(&looping).await.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_token_is_needed_and_opens_only_its_own_session() {
    let world = World::start().await;
    let (one, other) = (Office::known(&world, "one"), Office::known(&world, "other"));
    let (mut first, second) = (one.attach().await, other.attach().await);
    for token in [&[0; 32][..], &[], &second.attached.session_token[1..]] {
        let request = with_token(tokio_stream::iter([CarryRequest::default()]), token);
        let refused = first.client.carry(request).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    let hello = Some(one.hello(&mut first.client).await);
    let refused = first.client.verify_relay(VerifyRelayRequest { hello }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    // A session is not taken up by another relay, although it has the token.
    let stolen = second.attached.session_token.clone();
    let taken = first.cut().again_with(&one, stolen).await.unwrap();
    assert!(
        !taken.attached.resumed && taken.attached.session_token != second.attached.session_token
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn voices_that_can_not_be_read_end_the_session_and_others_voices_are_nobodys() {
    let world = World::start().await;
    world.open([1]);
    let mut bystander = Person::enter(&world, "ada").await;
    bystander.join(1).await;
    let evil = Office::known(&world, "evil");
    let mut uplink = evil.attach().await;
    // Frames of a participant who is not behind this uplink, in a meeting it is not in.
    let batch = SendBatch::default();
    let send = CarriedSend { meeting_id: crate::world::meeting(1).to_u64(), batch: Some(batch) };
    let (up, messages) = tokio::sync::mpsc::channel(4);
    up.send(CarryRequest { sends: vec![send] }).await.unwrap();
    let stream = tokio_stream::wrappers::ReceiverStream::new(messages);
    let request = uplink.session_metadata(stream);
    let mut down = uplink.client.carry(request).await.unwrap().into_inner();
    // A second stream takes over from the first.
    let (_up, messages) = tokio::sync::mpsc::channel::<CarryRequest>(4);
    let stream = tokio_stream::wrappers::ReceiverStream::new(messages);
    let request = uplink.session_metadata(stream);
    let _newer = uplink.client.carry(request).await.unwrap();
    assert_eq!(down.message().await.unwrap_err().code(), Code::Aborted);
    let number = world.emit(1, said(10)).await;
    assert_eq!(bystander.next_numbers(1).await, [number]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_never_reads_is_cut_and_the_others_hear_all() {
    let world = World::start().await;
    world.open([1]);
    let good = Office::known(&world, "good");
    let mut bystanders = good.attach().await;
    let mut eve = Neighbour::enter(&mut bystanders, "eve").await;
    eve.join(&mut bystanders, 1).await;
    let deaf = Office::known(&world, "deaf");
    let mut uplink = deaf.attach().await;
    let mut bob = Neighbour::enter(&mut uplink, "bob").await;
    bob.join(&mut uplink, 1).await;
    assert_eq!(eve.next_numbers(&mut bystanders, 1).await, [2]);
    // From now on it says that nothing arrives.
    uplink.deafen();
    let mut expected = Vec::new();
    for _ in 0..400 {
        expected.push(world.emit(1, said(16_000)).await);
    }
    assert_eq!(eve.next_numbers(&mut bystanders, expected.len()).await, expected);
    let left = || world.registry.leaves.lock().unwrap().len();
    eventually("it is cut, and who was behind it is lost", || left() == 1).await;
    let again = uplink.cut().again(&deaf).await;
    assert!(!again.attached.resumed);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_relay_does_not_take_all_places() {
    let world = World::start().await;
    let (greedy, good) = (Office::known(&world, "greedy"), Office::known(&world, "good"));
    let mut uplink = greedy.attach().await;
    for count in 1..=4_096 {
        let link = uplink.open();
        // What is opened is served as it comes: the queue is not what is tried here.
        if count % 256 == 0 {
            uplink.next(link).await;
        }
    }
    let one_more = uplink.open();
    assert_eq!(uplink.closed(one_more).await, 1013);
    Neighbour::enter(&mut good.attach().await, "eve").await;
}
