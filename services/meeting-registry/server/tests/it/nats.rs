//! The whole service with a real nats-server, which `NATS_SERVER` names.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use prost::Message as _;
use tempfile::TempDir;
use tributary_contracts::{
    event::v1::{MeetingEvent, meeting_event::Body},
    registry::v1::JoinRequest,
};
use tributary_meeting_registry_server::Clock;
use tributary_message_bus::{ControlBus, subjects::MeetingScope};
use tributary_service_runtime::{NatsConfig, Readiness};

use crate::{
    DEADLINE,
    calls::{Answering, create, join},
    open, until,
};

/// A server of the test's own, ended with it.
struct Nats {
    process: Child,
    _folder: TempDir,
}

impl Nats {
    fn start(port: u16) -> Self {
        let program = std::env::var("NATS_SERVER")
            .expect("NATS_SERVER must name the nats-server program: run `just test`");
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new(program)
            .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, _folder: folder }
    }
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
    assert_eq!(store.untold(10).await.unwrap().len(), 1);

    let _nats = Nats::start(port);
    until("an empty outbox", || async { store.untold(1).await.unwrap().is_empty() }).await;

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
