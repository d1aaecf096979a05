//! Garbage, floods, and never reading: nothing to be had by it but that others are disturbed, which shows
//! in what they hear.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tributary_contracts::relay::v1 as relay;
use tributary_contracts::relay::v1::attach_request::Body as Say;

use super::child::with_session;
use super::stage::Stage;
use crate::{Parent, wait};

const TIMES: usize = 20;
const FLOOD_LINKS: u32 = 20_000;
const FLOOD_SESSIONS: usize = 100;
const FLOOD_CHALLENGES: usize = 2_000;
/// For so long an address that was too busy may be made to wait.
const FINE_WITHIN: Duration = Duration::from_secs(10);
const NEVER_READS: Duration = Duration::from_secs(10);

pub async fn run(stage: &mut Stage) -> Result<()> {
    let parent = stage.world.uplink_address(Parent::Relay(0))?;
    bytes(stage, parent).await?;
    messages(stage).await?;
    pages(stage).await?;
    links(stage).await?;
    sessions(stage).await?;
    deaf(stage).await
}

/// The core relay is there and takes who comes as it should: else what was tried has succeeded. It may
/// make an address wait that was too busy.
async fn is_fine(stage: &mut Stage) -> bool {
    let second = &stage.second;
    let attached = wait::until("the core relay to take another relay", FINE_WITHIN, || async {
        match second.hello().await {
            Ok(hello) => second.attach(hello).await.is_ok(),
            Err(_) => false,
        }
    });
    attached.await.is_ok() && stage.world.any_ended().is_none()
}

