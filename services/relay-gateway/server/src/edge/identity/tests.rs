//! Identities against a parent that checks every proof, and what a crash at any moment leaves.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicBool, Ordering},
};

use tonic::{Response, Status, Streaming, transport::Server};
use tributary_contracts::relay::v1::{
    AttachRequest, AttachResponse, CarryRequest, CarryResponse, EnrolResponse, FetchRequest,
    FetchResponse, GetChallengeResponse, RotateKeyResponse, VerifyRelayRequest,
    VerifyRelayResponse,
    relay_uplink_server::{RelayUplink, RelayUplinkServer},
};
use tributary_join_credential::{
    verify_relay_attach, verify_relay_enrolment, verify_relay_rotation,
};

use super::*;
use crate::edge::connect::Connector;

const TOKEN: &str = "one-time-token";
const CHALLENGE: [u8; 32] = [7; 32];

/// What a core knows of one relay.
#[derive(Default)]
struct Core {
    key: Mutex<Option<Vec<u8>>>,
    /// A rotation is done, and its answer lost.
    lose_answer: AtomicBool,
    /// A rotation is lost on the way there.
    lose_request: AtomicBool,
}

impl Core {
    fn key(&self) -> Vec<u8> {
        self.key.lock().unwrap().clone().unwrap_or_default()
    }

    fn knows(&self, proven: &Proven) -> bool {
        let relay = proven.hello.relay_id.parse().unwrap();
        verify_relay_attach(&self.key(), &CHALLENGE, &relay, &proven.hello.proof).is_ok()
    }
}

fn settings(name: &str) -> RelaySettings {
    RelaySettings {
        relay_id: "office".into(),
        relay_name: name.into(),
        room: true,
        uplink_limit_kbit: 2000,
        organisation: "default".into(),
        voices_max: 3,
    }
}

type Answers<T> = tokio_stream::Empty<Result<T, Status>>;

#[tonic::async_trait]
impl RelayUplink for Core {
    type AttachStream = Answers<AttachResponse>;
    type CarryStream = Answers<CarryResponse>;
    type FetchStream = Answers<FetchResponse>;

