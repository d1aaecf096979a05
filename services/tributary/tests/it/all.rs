//! `tributary all` with a nats-server beside it: the embedded default carries a whole meeting.

use std::{net::TcpListener, process::Stdio, time::Duration};

use tokio::process::{Child, Command};
use tonic::{Request, transport::Endpoint};
use tributary_contracts::admin::v1::{CreateUserRequest, user_service_client::UserServiceClient};
use tributary_service_runtime::DEVELOPMENT_ADMIN_TOKEN;
use tributary_terminal::{AudioSource, IdentitySource, MeetingTarget, Options, Terminal};

use crate::process::Process;

const PASSWORD: &str = "a password for tests";
const DEADLINE: Duration = Duration::from_secs(20);
const TONES: [f32; 2] = [440.0, 660.0];

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn nats_server(folder: &std::path::Path, port: u16) -> Child {
    let program = std::env::var("NATS_SERVER")
        .expect("NATS_SERVER must name the nats-server program: run `just test`");
    Command::new(program)
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn create_user(grpc: std::net::SocketAddr, user_name: &str) {
    let channel = Endpoint::from_shared(format!("http://{grpc}")).unwrap().connect_lazy();
    let mut request = Request::new(CreateUserRequest {
        organisation: String::new(),
        user_name: user_name.to_owned(),
        display_name: "Ada".to_owned(),
        password: PASSWORD.to_owned(),
    });
    let token = format!("Bearer {DEVELOPMENT_ADMIN_TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    UserServiceClient::new(channel).create_user(request).await.unwrap();
}

fn with_tone(mut options: Options, hz: f32) -> Options {
    options.source = AudioSource::Tone { hz, level_dbfs: -20.0 };
    options.listen_for_hz = TONES.to_vec();
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn all_in_one_process_carries_a_meeting() {
    let folder = tempfile::tempdir().unwrap();
    let (nats_port, relay_port) = (free_port(), free_port());
    let _nats = nats_server(folder.path(), nats_port);
    let nats = format!("nats.url=nats://127.0.0.1:{nats_port}");
    let relay = format!("relay.listen=127.0.0.1:{relay_port}");
    let grpc_port = free_port();
    let grpc = format!("grpc.listen=127.0.0.1:{grpc_port}");
    let settings = [&*nats, &*relay, &*grpc, "relay.udp_listen=127.0.0.1:0"];
    let mut process = Process::start("all", &settings);
    process.logged("tributary has started").await;
    create_user(([127, 0, 0, 1], grpc_port).into(), "ada").await;

    let url = format!("http://127.0.0.1:{relay_port}");
    let identity = IdentitySource::LogIn { user_name: "ada".into(), password: PASSWORD.into() };
    let target = MeetingTarget::Create {
        subject: "All in one".into(),
        shared: true,
        password: String::new(),
    };
    let organiser = with_tone(Options::new(&url, identity, target), TONES[0]);
    let organiser = Terminal::join(organiser).await.unwrap();
    let guest = with_tone(Options::guest(&url, "Grace", organiser.meeting_id()), TONES[1]);
    let guest = Terminal::join(guest).await.unwrap();

    let heard = async {
        while organiser.hearing().heard_ms(TONES[1]) < 500
            || guest.hearing().heard_ms(TONES[0]) < 500
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, heard).await.expect("both hear each other");
    assert_eq!(organiser.hearing().heard_ms(TONES[0]), 0, "nobody hears themselves");
    assert_eq!(guest.hearing().heard_ms(TONES[1]), 0, "nobody hears themselves");
    guest.leave().await;
    organiser.leave().await;
    process.signal("TERM").await;
    assert_eq!(process.ended().await.0.code(), Some(0));
}
