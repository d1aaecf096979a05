//! Shares by e-mail, with a real SMTP server: `tests/peers/smtp_server.py`, which
//! `TRIBUTARY_TEST_SMTP` names.

use std::{process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use tonic::Code;
use tributary_access_control_server::Config;
use tributary_contracts::access::v1::{
    CreateShareRequest, DecideRequest, EmailForm, Reason, ShareForm, share_form::Form,
};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_service_runtime::Secret;

use crate::{
    on_both_databases,
    world::{OUTSIDER, World, join, lasting, link, share},
};

const VARIABLE: &str = "TRIBUTARY_TEST_SMTP";
const DEADLINE: Duration = Duration::from_secs(60);
/// An address that the mail server knows nobody at.
const NOBODY: &str = "nobody@example.org";

struct MailServer {
    port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    process: Child,
}

impl MailServer {
    async fn start() -> Self {
        let program = std::env::var(VARIABLE)
            .expect("TRIBUTARY_TEST_SMTP must name the mail server of the tests: run `just test`");
        let mut process = Command::new(program)
            .args(["--refuse", NOBODY])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = timeout(DEADLINE, lines.next_line()).await.unwrap().unwrap();
        Self { port: port.unwrap().parse().unwrap(), lines, process }
    }

    async fn received(&mut self) -> Value {
        let line = timeout(DEADLINE, self.lines.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line.unwrap()).unwrap()
    }

    fn config(&self) -> Config {
        let mut config = Config { require_share_secret: true, ..lasting() };
        config.mail.url = Secret::new(format!("smtp://127.0.0.1:{}", self.port));
        config.mail.from = "Tributary <no-reply@example.org>".to_owned();
        config
    }
}

fn to(addresses: &[&str]) -> CreateShareRequest {
    let addresses = addresses.iter().map(ToString::to_string).collect();
    CreateShareRequest {
        form: Some(ShareForm { form: Some(Form::Email(EmailForm { addresses })) }),
        ..link()
    }
}

async fn an_invitation_arrives_and_its_link_lets_in(database: ScratchDatabase) {
    let mut server = MailServer::start().await;
    let world = World::start(&database, server.config()).await;
    let shared = share(&world.access, to(&["ann@example.org", "bob@example.org"])).await.unwrap();
    assert_eq!(shared.link, None);
    let (first, second) = (server.received().await, server.received().await);
    let mut receivers = [&first, &second].map(|mail| mail["envelope_to"][0].as_str().unwrap());
    receivers.sort_unstable();
    assert_eq!(receivers, ["ann@example.org", "bob@example.org"]);
    assert!(!first["raw"].as_str().unwrap().contains(second["envelope_to"][0].as_str().unwrap()));
    let parts = first["parts"].as_array().unwrap();
    let types: Vec<_> = parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["text/plain", "text/html", "image/png"]);
    let text = parts[0]["text"].as_str().unwrap();
    assert!(text.contains("Olga") && text.contains("Weekly"), "{text}");
    let url = text.split_whitespace().find(|word| word.contains("#/m/")).unwrap();
    let share_secret = url.rsplit('/').next().unwrap().to_owned();
    assert_eq!(world.join(OUTSIDER, "").await, Reason::SecretRequired);
    let by_link = DecideRequest { share_secret, ..join(OUTSIDER, "") };
    assert_eq!(world.reason(by_link).await, Reason::Shared);
}

async fn only_what_the_mail_server_has_accepted_is_shared(database: ScratchDatabase) {
    let mut server = MailServer::start().await;
    let world = World::start(&database, server.config()).await;
    let status = share(&world.access, to(&[NOBODY])).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::NotShared);

    let shared = share(&world.access, to(&[NOBODY, "ann@example.org"])).await.unwrap();
    let reached = EmailForm { addresses: vec!["ann@example.org".to_owned()] };
    assert_eq!(shared.share.unwrap().form.unwrap().form, Some(Form::Email(reached)));
    server.received().await;
    world.revoke("").await.unwrap();

    server.process.kill().await.unwrap();
    let status = share(&world.access, to(&["ann@example.org"])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(world.join(OUTSIDER, "").await, Reason::ShareRevoked);
}

async fn an_organiser_sends_so_many_in_a_day(database: ScratchDatabase) {
    let mut server = MailServer::start().await;
    let config = Config { mail_limit: 3, ..server.config() };
    let world = World::start(&database, config).await;
    share(&world.access, to(&["a@example.org", "b@example.org"])).await.unwrap();
    let status = share(&world.access, to(&["c@example.org", "d@example.org"])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    share(&world.access, to(&["c@example.org"])).await.unwrap();
    for _ in 0..3 {
        server.received().await;
    }
    let status = share(&world.access, to(&["d@example.org"])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    world.pass(crate::world::DAY);
    share(&world.access, to(&["d@example.org"])).await.unwrap();
}

on_both_databases!(
    an_invitation_arrives_and_its_link_lets_in,
    only_what_the_mail_server_has_accepted_is_shared,
    an_organiser_sends_so_many_in_a_day,
);

#[tokio::test]
async fn without_a_mail_server_nothing_is_sent() {
    let world = World::start(&scratch::sqlite(), lasting()).await;
    let status = share(&world.access, to(&["ann@example.org"])).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let many: Vec<String> = (0..51).map(|number| format!("a{number}@example.org")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for addresses in [&["ann"][..], &["ann@example.org\nBcc: b@example.org"], &[], &many] {
        let status = share(&world.access, to(addresses)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{addresses:?}");
    }
}
