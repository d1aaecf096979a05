//! `tributary terminal …`, as far as it goes without the binary.

use clap::Parser as _;
use tributary_audio::{Goertzel, SAMPLE_RATE, read_clip};
use tributary_contracts::terminal::v1::{RefusalCode, terminal_message::Body};
use tributary_terminal::{OperationBody, Options, Terminal, cli};

use crate::{
    conversation::tone,
    stub_relay::{SHARE_SECRET, StubRelay, meeting_id, share_link},
};

#[tokio::test]
async fn joining_from_the_command_line_records_what_is_heard() {
    let relay = StubRelay::start().await;
    let mut options = Options::guest(&relay.url, "A", meeting_id());
    options.source = tone(440.0);
    let _a = Terminal::join(options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heard.wav");
    let meeting = format!("{}/#/m/{}", relay.url, meeting_id());
    let args = cli::Args::parse_from([
        "terminal",
        "join",
        "--relay",
        &relay.url,
        "--meeting",
        &meeting,
        "--play",
        "melody",
        "--listen-for",
        "440,550",
        "--seconds",
        "2.5",
        "--record",
        file.to_str().unwrap(),
    ]);
    cli::run(args).await.unwrap();
    assert_eq!(relay.count("leave"), 1);
    let heard = read_clip(&file).unwrap();
    assert!((SAMPLE_RATE as usize..4 * SAMPLE_RATE as usize).contains(&heard.len()));
    let tail = &heard[heard.len() - 24_000..];
    let power = Goertzel::new(440.0, 9_600).dbfs(tail);
    assert!((power + 20.0).abs() < 3.0, "{power} dB");
}

#[tokio::test]
async fn a_meeting_is_created_from_the_command_line() {
    let relay = StubRelay::start().await;
    let args =
        ["terminal", "create-meeting", "--relay", &relay.url, "--subject", "Demo", "--shared"];
    cli::run(cli::Args::parse_from(args)).await.unwrap();
    assert_eq!(relay.count("create_meeting"), 1);
}

#[tokio::test]
async fn a_shared_link_brings_its_secret() {
    let relay = StubRelay::start().await;
    let link = share_link();
    let args = ["terminal", "join", "--relay", &relay.url, "--link", &link, "--seconds", "0.1"];
    cli::run(cli::Args::parse_from(args)).await.unwrap();
    let requests = relay.bodies("request_join_credential");
    let [Body::RequestJoinCredential(request)] = requests.as_slice() else {
        panic!("{requests:?}")
    };
    assert_eq!(request.share_secret, SHARE_SECRET);
    assert_eq!(request.meeting_id, meeting_id().to_string());
}

#[tokio::test]
async fn what_is_to_be_done_once_in_is_done() {
    let relay = StubRelay::start().await;
    let meeting = meeting_id().to_string();
    let args = ["terminal", "join", "--relay", &relay.url, "--meeting", &meeting, "--seconds", "2"];
    let acts = ["--chat", "hello", "--raise-hand", "--check-in"];
    cli::run(cli::Args::parse_from(args.into_iter().chain(acts))).await.unwrap();
    let done: Vec<_> = relay.operations().into_iter().map(|o| o.body.unwrap()).collect();
    let [OperationBody::CheckIn(_), OperationBody::SetHand(hand), OperationBody::SendChat(chat)] =
        done.as_slice()
    else {
        panic!("{done:?}")
    };
    assert!(hand.raised);
    assert_eq!(chat.text, "hello");
}

#[tokio::test]
async fn a_locked_meeting_is_said_to_be_locked() {
    let relay = StubRelay::start().await;
    relay.refuse_next("join", RefusalCode::MeetingLocked);
    let meeting = meeting_id().to_string();
    let args = ["terminal", "join", "--relay", &relay.url, "--meeting", &meeting];
    let error = cli::run(cli::Args::parse_from(args)).await.unwrap_err();
    assert!(format!("{error:#}").contains("Ask a host to unlock it"), "{error:#}");
}
