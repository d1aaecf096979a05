//! The JetStream object store, as the meeting registry's NATS user and nobody else: what that user
//! may not do, the store does not need.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use async_nats::{HeaderMap, jetstream};
use tempfile::TempDir;
use tributary_file_store::{FileError, FileStore, JetStreamStore};
use tributary_message_bus::{
    ControlBus, Link,
    permissions::{User, authorization, inbox_prefix},
};
use tributary_service_runtime::{NatsConfig, Readiness, Secret};

use crate::suite::{Fixture, content, id, pieces, read};

const DEADLINE: Duration = Duration::from_secs(20);

/// A store on a nats-server of its own.
struct Bucket {
    process: Child,
    folder: TempDir,
    bus: ControlBus,
    /// The same user again, to look at what is stored.
    context: jetstream::Context,
    store: JetStreamStore,
}

impl Bucket {
    async fn new() -> Self {
        Self::with_room_for(0).await
    }

    async fn with_room_for(bytes_max: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\nmax_payload: 256KB\njetstream {{ store_dir: \"{}\", \
             sync_interval: always }}\n{}",
            folder.path().join("js").display(),
            authorization(&[(User::MeetingRegistry, "secret".to_owned())])
        );
        fs::write(folder.path().join("nats.conf"), text).unwrap();
        let process = start(&folder);
        let config = NatsConfig {
            url: format!("nats://127.0.0.1:{port}"),
            user: User::MeetingRegistry.name(),
            password: Secret::new("secret"),
        };
        let dependency = Readiness::new().dependency("nats");
        let bus = ControlBus::connect(&config, "test", &dependency).await.unwrap();
        is_up(&bus).await;
        let client = async_nats::ConnectOptions::new()
            .user_and_password(config.user.clone(), "secret".to_owned())
            .custom_inbox_prefix(inbox_prefix(&config.user))
            .connect(config.url)
            .await
            .unwrap();
        let store = JetStreamStore::new(&bus, bytes_max);
        Self { process, folder, bus, context: jetstream::new(client), store }
    }

    async fn stop_server(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        becomes(&self.bus, |link| !link.up).await;
    }

    async fn start_server(&mut self) {
        self.process = start(&self.folder);
        is_up(&self.bus).await;
    }

    async fn messages(&self) -> u64 {
        let stream = self.context.get_stream("OBJ_attachments").await;
        stream.map_or(0, |stream| stream.cached_info().state.messages)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Fixture for Bucket {
    fn store(&self) -> &dyn FileStore {
        &self.store
    }

    async fn is_empty(&self) -> bool {
        self.messages().await == 0
    }
}

fn start(folder: &TempDir) -> Child {
    let program = std::env::var("NATS_SERVER")
        .expect("NATS_SERVER must name the nats-server program: run `just test`");
    Command::new(program)
        .arg("-c")
        .arg(folder.path().join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn becomes(bus: &ControlBus, state: impl FnMut(&Link) -> bool) {
    let mut link = bus.link();
    let reached = tokio::time::timeout(DEADLINE, link.wait_for(state)).await;
    reached.expect("the connection changes in time").unwrap();
}

async fn is_up(bus: &ControlBus) {
    becomes(bus, |link| link.up).await;
}

/// Tries until JetStream answers again; it comes up a moment after the connection.
async fn eventually<T, F: Future<Output = Result<T, FileError>>>(mut ask: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match ask().await {
            Ok(value) => return value,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

crate::run_suite!(Bucket);

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_of_nats_see_the_object() {
    let bucket = Bucket::new().await;
    bucket.store.put(id(1), pieces(&content(300_000, 1), 64_000), u64::MAX).await.unwrap();
    let objects = bucket.context.get_object_store("attachments").await.unwrap();
    let info = objects.info(id(1).to_string()).await.unwrap();
    assert_eq!((info.size, info.chunks, info.deleted), (300_000, 3, false));
    assert_eq!(info.bucket, "attachments");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_bucket_takes_no_more_and_keeps_what_it_has() {
    let bucket = Bucket::with_room_for(400 * 1024).await;
    let first = content(200 * 1024, 1);
    bucket.store.put(id(1), pieces(&first, 64_000), u64::MAX).await.unwrap();
    let kept = bucket.messages().await;
    let refused = bucket.store.put(id(2), pieces(&content(300 * 1024, 2), 64_000), u64::MAX).await;
    assert_eq!(refused, Err(FileError::Full));
    assert_eq!(bucket.messages().await, kept);
    assert!(read(&bucket.store, id(1)).await.unwrap() == first);
    bucket.store.delete(id(1)).await.unwrap();
    bucket.store.put(id(2), pieces(&content(300 * 1024, 2), 64_000), u64::MAX).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_the_store_is_unavailable_and_comes_back_with_its_files() {
    let mut bucket = Bucket::new().await;
    let content = content(300_000, 1);
    bucket.store.put(id(1), pieces(&content, 64_000), u64::MAX).await.unwrap();
    bucket.stop_server().await;
    let store = bucket.store.clone();
    for error in [
        store.get(id(1)).await.map(drop).unwrap_err(),
        store.put(id(2), pieces(&content, 64_000), u64::MAX).await.map(drop).unwrap_err(),
        store.delete(id(1)).await.unwrap_err(),
    ] {
        assert!(matches!(error, FileError::Unavailable(_)), "{error}");
    }
    bucket.start_server().await;
    assert!(eventually(|| read(&store, id(1))).await == content);
    eventually(|| store.put(id(2), pieces(&content, 64_000), u64::MAX)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crashed_upload_has_left_goes_with_the_file() {
    let bucket = Bucket::new().await;
    bucket.store.put(id(1), pieces(b"bytes", 5), 5).await.unwrap();
    let orphan = format!("$O.attachments.C.{}.{}", id(1), id(9));
    bucket.context.publish(orphan, "half".into()).await.unwrap().await.unwrap();
    assert_eq!(bucket.messages().await, 3);
    bucket.store.delete(id(1)).await.unwrap();
    assert!(bucket.is_empty().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_those_that_were_stored_are_never_given_out_in_full() {
    let bucket = Bucket::new().await;
    bucket.store.put(id(1), pieces(&content(300_000, 1), 64_000), u64::MAX).await.unwrap();
    let objects = bucket.context.get_object_store("attachments").await.unwrap();
    let good = objects.info(id(1).to_string()).await.unwrap();
    let name = bucket.context.get_stream("OBJ_attachments").await.unwrap();
    let mut subjects = name.info_with_subjects("$O.attachments.M.>").await.unwrap();
    let subject = futures_util::StreamExt::next(&mut subjects).await.unwrap().unwrap().0;
    let other_digest = "SHA-256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned();
    for (chunks, digest) in [(3, Some(other_digest)), (4, good.digest.clone())] {
        let mut info = good.clone();
        (info.chunks, info.digest) = (chunks, digest);
        let text = info_json(&info);
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_ROLLUP, "sub");
        let published = bucket.context.publish_with_headers(subject.clone(), headers, text.into());
        published.await.unwrap().await.unwrap();
        let error = read(&bucket.store, id(1)).await.unwrap_err();
        assert!(matches!(error, FileError::Damaged(_)), "{error}");
    }
}

fn info_json(info: &jetstream::object_store::ObjectInfo) -> String {
    serde_json::to_string(info).unwrap()
}