/// No HTTP/2, or nothing that makes sense in it.
async fn bytes(stage: &mut Stage, parent: SocketAddr) -> Result<()> {
    for attempt in 0..TIMES {
        let mut stream = TcpStream::connect(parent).await?;
        let mut garbage: Vec<u8> = Vec::new();
        if attempt % 2 == 1 {
            garbage.extend(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        }
        garbage.extend((0..4_096).map(|_| stage.seeded.number() as u8));
        // It may be closed before all is said.
        let _ = stream.write_all(&garbage).await;
    }
    let fine = is_fine(stage).await;
    stage.tried_often("garbage instead of HTTP/2", TIMES, usize::from(!fine));
    Ok(())
}

/// Messages that break the rules of the protocol, each in a session of its own.
async fn messages(stage: &mut Stage) -> Result<()> {
    let own = stage.evil.hop();
    let open = |link_id: u32| {
        let path = vec![own.clone()];
        let client_address = "192.0.2.7".to_owned();
        Say::OpenLink(relay::OpenLink { link_id, client_address, path, own: false })
    };
    let message = |link_id, message: Vec<u8>| {
        Say::LinkMessage(relay::LinkMessage { link_id, message: message.into() })
    };
    let random: Vec<u8> = (0..2_000).map(|_| stage.seeded.number() as u8).collect();
    let reachable = relay::LinksReachable { link_ids: (0..100_000).collect(), reachable: false };
    let answer = relay::IntroductionAnswer { introduction_id: 7, ..Default::default() };
    let broken: Vec<Vec<Say>> = vec![
        vec![open(1), message(1, random)],
        vec![open(1), message(1, vec![0; 80 * 1024])],
        vec![open(1), open(1)],
        vec![open(9), open(3)],
        vec![message(77, vec![1])],
        vec![
            open(1),
            Say::CloseLink(relay::CloseLink { link_id: 1, silent_ms: u64::MAX, code: 0 }),
        ],
        vec![Say::LinksReachable(reachable)],
        vec![Say::IntroductionAnswer(answer)],
        vec![Say::Hello(relay::Hello::default())],
        vec![open(u32::MAX), open(0)],
    ];
    for sayings in broken {
        for _ in 0..TIMES / 10 {
            let hello = stage.evil.hello().await?;
            let mut attachment = stage.evil.attach(hello).await?;
            for say in &sayings {
                // The parent may have had enough.
                let _ = attachment.say(say.clone()).await;
            }
            let _ = attachment.next().await;
        }
    }
    for (sequence, acknowledged) in [(5, 0), (u64::MAX, 0), (0, 99), (1, u64::MAX), (0, 0)] {
        let hello = stage.evil.hello().await?;
        let attachment = stage.evil.attach(hello).await?;
        let request = relay::AttachRequest { sequence, acknowledged, body: Some(open(1)) };
        let _ = attachment.send(request).await;
        let empty = relay::AttachRequest { sequence, acknowledged, body: None };
        let _ = attachment.send(empty).await;
    }
    let fine = is_fine(stage).await;
    stage.tried_often("a message against the rules", TIMES + 10, usize::from(!fine));
    Ok(())
}

/// Pages that no terminal is for.
async fn pages(stage: &mut Stage) -> Result<()> {
    let hello = stage.evil.hello().await?;
    let attachment = stage.evil.attach(hello).await?;
    for path in [
        "/metrics",
        "/readyz",
        "/",
        "/meetings/../metrics",
        "/meetings/../../etc/passwd",
        "//127.0.0.1:1/meetings/",
        "http://127.0.0.1/meetings/1",
        "/status.json",
    ] {
        let head = relay::FetchRequestHead {
            method: "GET".to_owned(),
            path: path.to_owned(),
            ..relay::FetchRequestHead::default()
        };
        let part = Some(relay::fetch_request::Part::Head(head));
        let parts = tokio_stream::iter([relay::FetchRequest { part }]);
        let fetch = with_session(parts, &attachment.token())?;
        let mut success = false;
        if let Ok(answer) = stage.evil.client().fetch(fetch).await
            && let Ok(Some(relay::FetchResponse { part: Some(part) })) =
                answer.into_inner().message().await
            && let relay::fetch_response::Part::Head(head) = part
        {
            success = (200..300).contains(&head.status);
        }
        stage.tried("a page that is not for terminals", success);
    }
    Ok(())
}

/// More links than anybody has terminals.
async fn links(stage: &mut Stage) -> Result<()> {
    let own = stage.evil.hop();
    let (mut opened, mut begun) = (0, 0);
    while opened < FLOOD_LINKS && begun < TIMES {
        begun += 1;
        let hello = stage.evil.hello().await?;
        let mut attachment = stage.evil.attach(hello).await?;
        for link_id in 1..=FLOOD_LINKS {
            if attachment.open(link_id, vec![own.clone()]).await.is_err() {
                break;
            }
            opened += 1;
        }
    }
    let fine = is_fine(stage).await;
    stage.tried_often("a flood of links", opened as usize, usize::from(!fine));
    Ok(())
}

/// One session after the other, and challenges that nobody uses.
async fn sessions(stage: &mut Stage) -> Result<()> {
    for _ in 0..FLOOD_SESSIONS {
        let hello = stage.evil.hello().await?;
        let mut attachment = stage.evil.attach(hello).await?;
        let _ = attachment.open(1, vec![stage.evil.hop()]).await;
    }
    for _ in 0..FLOOD_CHALLENGES {
        // It may be refused.
        let _ = stage.evil.challenge().await;
    }
    let fine = is_fine(stage).await;
    let attempts = FLOOD_SESSIONS + FLOOD_CHALLENGES;
    stage.tried_often("a flood of sessions and challenges", attempts, usize::from(!fine));
    Ok(())
}

/// In the meeting, with all streams open, and takes nothing of what it is told.
async fn deaf(stage: &mut Stage) -> Result<()> {
    let hello = stage.evil.hello().await?;
    let mut attachment = stage.evil.attach(hello).await?;
    let nonce = attachment.welcome(1, vec![stage.evil.hop()]).await?;
    let meeting_id = stage.meeting_id.clone();
    super::links::enter(stage, &mut attachment, &nonce, &meeting_id, true).await?;
    let _carrying = attachment.carry(&stage.evil).await?;
    for link_id in 2..200 {
        let _ = attachment.open(link_id, vec![stage.evil.hop()]).await;
    }
    let end = tokio::time::Instant::now() + NEVER_READS;
    let mut written = 0;
    while tokio::time::Instant::now() < end {
        stage.writer.chat(&format!("to who does not listen {written}"), &[]).await?;
        written += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(attachment);
    let fine = is_fine(stage).await;
    stage.tried_often("never reading", written, usize::from(!fine));
    Ok(())
}