    async fn get_challenge(
        &self,
        _: Request<GetChallengeRequest>,
    ) -> Result<Response<GetChallengeResponse>, Status> {
        Ok(Response::new(GetChallengeResponse { challenge: CHALLENGE.to_vec() }))
    }

    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let request = request.into_inner();
        let proof = &request.proof;
        verify_relay_enrolment(&request.public_key, &request.challenge, TOKEN, proof)
            .map_err(|_| Status::unauthenticated("no"))?;
        *self.key.lock().unwrap() = Some(request.public_key);
        Ok(Response::new(EnrolResponse { settings: Some(settings("Office")) }))
    }

    async fn rotate_key(
        &self,
        request: Request<RotateKeyRequest>,
    ) -> Result<Response<RotateKeyResponse>, Status> {
        let session = request.metadata().get(SESSION_METADATA).unwrap();
        assert_eq!(session, "00ff10");
        if self.lose_request.load(Ordering::Relaxed) {
            return Err(Status::unavailable("lost"));
        }
        let request = request.into_inner();
        let (next, proof) = (&request.public_key, &request.proof);
        verify_relay_rotation(&self.key(), next, &CHALLENGE, proof, &request.next_proof)
            .map_err(|_| Status::unauthenticated("no"))?;
        *self.key.lock().unwrap() = Some(request.public_key);
        if self.lose_answer.load(Ordering::Relaxed) {
            return Err(Status::unavailable("lost"));
        }
        Ok(Response::new(RotateKeyResponse {}))
    }

    async fn verify_relay(
        &self,
        _: Request<VerifyRelayRequest>,
    ) -> Result<Response<VerifyRelayResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn attach(
        &self,
        _: Request<Streaming<AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn carry(
        &self,
        _: Request<Streaming<CarryRequest>>,
    ) -> Result<Response<Self::CarryStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn fetch(
        &self,
        _: Request<Streaming<FetchRequest>>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

struct World {
    core: Arc<Core>,
    channel: Channel,
    config: Config,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let core = Arc::new(Core::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let service = RelayUplinkServer::from_arc(Arc::clone(&core));
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join("token");
        fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
        let config = Config {
            upstream: vec![url],
            data_dir: folder.path().join("a/data"),
            enrolment_token_file: token_file,
            ..Config::default()
        };
        let connector = Connector::new(&config).unwrap();
        let channel = connector.connect(&connector.upstreams()[0]).await.unwrap().channel;
        Self { core, channel, config, _folder: folder }
    }

    fn open(&self) -> Identity {
        Identity::open(&self.config).unwrap()
    }

    async fn enrolled(&self) -> Identity {
        let identity = self.open();
        identity.enrol(self.channel.clone()).await.unwrap();
        identity
    }
}

#[tokio::test]
async fn a_relay_enrols_once_and_is_itself_after_a_restart_without_the_token() {
    let world = World::start().await;
    let identity = world.open();
    assert!(identity.settings().is_none());
    assert!(matches!(identity.sign(CHALLENGE.to_vec()), Err(IdentityError::NoToken)));
    let told = identity.enrol(world.channel.clone()).await.unwrap();
    assert_eq!((told.relay_id.to_string().as_str(), told.room), ("office", true));
    drop(identity);

    fs::remove_file(&world.config.enrolment_token_file).unwrap();
    let identity = world.open();
    assert_eq!(identity.settings().unwrap(), told);
    let proven = identity.prove(world.channel.clone()).await.unwrap();
    assert!(world.core.knows(&proven));
    assert!(!identity.refused(&proven), "there is no other key to try");
    identity.accepted(&proven, &settings("Renamed")).unwrap();
    drop(identity);
    assert_eq!(world.open().settings().unwrap().relay_name, "Renamed");
}

#[tokio::test]
async fn without_a_good_token_there_is_no_identity_and_the_words_say_what_to_do() {
    let mut world = World::start().await;
    fs::write(&world.config.enrolment_token_file, "another").unwrap();
    let identity = world.open();
    let error = identity.enrol(world.channel.clone()).await.unwrap_err();
    assert!(matches!(error, IdentityError::TokenRefused) && !error.is_passing());
    drop(identity);
    world.config.enrolment_token_file = PathBuf::new();
    let error = world.open().enrol(world.channel.clone()).await.unwrap_err().to_string();
    assert!(error.contains("--enrolment-token-file"), "{error}");
}

#[tokio::test]
async fn a_rotation_takes_the_new_key_and_its_age_counts_from_then() {
    let world = World::start().await;
    let identity = world.enrolled().await;
    let before = world.core.key();
    let now = SystemTime::now();
    assert!(!identity.rotation_due(now) && !identity.rotation_due(now + DAY * 29));
    assert!(identity.rotation_due(now + DAY * 30));
    identity.rotate(world.channel.clone(), &[0, 255, 16]).await.unwrap();
    assert_ne!(world.core.key(), before);
    drop(identity);
    let identity = world.open();
    assert!(world.core.knows(&identity.sign(CHALLENGE.to_vec()).unwrap()));
    assert!(identity.state().next.is_none());
}

#[tokio::test]
async fn a_rotation_cut_short_loses_nothing_whether_or_not_the_core_has_heard_of_it() {
    for core_has_it in [true, false] {
        let world = World::start().await;
        let identity = world.enrolled().await;
        world.core.lose_answer.store(core_has_it, Ordering::Relaxed);
        world.core.lose_request.store(!core_has_it, Ordering::Relaxed);
        let error = identity.rotate(world.channel.clone(), &[0, 255, 16]).await.unwrap_err();
        assert!(error.is_passing(), "{error}");
        drop(identity);

        // Started anew, it finds out which of the two it is.
        let identity = world.open();
        let first = identity.sign(CHALLENGE.to_vec()).unwrap();
        let good = if world.core.knows(&first) {
            first
        } else {
            assert!(identity.refused(&first));
            identity.sign(CHALLENGE.to_vec()).unwrap()
        };
        assert!(world.core.knows(&good));
        identity.accepted(&good, &settings("Office")).unwrap();
        assert_eq!(identity.state().next.is_none(), core_has_it);

        // And the rotation ends well.
        world.core.lose_answer.store(false, Ordering::Relaxed);
        world.core.lose_request.store(false, Ordering::Relaxed);
        identity.rotate(world.channel.clone(), &[0, 255, 16]).await.unwrap();
        assert!(world.core.knows(&identity.sign(CHALLENGE.to_vec()).unwrap()));
    }
}

#[tokio::test]
async fn what_others_can_read_or_another_process_has_is_refused() {
    let world = World::start().await;
    let identity = world.enrolled().await;
    assert!(matches!(Identity::open(&world.config), Err(IdentityError::InUse(_))));
    drop(identity);
    let folder = &world.config.data_dir;
    for (path, good) in [
        (folder.clone(), 0o700),
        (folder.join("relay.key"), 0o600),
        (folder.join("relay.json"), 0o600),
    ] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, good, "{}", path.display());
        fs::set_permissions(&path, fs::Permissions::from_mode(good | 0o040)).unwrap();
        let error = Identity::open(&world.config).err().unwrap().to_string();
        assert!(error.contains(&format!("chmod {good:o} {}", path.display())), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(good)).unwrap();
    }
    fs::write(folder.join("relay.json"), "{").unwrap();
    assert!(matches!(Identity::open(&world.config), Err(IdentityError::Damaged { .. })));
}
