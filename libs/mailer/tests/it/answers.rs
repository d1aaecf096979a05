//! What the caller is told when the server does not take a message.

use tokio::net::TcpListener;
use tributary_mailer::{InvalidMessage, MailConfig, Mailer, Message, SendError};

use crate::{config, mailer, note, server::Server};

#[tokio::test]
async fn a_refused_and_a_busy_address_are_told_apart_and_others_go_on() {
    let mut server =
        Server::start(&["--refuse", "gone@example.org", "--defer", "busy@example.org"]).await;
    let mailer = mailer(format!("smtp://127.0.0.1:{}", server.port));
    let refused = mailer.send(&note("gone@example.org")).await.unwrap_err();
    assert!(matches!(&refused, SendError::Refused(reason) if reason.contains("550")), "{refused}");
    assert!(!refused.is_transient());
    let deferred = mailer.send(&note("busy@example.org")).await.unwrap_err();
    assert!(matches!(&deferred, SendError::Deferred(reason) if reason.contains("451")));
    assert!(deferred.is_transient());
    mailer.send(&note("ada@example.org")).await.unwrap();
    assert_eq!(server.received().await["envelope_to"][0], "ada@example.org");
}

#[tokio::test]
async fn an_impossible_message_reaches_no_server() {
    let mailer = mailer("smtp://127.0.0.1:1".into());
    let message = Message { subject: "a\r\nBcc: eve@example.org".into(), ..note("a@example.org") };
    let error = mailer.send(&message).await.unwrap_err();
    assert_eq!(error, SendError::Message(InvalidMessage::Subject));
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = mailer(format!("smtp://127.0.0.1:{port}")).send(&note("a@example.org")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, SendError::Unreachable(_)), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_silent_server_keeps_nobody_longer_than_configured() {
    // Connections are made, and nobody ever says anything.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let config = MailConfig { timeout_seconds: 1, ..config(url) };
    let mailer = Mailer::new(&config).unwrap().unwrap();
    let mut running = tokio::task::JoinSet::new();
    // Some of them wait for a connection.
    for _ in 0..10 {
        let mailer = mailer.clone();
        running.spawn(async move { mailer.send(&note("a@example.org")).await });
    }
    for sent in running.join_all().await {
        assert_eq!(sent, Err(SendError::Timeout(1)));
    }
    assert!(SendError::Timeout(1).is_transient());
}

#[tokio::test]
async fn a_server_that_speaks_another_language_is_an_error_of_one_line() {
    use tokio::io::AsyncWriteExt as _;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let serving = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let noise = [&b"554 no\x1b[31m\x07"[..], &vec![b'x'; 400], b"\r\n"].concat();
        connection.write_all(&noise).await.unwrap();
        connection
    });
    let error = mailer(url).send(&note("a@example.org")).await.unwrap_err().to_string();
    assert!(error.len() < 400 && !error.chars().any(char::is_control), "{error}");
    drop(serving.await.unwrap());
}
