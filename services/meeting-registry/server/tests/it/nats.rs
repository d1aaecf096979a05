//! The whole service with a real nats-server, which `NATS_SERVER` names.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use futures_util::StreamExt as _;
use prost::Message as _;
use tempfile::TempDir;
use tributary_contracts::{
    event::v1::{MeetingEvent, meeting_event::Body},
    notice::v1::{Notice, notice::Kind},
    registry::v1::{
        AttachmentHeader, GetAttachmentRequest, JoinRequest, ListAttachmentsRequest,
        ListNoticesRequest, NotifyRequest, SetMembersRequest,
    },
};
use tributary_meeting_registry_server::{Clock, Config, Outbox};
use tributary_message_bus::{
    ControlBus,
    subjects::{self, MeetingScope},
};
use tributary_service_runtime::{NatsConfig, Readiness};

use crate::{
    DEADLINE,
    attachment_calls::{download, upload},
    calls::{Answering, create, join},
    open, until,
};

/// A server of the test's own, ended with it.
pub struct Nats {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Nats {
    pub fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { process: spawn(port, &folder), folder, port }
    }

    /// Ends without warning.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again after [`Nats::kill`], with what it had stored.
    pub fn start_again(&mut self) {
        self.process = spawn(self.port, &self.folder);
    }
}

