//! The gRPC service that relays attach to.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use moka::sync::Cache;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, Streaming};
use tributary_contracts::relay::v1::{
    AttachRequest, AttachResponse, Attached, CarryRequest, EnrolRequest, EnrolResponse,
    FetchRequest, GetChallengeRequest, GetChallengeResponse, Hello, RelayHop, RotateKeyRequest,
    RotateKeyResponse, VerifyRelayRequest, VerifyRelayResponse, attach_request, attach_response,
    relay_uplink_server::{RelayUplink, RelayUplinkServer},
};
use tributary_identifiers::RelayId;
use tributary_relay_uplink::{check_child, protocol};

use super::{
    backend::Backend,
    carry::{self, CarryStream},
    child::{Child, TOKEN_BYTES},
    connections::{Caller, prefix_of},
    control,
    fetch::{self, FetchStream},
    links::ids_of,
    sessions::{Resume, Seat, Sessions},
};
use crate::terminals::allowance::Allowance;

/// The metadata that names a session.
pub(crate) const SESSION: &str = "tributary-uplink-session";
/// How long a child may take to say who it is.
const HELLO_TIME_MAX: Duration = Duration::from_secs(5);
/// How long the core may take to say whether that is so; the child waits for 3 s.
const VERIFY_TIME_MAX: Duration = Duration::from_secs(2);
/// Largest message of a child, in bytes: a terminal's largest message and what goes around it, or a
/// batch of frames.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Longest one-time token, challenge, proof or key, in bytes.
const SECRET_BYTES_MAX: usize = 512;
/// Longest version, in bytes.
const VERSION_BYTES_MAX: usize = 128;
/// Addresses whose attempts are counted at a time.
const ADDRESSES_MAX: u64 = 10_000;
/// Attempts of one address in a row, and a second: a proxy in front of this relay is one address.
const ATTEMPTS_BURST: f64 = 1_000.0;
const ATTEMPTS_PER_SECOND: f64 = 200.0;
/// What a child is told at the end, and how long it may take.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// The service, and the sessions of the relays that are attached. A clone shares them.
pub(crate) struct Host<B> {
    shared: Arc<Shared<B>>,
}

struct Shared<B> {
    backend: Arc<B>,
    sessions: Arc<Sessions<B>>,
    hold: Duration,
    /// Attempts of who has not said who it is, by address, or its prefix.
    attempts: Cache<IpAddr, Arc<Mutex<Allowance>>>,
    connections: TaskTracker,
    draining: CancellationToken,
}

impl<B> Clone for Host<B> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<B: Backend> Host<B> {
    /// Nobody is attached yet. `hold` is for how long a session is kept without a connection.
    pub(crate) fn new(backend: Arc<B>, hold: Duration) -> Self {
        let sessions = Arc::new(Sessions::new(backend.clone(), hold));
        let attempts = Cache::builder()
            .max_capacity(ADDRESSES_MAX)
            .time_to_idle(Duration::from_secs(60))
            .build();
        let connections = TaskTracker::new();
        let draining = CancellationToken::new();
        let shared = Shared { backend, sessions, hold, attempts, connections, draining };
        Self { shared: Arc::new(shared) }
    }

    /// The service, for a listener.
    pub(crate) fn service(&self) -> RelayUplinkServer<Self> {
        RelayUplinkServer::new(self.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(usize::MAX)
    }

    /// The sessions there are.
    pub(crate) fn children(&self) -> Vec<Arc<Child>> {
        self.shared.sessions.all()
    }

    /// Cuts everybody: who does not take what is said has had its time.
    pub(crate) fn cut_all(&self) {
        self.shared.draining.cancel();
        for child in self.children() {
            child.end(Status::unavailable("this relay goes: attach to another one, or again"));
        }
    }

    /// Nobody attaches any more, and who is attached is told to come again, here or elsewhere, once
    /// everything said before has arrived.
    pub(crate) async fn drain(&self) {
        self.shared.draining.cancel();
        let children = self.children();
        let flushing = children.iter().map(|child| child.flush(DRAIN_TIME_MAX));
        futures_util::future::join_all(flushing).await;
        self.cut_all();
        self.shared.connections.close();
        let _ = timeout(DRAIN_TIME_MAX, self.shared.connections.wait()).await;
    }

    /// The session that a call is made in.
    fn session<T>(&self, request: &Request<T>) -> Result<Arc<Child>, Status> {
        let text = "no session is named: attach first, and send its token as \
                    `tributary-uplink-session`";
        let caller = caller(request)?;
        let token = request.metadata().get(SESSION).map(|value| value.as_bytes());
        let named = match token.and_then(from_hex) {
            Some(token) => {
                let child = self.shared.sessions.named(&token);
                child.ok_or("there is no such session: attach anew")
            }
            None => Err(text),
        };
        match &named {
            Ok(_) => caller.was_admitted(),
            Err(_) => caller.was_wrong(),
        }
        named.map_err(Status::unauthenticated)
    }

    /// Lets nobody try too often who has not said who it is.
    fn attempt<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        if self.shared.draining.is_cancelled() {
            return Err(Status::unavailable("this relay goes: use another upstream"));
        }
        let caller = caller(request)?;
        let address = prefix_of(caller.address());
        let now = Instant::now();
        let new = || {
            let allowance = Allowance::of(ATTEMPTS_BURST, ATTEMPTS_PER_SECOND, now);
            Arc::new(Mutex::new(allowance))
        };
        let allowance = self.shared.attempts.get_with(address, new);
        let mut allowance = allowance.lock().unwrap_or_else(PoisonError::into_inner);
        if allowance.take(now) {
            return Ok(caller);
        }
        Err(Status::resource_exhausted("too many attempts from this address: wait a second"))
    }

