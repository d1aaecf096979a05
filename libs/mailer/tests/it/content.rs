//! What is sent is what is received.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tributary_mailer::{InlineImage, Message};

use crate::{
    mailer, note,
    server::{Server, header},
};

/// The smallest picture: the signature is what the mailer looks at, the rest it passes on.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\r\n.\r\nQUIT\r\n\xff\xfe";

fn text_of(part: &Value) -> String {
    part["text"].as_str().unwrap().replace("\r\n", "\n")
}

#[tokio::test]
async fn text_page_and_image_arrive_as_they_were_sent() {
    let mut server = Server::start(&[]).await;
    let html = "<!doctype html>\n<p>会议 &amp; <img src=\"cid:qr@meet\">\n";
    let message = Message {
        to: "ada@Example.ORG".parse().unwrap(),
        subject: "会议邀请：Plans, \"quoted\" <eve@example.org> 🎉".into(),
        text: "会议\n\nhttps://meet.example.org/#/m/1/AAAAAAAAAAAAAAAAAAAAAA\n".into(),
        html: Some(html.into()),
        image: Some(InlineImage {
            content_id: "qr@meet".into(),
            file_name: "meeting-1.png".into(),
            png: PNG.into(),
        }),
    };
    mailer(format!("smtp://127.0.0.1:{}", server.port)).send(&message).await.unwrap();
    let received = server.received().await;
    assert_eq!(received["envelope_from"], "no-reply@meet.example.org");
    assert_eq!(received["envelope_to"], json!(["ada@example.org"]));
    assert_eq!(received["hello"], "meet.example.org");
    assert_eq!(received["defects"], json!([]));
    assert_eq!(header(&received, "Subject"), message.subject);
    assert_eq!(header(&received, "From"), "Tributary Überall <no-reply@meet.example.org>");
    assert_eq!(header(&received, "To"), "ada@example.org");
    assert_eq!(header(&received, "Auto-Submitted"), "auto-generated");
    assert!(header(&received, "Message-ID").ends_with("@meet.example.org>"));
    assert!(!header(&received, "Date").is_empty());
    let structure =
        ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"];
    assert_eq!(received["structure"], json!(structure));
    let parts = received["parts"].as_array().unwrap();
    assert_eq!(text_of(&parts[0]), message.text);
    assert_eq!(text_of(&parts[1]), html);
    assert_eq!(parts[2]["content_id"], "<qr@meet>");
    assert_eq!(parts[2]["disposition"], "inline");
    assert_eq!(parts[2]["file_name"], "meeting-1.png");
    assert_eq!(STANDARD.decode(parts[2]["base64"].as_str().unwrap()).unwrap(), PNG);
}

#[tokio::test]
async fn without_an_image_or_a_page_the_message_is_simpler() {
    let mut server = Server::start(&[]).await;
    let mailer = mailer(format!("smtp://127.0.0.1:{}", server.port));
    mailer.send(&note("ada@example.org")).await.unwrap();
    let received = server.received().await;
    assert_eq!(received["structure"], json!(["text/plain"]));
    // Empty lines at the end come with the end of the message.
    assert_eq!(text_of(&received["parts"][0]).trim_end(), "text");
    let page = Message { html: Some("<p>page".into()), ..note("ada@example.org") };
    mailer.send(&page).await.unwrap();
    let structure = ["multipart/alternative", "text/plain", "text/html"];
    assert_eq!(server.received().await["structure"], json!(structure));
}

#[tokio::test]
async fn text_that_looks_like_smtp_stays_text() {
    let mut server = Server::start(&[]).await;
    let long = "x".repeat(5_000);
    let text = format!(
        ".\n..\n.\r\nMAIL FROM:<eve@example.org>\nRCPT TO:<eve@example.org>\nDATA\n\nBcc: \
         eve@example.org\n{long}\n=41 From here\n\u{feff}\u{202e}\n--boundary--\n.\n"
    );
    let message = Message { text: text.clone(), html: Some(text.clone()), ..note("a@example.org") };
    mailer(format!("smtp://127.0.0.1:{}", server.port)).send(&message).await.unwrap();
    let received = server.received().await;
    assert_eq!(received["envelope_to"], json!(["a@example.org"]));
    assert_eq!(received["defects"], json!([]));
    for part in received["parts"].as_array().unwrap() {
        assert_eq!(text_of(part), text.replace("\r\n", "\n"));
    }
    let lines = received["raw"].as_str().unwrap().split("\r\n");
    // RFC 5322 section 2.1.1.
    assert!(lines.map(str::len).max().unwrap() <= 998);
}

#[tokio::test]
async fn more_messages_than_connections_all_arrive_each_to_one_person() {
    let mut server = Server::start(&[]).await;
    let mailer = mailer(format!("smtp://127.0.0.1:{}", server.port));
    let mut expected: Vec<String> = (0..12).map(|n| format!("p{n:02}@example.org")).collect();
    let mut running = tokio::task::JoinSet::new();
    for to in &expected {
        let (mailer, message) = (mailer.clone(), note(to));
        running.spawn(async move { mailer.send(&message).await });
    }
    assert!(running.join_all().await.into_iter().all(|sent| sent.is_ok()));
    let mut found = Vec::new();
    let mut ids = std::collections::HashSet::new();
    for _ in 0..expected.len() {
        let received = server.received().await;
        assert_eq!(received["envelope_to"].as_array().unwrap().len(), 1);
        found.push(received["envelope_to"][0].as_str().unwrap().to_owned());
        assert!(ids.insert(header(&received, "Message-ID").to_owned()));
    }
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