fn spawn(port: u16, folder: &TempDir) -> Child {
    let program = std::env::var("NATS_SERVER")
        .expect("NATS_SERVER must name the nats-server program: run `just test`");
    Command::new(program)
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_join_before_nats_is_there_and_relays_hear_of_it_when_it_is() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("nats://127.0.0.1:{port}");
    let answering = Answering::start_with_nats(&url).await;
    let mut client = answering.client();
    let meeting = client.create_meeting(create("Planning")).await.unwrap().into_inner().meeting;
    let meeting = meeting.unwrap();
    let id = meeting.meeting_id.clone();
    client.join(join(&id)).await.unwrap();
    let store = open(&answering.scratch, Clock::System).await;
    assert_eq!(store.untold(Outbox::Events, 10).await.unwrap().len(), 1);

    let _nats = Nats::start(port);
    until("an empty outbox", || async {
        store.untold(Outbox::Events, 1).await.unwrap().is_empty()
    })
    .await;

    let config = NatsConfig { url, ..Default::default() };
    let dependency = Readiness::new().dependency("NATS");
    let relay = ControlBus::connect(&config, "relay", &dependency).await.unwrap();
    let scope = MeetingScope {
        organisation: meeting.organisation.parse().unwrap(),
        meeting: id.parse().unwrap(),
    };
    let mut events = relay.subscribe_events(&scope).await.unwrap();
    // When the subscription is in force is not known, so people join until one is heard of.
    let joining = async {
        for who in 2_u64.. {
            let key_thumbprint = format!("key-{who}");
            client.join(JoinRequest { key_thumbprint, ..join(&id) }).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let heard = tokio::select! {
        heard = tokio::time::timeout(DEADLINE, events.next()) => heard.unwrap().unwrap(),
        () = joining => unreachable!(),
    };
    let event = MeetingEvent::decode(heard.payload).unwrap();
    let Some(Body::Joined(joined)) = event.body else { panic!("{event:?}") };
    let participant = joined.participant.unwrap();
    assert_eq!(u64::from(participant.participant_id), event.number);
    assert_eq!(event.meeting_id, id);
}

/// Hears all notices from now on.
async fn hear_notices(bus: &ControlBus) -> tributary_message_bus::Subscriber {
    let subscription = bus.hear(subjects::all_notices()).await.unwrap();
    // What has been asked for is in force when the server has answered a later question.
    bus.ensure_notice_stream().await.unwrap();
    subscription
}

pub async fn connect(url: &str, name: &str) -> ControlBus {
    let config = NatsConfig { url: url.to_owned(), ..Default::default() };
    let bus = ControlBus::connect(&config, name, &Readiness::new().dependency("NATS")).await;
    let bus = bus.unwrap();
    let mut link = bus.link();
    tokio::time::timeout(DEADLINE, link.wait_for(|link| link.up)).await.unwrap().unwrap();
    bus
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_published_once_for_its_user_and_listed_alike() {
    let port = free_port();
    let url = format!("nats://127.0.0.1:{port}");
    let _nats = Nats::start(port);
    let relay = connect(&url, "relay").await;
    let mut heard = hear_notices(&relay).await;
    let answering = Answering::start_with_nats(&url).await;
    let mut client = answering.client();
    let meeting = client.create_meeting(create("Planning")).await.unwrap().into_inner().meeting;
    let id = meeting.unwrap().meeting_id;

    let next = async |heard: &mut tributary_message_bus::Subscriber| {
        let message = tokio::time::timeout(DEADLINE, heard.next()).await.unwrap().unwrap();
        (message.subject.to_string(), Notice::decode(message.payload).unwrap())
    };
    let (subject, invitation) = next(&mut heard).await;
    assert_eq!(subject, "trib-notice.default.bob");
    assert!(matches!(invitation.kind, Some(Kind::Invitation(_))), "{invitation:?}");
    assert_eq!((&invitation.meeting_id, invitation.subject.as_str()), (&id, "Planning"));
    assert_eq!(invitation.from_display_name, "ann", "the id, as no name was given");

    let share = NotifyRequest {
        request_id: "share-1".into(),
        meeting_id: id.clone(),
        user_ids: vec!["eve".into(), "dan".into()],
        from_user_id: "ann".into(),
        from_display_name: "Ann".into(),
        ..Default::default()
    };
    client.notify(share.clone()).await.unwrap();
    client.notify(share).await.unwrap();
    // Comes after all of the share, as it is made after it.
    let members = vec![tributary_contracts::registry::v1::Member {
        user_id: "last".into(),
        ..Default::default()
    }];
    let add = SetMembersRequest { meeting_id: id.clone(), members, ..Default::default() };
    client.set_members(add).await.unwrap();
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(next(&mut heard).await);
    }
    told.sort_by(|one, other| one.0.cmp(&other.0));
    let subjects: Vec<_> = told.iter().map(|(subject, _)| subject.as_str()).collect();
    let expected =
        ["trib-notice.default.dan", "trib-notice.default.eve", "trib-notice.default.last"];
    assert_eq!(subjects, expected, "each once");
    assert!(matches!(told[0].1.kind, Some(Kind::Shared(_))));

    let list = ListNoticesRequest { user_id: "eve".into(), ..Default::default() };
    let listed = client.list_notices(list).await.unwrap().into_inner().notices;
    assert_eq!(listed, [told[1].1.clone()], "as it was published");
    let quiet = tokio::time::timeout(std::time::Duration::from_millis(300), heard.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_can_be_kept_in_jetstream() {
    let port = free_port();
    let url = format!("nats://127.0.0.1:{port}");
    let _nats = Nats::start(port);
    connect(&url, "first").await;
    let section = Config { attachments: "jetstream".into(), ..Default::default() };
    let answering = Answering::start_as(&url, section).await;
    let mut client = answering.client();
    let meeting = client.create_meeting(create("Planning")).await.unwrap().into_inner().meeting;
    let meeting_id = meeting.unwrap().meeting_id;
    let header = AttachmentHeader {
        meeting_id: meeting_id.clone(),
        user_id: "bob".into(),
        file_name: "plan.bin".into(),
        ..Default::default()
    };
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    // Until its own connection is up, the service says that it should be tried again.
    let putting = async {
        loop {
            match client.put_attachment(upload(header.clone(), &bytes)).await {
                Ok(put) => return put.into_inner().attachment.unwrap().attachment_id,
                Err(status) => assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let attachment_id = tokio::time::timeout(DEADLINE, putting).await.unwrap();
    let get = GetAttachmentRequest {
        meeting_id: meeting_id.clone(),
        attachment_id,
        ..Default::default()
    };
    let (_, got) = download(&mut client, get).await.unwrap();
    assert!(got == bytes, "other bytes came back");
    let list = ListAttachmentsRequest { meeting_id, ..Default::default() };
    let listed = client.list_attachments(list).await.unwrap().into_inner().attachments;
    assert_eq!(listed.len(), 1, "what failed left nothing");
}