    /// The way to this relay, and whether `relay` may be the next on it.
    fn path_to(&self, relay: &RelayId) -> Result<(Vec<RelayHop>, Vec<RelayId>), Status> {
        let hops = self.shared.backend.path()?;
        let path = ids_of(&hops).map_err(|error| Status::internal(error.to_string()))?;
        check_child(&path, relay)
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        Ok((hops, path))
    }

    /// Whether a relay is what it says, and its session.
    async fn admit(&self, hello: &Hello) -> Result<(Seat, Attached, Vec<RelayId>), Status> {
        let relay = check_hello(hello)?;
        let protocol = protocol::negotiate(hello.protocol_oldest, hello.protocol_newest)
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        let (path, own_path) = self.path_to(&relay)?;
        let sessions = &self.shared.sessions;
        let verifying = self.shared.backend.verify(None, hello);
        let verified = timeout(VERIFY_TIME_MAX, verifying).await;
        let settings = match verified {
            Ok(Ok(settings)) => settings,
            Ok(Err(status)) if status.code() != tonic::Code::Unavailable => return Err(status),
            // Nobody can be asked now. Whoever knows the token of the session that is held is who has
            // been verified for it.
            _ => match sessions.of(&relay, &hello.resume) {
                Some(child) => child.settings(),
                None => {
                    let text = "nobody can be asked now whether you are attached: try again";
                    return Err(Status::unavailable(text));
                }
            },
        };
        let resume = Resume { token: &hello.resume, received: hello.received };
        let seat = sessions.admit(&relay, settings, resume).await?;
        let attached = Attached {
            protocol,
            resumed: seat.resumed,
            received: seat.incoming.received(),
            session_token: seat.claim.child.token.to_vec(),
            settings: Some(seat.claim.child.settings()),
            path,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hold_ms: u32::try_from(self.shared.hold.as_millis()).unwrap_or(u32::MAX),
        };
        tracing::info!(
            relay = %relay,
            version = %hello.version.escape_debug(),
            resumed = seat.resumed,
            uplink = seat.claim.child.uplink.0,
            "a relay is attached"
        );
        Ok((seat, attached, own_path))
    }
}

#[tonic::async_trait]
impl<B: Backend> RelayUplink for Host<B> {
    type AttachStream = ReceiverStream<Result<AttachResponse, Status>>;
    type CarryStream = CarryStream;
    type FetchStream = FetchStream;

