//! Files of meetings over HTTP.

use std::collections::BTreeMap;

use bytes::Bytes;
use tributary_contracts::{
    access::v1::{Role, Told},
    registry::v1::Attachment,
};
use tributary_relay_gateway_server::Config;
use tributary_terminal::{Account, HttpError};

use crate::{
    fake_access::Verdict,
    fake_registry::FILE_BYTES_MAX,
    world::{World, meeting, target},
};

/// Headers that differ from answer to answer by nature.
const VARYING: [&str; 1] = ["date"];

type Seen = (u16, BTreeMap<String, String>, Bytes);

fn refused<T: std::fmt::Debug>(answer: Result<T, HttpError>) -> (Seen, String) {
    match answer {
        Err(HttpError::Refused { status, code, headers, body, .. }) => {
            let headers = headers.into_iter().filter(|(name, _)| !VARYING.contains(&name.as_str()));
            ((status, headers.collect(), body), code)
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// Bytes that no two pieces have alike.
fn content(size: usize) -> Bytes {
    (0..size).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_comes_back_as_it_went_in_piece_by_piece() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Member));
    let account = world.account("ada").await;
    let sent = content(5 * (1 << 20) + 13);
    let attached =
        account.attach(meeting(1), "plan \"final\"/ü.pdf", "application/pdf", sent.clone()).await;
    let attached = attached.unwrap();
    assert_eq!(attached.file_name, "plan \"final\"/ü.pdf");
    assert_eq!((attached.size, attached.sha256), (sent.len() as u64, vec![7; 32]));
    assert_eq!(world.registry.file("new"), sent);
    let pieces = world.registry.pieces.lock().unwrap().clone();
    assert!(pieces.iter().all(|size| *size <= 64 << 10), "{pieces:?}");

    let read = account.attachment(meeting(1), "new").await.unwrap();
    assert_eq!(read.data, sent);
    let header = |name: &str| {
        let found = read.headers.iter().find(|(other, _)| other == name);
        found.unwrap_or_else(|| panic!("no {name}")).1.as_str()
    };
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"plan _final__ _.pdf\"; \
         filename*=UTF-8''plan%20%22final%22%2F%C3%BC.pdf"
            .replace("__ _", "___")
    );
    assert_eq!(header("content-type"), "application/pdf");
    assert_eq!(header("content-length"), sent.len().to_string());
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("cache-control"), "no-store");
    assert!(header("content-security-policy").contains("sandbox"));
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_are_decided_anew_and_every_refusal_is_the_same() {
    let world = World::start().await;
    let account = Account::guest(&world.url, "eve").await.unwrap();
    let attachment_id = "file".to_owned();
    let file = Attachment { attachment_id, size: 4, file_name: "a".into(), ..<_>::default() };
    world.registry.keep_file(file, "data");
    world.access.decide(meeting(1), Verdict::Allowed(Role::Outsider));
    assert_eq!(account.attachment(meeting(1), "file").await.unwrap().data, "data");
    let mut seen = vec![refused(account.attachment(meeting(1), "other").await)];
    world.access.decide(meeting(1), Verdict::Refused(Told::Nothing, "SHARE_REVOKED"));
    // Revoked, absent, of another organisation: a refusal is a refusal.
    seen.push(refused(account.attachment(meeting(1), "file").await));
    seen.push(refused(account.attachment(meeting(2), "file").await));
    seen.push(refused(account.attachment(meeting(2), "%00").await));
    seen.push(refused(account.attach(meeting(2), "a.txt", "text/plain", "data").await));
    assert_eq!((seen[0].0.0, seen[0].1.as_str()), (404, "NOT_ADMITTED"));
    assert!(seen.iter().all(|other| *other == seen[0]), "{seen:#?}");
    let uploads = world.registry.calls.lock().unwrap().clone();
    assert!(!uploads.contains(&"put_attachment"));
}

#[tokio::test(flavor = "multi_thread")]
async fn outsiders_show_secret_and_password_in_headers() {
    let world = World::start().await;
    let account = Account::guest(&world.url, "eve").await.unwrap();
    let shown = target(1).with_password("pässwörd").with_share_secret("AAECAwQFBgcICQoLDA0ODw");
    world.access.decide(meeting(1), Verdict::Refused(Told::WrongPassword, ""));
    let (seen, code) = refused(account.attachment(shown, "file").await);
    assert_eq!((seen.0, code.as_str()), (403, "WRONG_PASSWORD"));
    let decision = world.access.decisions.lock().unwrap()[0].clone();
    assert_eq!(decision.password, "pässwörd");
    assert_eq!(decision.share_secret, "AAECAwQFBgcICQoLDA0ODw");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_attached_by_members_only_and_not_too_large() {
    let bytes_max = FILE_BYTES_MAX as u64 + 100;
    let world =
        World::start_with(Config { attachment_bytes_max: bytes_max, ..Config::default() }).await;
    let account = world.account("ada").await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Outsider));
    let (seen, code) = refused(account.attach(meeting(1), "a.txt", "text/plain", "data").await);
    assert_eq!((seen.0, code.as_str()), (403, "FORBIDDEN"));
    world.access.decide(meeting(1), Verdict::Allowed(Role::Member));
    // What the registry does not take, and what the relay does not.
    for size in [FILE_BYTES_MAX + 1, FILE_BYTES_MAX + 101] {
        let sent = content(size);
        let (seen, code) = refused(account.attach(meeting(1), "a.txt", "text/plain", sent).await);
        assert_eq!((seen.0, code.as_str()), (413, "LIMIT"));
    }
    assert_eq!(world.registry.calls.lock().unwrap().len(), 1);
    let (seen, _) = refused(account.attach(meeting(1), "", "text/plain", "data").await);
    assert_eq!(seen.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_token_nothing_is_asked_about_the_meeting() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Member));
    let nobody = Account::connect(&world.url).await.unwrap();
    let (seen, code) = refused(nobody.attachment(meeting(1), "file").await);
    assert_eq!((seen.0, code.as_str()), (401, "NOT_LOGGED_IN"));
    assert_eq!(refused(nobody.attachment(meeting(2), "file").await).0, seen);
    assert!(world.access.decisions.lock().unwrap().is_empty());
}
