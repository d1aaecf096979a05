//! Relays of other versions: neighbours in a chain may differ by one release, and who differs by more is
//! told what to do.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Request, Status, Streaming, transport::Endpoint};
use tributary_contracts::{
    relay::v1::{
        AttachRequest, AttachResponse, Attached, Heartbeat, Hello, LinkMessage, OpenLink, RelayHop,
        attach_request::Body as Up, attach_response::Body as Down,
    },
    terminal::v1::{
        Ping, RelayMessage, TerminalMessage, relay_message::Body as Said,
        terminal_message::Body as Ask,
    },
};

use tributary_relay_uplink::protocol::{NEWEST, OLDEST};

use crate::{
    office::{Office, SOON},
    raw::{Raw, first, strange, with_more},
    world::World,
};

/// A relay of a newer version, as bytes are.
struct Newer {
    attached: Attached,
    up: mpsc::Sender<Bytes>,
    down: Streaming<Bytes>,
    heard: u64,
    acknowledged: u64,
    _beating: AbortOnDropHandle<()>,
}

impl Newer {
    /// Speaks these versions, the oldest and the newest.
    async fn attach(office: &Office, versions: (u32, u32)) -> Result<Self, Status> {
        let (protocol_oldest, protocol_newest) = versions;
        let hello = office.hello(&mut office.client().await).await;
        let hello = Hello { protocol_oldest, protocol_newest, ..hello };
        let (up, messages) = mpsc::channel(64);
        up.send(first(0, &hello)).await.unwrap();
        let channel = Endpoint::from_shared(office.url.clone()).unwrap().connect().await.unwrap();
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.unwrap();
        let path = "/tributary.relay.v1.RelayUplink/Attach".parse().unwrap();
        let request = Request::new(ReceiverStream::new(messages));
        let mut down = client.streaming(request, path, Raw).await?.into_inner();
        let answer = AttachResponse::decode(down.message().await?.unwrap()).unwrap();
        let Some(Down::Attached(attached)) = answer.body else { panic!("{answer:?}") };
        let beats = up.clone();
        let beating = tokio::spawn(async move {
            let beat = Up::Heartbeat(Heartbeat { sent_us: 1, ..Heartbeat::default() });
            let beat = AttachRequest { body: Some(beat), ..AttachRequest::default() };
            // Beside each sign of life something that need not be understood.
            while beats.send(with_more(&beat)).await.is_ok()
                && beats.send(strange(0, 0)).await.is_ok()
            {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        let _beating = AbortOnDropHandle::new(beating);
        Ok(Self { attached, up, down, heard: 0, acknowledged: 0, _beating })
    }

    async fn say(&self, message: Bytes) {
        self.up.send(message).await.unwrap();
    }

    /// What the core says next.
    async fn next(&mut self) -> AttachResponse {
        let next = timeout(SOON, self.down.message()).await.expect("the core says nothing");
        let next = AttachResponse::decode(next.unwrap().expect("the session is over")).unwrap();
        self.heard = self.heard.max(next.sequence);
        self.acknowledged = self.acknowledged.max(next.acknowledged);
        next
    }

    /// What the core says next to terminals.
    async fn told(&mut self) -> Said {
        loop {
            if let Some(Down::Deliver(deliver)) = self.next().await.body {
                return RelayMessage::decode(deliver.payload).unwrap().body.unwrap();
            }
        }
    }
}

fn numbered(sequence: u64, body: Up) -> Bytes {
    with_more(&AttachRequest { sequence, acknowledged: 0, body: Some(body) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_relay_is_attached_and_what_is_not_known_of_it_changes_nothing() {
    let world = World::start().await;
    let office = Office::known(&world, "office");
    let mut newer = Newer::attach(&office, (OLDEST, NEWEST + 1)).await.unwrap();
    assert_eq!(newer.attached.protocol, NEWEST);
    let path = vec![RelayHop { relay_id: "office".to_owned(), relay_name: String::new() }];
    let client_address = "192.0.2.44".to_owned();
    let open = OpenLink { link_id: 1, client_address, path, own: false };
    newer.say(strange(1, 0)).await;
    newer.say(numbered(2, Up::OpenLink(open))).await;
    newer.say(strange(3, 0)).await;
    assert!(matches!(newer.told().await, Said::Welcome(_)));
    let ping = TerminalMessage { request_id: 1, body: Some(Ask::Ping(Ping {})) };
    let message = with_more(&ping);
    newer.say(numbered(4, Up::LinkMessage(LinkMessage { link_id: 1, message }))).await;
    newer.say(strange(5, newer.heard)).await;
    assert!(matches!(newer.told().await, Said::Pong(_)));
    // What is not known has arrived all the same: it need not be said again.
    while newer.acknowledged < 5 {
        newer.next().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_version_in_common_is_told_whose_is_to_be_updated() {
    let world = World::start().await;
    let office = Office::known(&world, "office");
    let own = format!("the parent {OLDEST} to {NEWEST}");
    for versions in [(NEWEST + 1, NEWEST + 2), (0, OLDEST - 1), (NEWEST, 0)] {
        let theirs = format!("versions {} to {}", versions.0, versions.1);
        let refused = Newer::attach(&office, versions).await.err().unwrap();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        let said = refused.message();
        assert!(said.contains(&theirs) && said.contains(&own), "{said}");
        assert!(said.contains("update the older of the two"), "{said}");
    }
    // For who has, nothing has changed.
    assert!(Newer::attach(&office, (OLDEST, NEWEST)).await.is_ok());
}