    async fn get_challenge(
        &self,
        request: Request<GetChallengeRequest>,
    ) -> Result<Response<GetChallengeResponse>, Status> {
        self.attempt(&request)?;
        let challenge = self.shared.backend.challenge().await?;
        Ok(Response::new(GetChallengeResponse { challenge }))
    }

    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        self.attempt(&request)?;
        let request = request.into_inner();
        let EnrolRequest { token, public_key, challenge, proof } = &request;
        check_secrets(&[token.as_bytes(), public_key, challenge, proof])?;
        let settings = Some(self.shared.backend.enrol(request).await?);
        Ok(Response::new(EnrolResponse { settings }))
    }

    async fn rotate_key(
        &self,
        request: Request<RotateKeyRequest>,
    ) -> Result<Response<RotateKeyResponse>, Status> {
        let child = self.session(&request)?;
        let request = request.into_inner();
        let RotateKeyRequest { relay_id, public_key, challenge, proof, next_proof } = &request;
        check_secrets(&[relay_id.as_bytes(), public_key, challenge, proof, next_proof])?;
        self.shared.backend.rotate(&child, request).await?;
        Ok(Response::new(RotateKeyResponse {}))
    }

    async fn verify_relay(
        &self,
        request: Request<VerifyRelayRequest>,
    ) -> Result<Response<VerifyRelayResponse>, Status> {
        let child = self.session(&request)?;
        let text = "hello: it is missing";
        let hello = request.into_inner().hello.ok_or_else(|| Status::invalid_argument(text))?;
        let relay = check_hello(&hello)?;
        self.path_to(&relay)?;
        let settings = Some(self.shared.backend.verify(Some(&child), &hello).await?);
        Ok(Response::new(VerifyRelayResponse { settings }))
    }

    async fn attach(
        &self,
        request: Request<Streaming<AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let caller = self.attempt(&request)?;
        let mut inbound = request.into_inner();
        let first = timeout(HELLO_TIME_MAX, inbound.message()).await;
        let first =
            first.map_err(|_| Status::deadline_exceeded("say `hello` first, at once"))??;
        let Some(attach_request::Body::Hello(hello)) = first.and_then(|first| first.body) else {
            return Err(Status::invalid_argument("the first message must be `hello`"));
        };
        let (seat, attached, own_path) = self.admit(&hello).await?;
        caller.was_admitted();
        let (outbound, messages) = mpsc::channel(control::MESSAGES_AHEAD);
        let first = AttachResponse {
            sequence: 0,
            acknowledged: attached.received,
            body: Some(attach_response::Body::Attached(attached)),
        };
        let backend = self.shared.backend.clone();
        let running = control::run(backend, own_path, seat, first, inbound, outbound, caller);
        self.shared.connections.spawn(running);
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn carry(
        &self,
        request: Request<Streaming<CarryRequest>>,
    ) -> Result<Response<Self::CarryStream>, Status> {
        let child = self.session(&request)?;
        let port = self.shared.backend.media().open_uplink(child.uplink).await;
        let port = port.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(carry::run(child, port, request.into_inner())))
    }

    async fn fetch(
        &self,
        request: Request<Streaming<FetchRequest>>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let child = self.session(&request)?;
        let place = fetch::place(&child)?;
        let (head, body) = fetch::open(&child, request.into_inner()).await?;
        let (head, body) = self.shared.backend.fetch(&child, head, body).await?;
        Ok(Response::new(fetch::answer(child, head, body, place)))
    }
}

/// Who asks, if it is to be answered at all.
fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let caller = Caller::of(request);
    if caller.asks() {
        return Ok(caller);
    }
    let text = "too many wrong session tokens came by this connection: attach by a new one";
    Err(Status::resource_exhausted(text))
}

/// Who says this, if it can be what a relay says.
fn check_hello(hello: &Hello) -> Result<RelayId, Status> {
    let relay = hello
        .relay_id
        .parse()
        .map_err(|error| Status::invalid_argument(format!("hello.relay_id: {error}")))?;
    check_secrets(&[&hello.challenge, &hello.proof])?;
    if !hello.resume.is_empty() && hello.resume.len() != TOKEN_BYTES {
        return Err(Status::invalid_argument("hello.resume must have 32 bytes, or none"));
    }
    if hello.version.len() > VERSION_BYTES_MAX {
        return Err(Status::invalid_argument("hello.version is too long"));
    }
    Ok(relay)
}

fn check_secrets(secrets: &[&[u8]]) -> Result<(), Status> {
    if secrets.iter().all(|secret| secret.len() <= SECRET_BYTES_MAX) {
        return Ok(());
    }
    Err(Status::invalid_argument("a token, key, challenge or proof is too long"))
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() != 2 * TOKEN_BYTES {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    text.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_holder_are_counted_together() {
        let prefix = |text: &str| prefix_of(text.parse().unwrap());
        assert_eq!(prefix("2001:db8:1:2:3:4:5:6"), prefix("2001:db8:1:2::1"));
        assert_ne!(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:3::1"));
        assert_ne!(prefix("192.0.2.1"), prefix("192.0.2.2"));
    }

    #[test]
    fn tokens_are_read_from_hexadecimal() {
        let token: String = (0..TOKEN_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let expected: Vec<u8> = (0..TOKEN_BYTES).map(|byte| byte as u8).collect();
        assert_eq!(from_hex(token.as_bytes()), Some(expected.clone()));
        assert_eq!(from_hex(token.to_uppercase().as_bytes()), Some(expected));
        assert_eq!(from_hex(&token.as_bytes()[2..]), None);
        assert_eq!(from_hex("zz".repeat(TOKEN_BYTES).as_bytes()), None);
    }

    #[test]
    fn what_no_relay_says_of_itself_is_refused() {
        let good = Hello { relay_id: "office".to_owned(), ..Hello::default() };
        assert!(check_hello(&good).is_ok());
        for bad in [
            Hello { relay_id: "not an id".to_owned(), ..good.clone() },
            Hello { resume: vec![0; 31], ..good.clone() },
            Hello { proof: vec![0; SECRET_BYTES_MAX + 1], ..good.clone() },
            Hello { version: "x".repeat(VERSION_BYTES_MAX + 1), ..good.clone() },
        ] {
            assert_eq!(check_hello(&bad).unwrap_err().code(), tonic::Code::InvalidArgument);
        }
    }
}
