//! Files on their way: how many of one user, and what becomes of them when the user is revoked.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tributary_contracts::{
    access::v1::Role,
    credential::v1::{RevokedUser, revocation::What},
    registry::v1::Attachment,
};
use tributary_terminal::{Account, HttpError};

use crate::{
    fake_access::Verdict,
    world::{World, eventually, meeting},
};

const SOON: Duration = Duration::from_secs(20);
/// More than all buffers on the way take in.
const LARGE_FILE_BYTES: usize = 32 << 20;
const UPLOADS_OF_USER_MAX: usize = 4;

/// Begins a request that goes on when the test does.
async fn begin(
    world: &World,
    account: &Account,
    method: &str,
    path: &str,
    rest: &str,
) -> TcpStream {
    let token = account.identity().unwrap().identity_token;
    let address = world.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let path = format!("/meetings/{}/attachments{path}", meeting(1));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\n{rest}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// An upload of which only the beginning comes.
async fn begin_upload(world: &World, account: &Account) -> TcpStream {
    begin(world, account, "POST", "?name=a.txt", "content-length: 1000\r\n\r\nbeginning").await
}

async fn revoke(world: &World, user_id: &str) {
    let bus = world.credential_bus().await;
    let user = RevokedUser { organisation: "default".into(), user_id: user_id.into() };
    world.revoke(&bus, What::User(user)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_ends_when_its_user_is_revoked() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Member));
    let account = world.account("ada").await;
    let mut upload = begin_upload(&world, &account).await;
    eventually("it is let in", || world.access.decisions.lock().unwrap().len() == 1).await;
    revoke(&world, "ada").await;
    let mut answer = String::new();
    timeout(SOON, upload.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(!world.registry.calls.lock().unwrap().contains(&"put_attachment"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_ends_when_its_user_is_revoked() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Member));
    let (attachment_id, size) = ("large".to_owned(), LARGE_FILE_BYTES as u64);
    let file = Attachment { attachment_id, size, file_name: "a".into(), ..<_>::default() };
    world.registry.keep_file(file, vec![7; LARGE_FILE_BYTES]);
    let account = world.account("ada").await;
    let mut notices = account.notices().await.unwrap();
    let mut download = begin(&world, &account, "GET", "/large", "\r\n").await;
    let mut first = [0; 12];
    download.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    revoke(&world, "ada").await;
    assert_eq!(timeout(SOON, notices.next()).await.unwrap(), None);
    let mut rest = Vec::new();
    // How a connection is cut off is not for this test.
    let _ = timeout(SOON, download.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() < LARGE_FILE_BYTES, "the whole file was given");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_does_not_take_all_places() {
    let world = World::start().await;
    world.access.decide(meeting(1), Verdict::Allowed(Role::Member));
    let (ada, bob) = (world.account("ada").await, world.account("bob").await);
    let mut uploads = Vec::new();
    for _ in 0..UPLOADS_OF_USER_MAX {
        uploads.push(begin_upload(&world, &ada).await);
    }
    let decisions = || world.access.decisions.lock().unwrap().len();
    eventually("all are let in", || decisions() == UPLOADS_OF_USER_MAX).await;
    let answer = ada.attach(meeting(1), "b.txt", "text/plain", "data").await;
    let Err(HttpError::Refused { status, code, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!((status, code.as_str()), (429, "LIMIT"));
    bob.attach(meeting(1), "b.txt", "text/plain", "data").await.unwrap();
    // What is given up makes room.
    drop(uploads.pop());
    let deadline = tokio::time::Instant::now() + SOON;
    while ada.attach(meeting(1), "b.txt", "text/plain", "data").await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "no place was free again");
    }
}
