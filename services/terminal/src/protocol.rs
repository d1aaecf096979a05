//! The terminal protocol's wire: one WebSocket to a relay, requests and their answers, and what the
//! relay says by itself. Knows nothing of what the messages mean, so that it can also send bad ones.

mod address;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use address::web_socket_url;
pub(crate) use address::{authority_and_folder, local_address_towards};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use thiserror::Error;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Message, Utf8Bytes, client::IntoClientRequest as _, http::HeaderValue,
        protocol::WebSocketConfig,
    },
};
use tributary_contracts::terminal::v1::{
    Join, Joined, Ping, RefusalCode, RelayMessage, TerminalMessage, Welcome,
    relay_message::Body as Reply, terminal_message::Body,
};
use tributary_join_credential::TerminalKey;

/// Largest message of a relay, in bytes: more than the roster of a full meeting with the longest names.
const ROSTER_BYTES_MAX: usize = 8 << 20;
/// How long a relay may take for its welcome or an answer.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// And for a share: it waits up to a minute for somebody's mail server.
const SHARE_TIME_MAX: Duration = Duration::from_secs(70);
/// Requests that wait for their answers at once: operations of two meetings, and all else.
const PENDING_MAX: usize = 256;
/// Messages that the relay sent by itself and nobody took yet; a connection that gets behind further is
/// ended, and what it has missed is told to the next one.
const UNSOLICITED_MAX: usize = 32_768;
/// So that a relay knows that the terminal is there, and the terminal that the relay is.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// A relay that does not answer for so long is taken for lost.
const PONG_TIME_MAX: Duration = Duration::from_secs(6);

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Not an address of a relay.
    #[error("not a relay's address: {0} (for example ws://127.0.0.1:8080)")]
    BadUrl(String),
    /// TLS is asked for.
    #[error("this terminal speaks ws:// and http:// only")]
    Tls,
    /// No WebSocket came about.
    #[error("can't reach the relay: {0}")]
    Unreachable(String),
    /// A WebSocket, but no relay behind it.
    #[error("the relay did not say welcome")]
    NoWelcome,
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The relay did not carry it out.
    #[error("{}: {message}", code.as_str_name())]
    Refused {
        /// For programs.
        code: RefusalCode,
        /// For people.
        message: String,
    },
    /// The connection ended.
    #[error("the connection to the relay was lost")]
    Lost,
    /// No answer in [`ANSWER_TIME_MAX`].
    #[error("the relay did not answer in time")]
    TimedOut,
    /// An answer of another kind than the request asks for.
    #[error("the relay gave an answer of the wrong kind")]
    WrongKind,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

enum Command {
    Request { body: Body, reply: oneshot::Sender<Reply> },
    Raw(Message),
    Close,
}

/// A connection to a relay. Dropping it ends it without a goodbye.
#[derive(Debug)]
pub struct Connection {
    welcome: Welcome,
    requests: Requests,
    unsolicited: mpsc::Receiver<RelayMessage>,
    close_code: Arc<Mutex<Option<u16>>>,
    abort: AbortHandle,
}

/// Sends requests over a connection; any number may be under way.
#[derive(Debug, Clone)]
pub struct Requests(mpsc::Sender<Command>);

impl Connection {
    /// Connects to a relay by its address: `ws://host:port/terminal/v1`, or just `http://host:port`.
    pub async fn connect(relay_url: &str) -> Result<Self, ConnectError> {
        Self::open(relay_url, None).await
    }

    /// The same, with the header that a proxy writes for a terminal at this address. A relay believes it
    /// only from proxies that it trusts.
    pub async fn connect_from(relay_url: &str, address: &str) -> Result<Self, ConnectError> {
        Self::open(relay_url, Some(address)).await
    }

    async fn open(relay_url: &str, forwarded_for: Option<&str>) -> Result<Self, ConnectError> {
        let bad = || ConnectError::BadUrl(relay_url.to_owned());
        let mut request = web_socket_url(relay_url)?.into_client_request().map_err(|_| bad())?;
        if let Some(address) = forwarded_for {
            let value = HeaderValue::from_str(address).map_err(|_| bad())?;
            request.headers_mut().insert("x-forwarded-for", value);
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(ROSTER_BYTES_MAX))
            .max_frame_size(Some(ROSTER_BYTES_MAX));
        let connecting = connect_async_with_config(request, Some(config), true);
        let (mut socket, _) = timeout(ANSWER_TIME_MAX, connecting)
            .await
            .map_err(|_| ConnectError::Unreachable("no answer in time".into()))?
            .map_err(|error| ConnectError::Unreachable(error.to_string()))?;
        let welcome = welcome(&mut socket).await?;
        let (commands, received_commands) = mpsc::channel(PENDING_MAX);
        let (tell, unsolicited) = mpsc::channel(UNSOLICITED_MAX);
        let close_code = Arc::default();
        let pump = Pump {
            socket,
            unsolicited: tell,
            pending: HashMap::new(),
            last_id: 0,
            close_code: Arc::clone(&close_code),
        };
        let abort = tokio::spawn(pump.run(received_commands)).abort_handle();
        Ok(Self { welcome, requests: Requests(commands), unsolicited, close_code, abort })
    }

    /// True after the end.
    pub fn has_ended(&self) -> bool {
        self.requests.0.is_closed()
    }

    /// What the relay said first.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// A handle for requests that can be passed around.
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Sends a request and waits for its answer. A refusal is an error.
    pub async fn request(&self, body: Body) -> Result<Reply, RequestError> {
        self.requests.request(body).await
    }

    /// The next message that answers no request of [`request`](Self::request); `None` after the end.
    pub async fn next(&mut self) -> Option<RelayMessage> {
        self.unsolicited.recv().await
    }

    /// Sends a binary message as it is.
    pub async fn send_bytes(&self, bytes: impl Into<Bytes>) -> Result<(), RequestError> {
        self.requests.send(Command::Raw(Message::Binary(bytes.into()))).await
    }

    /// Sends a text message, which no relay takes.
    pub async fn send_text(&self, text: &str) -> Result<(), RequestError> {
        self.requests.send(Command::Raw(Message::Text(Utf8Bytes::from(text)))).await
    }

    /// The code (RFC 6455 §7.4) with which the relay closed, once it has.
    pub fn close_code(&self) -> Option<u16> {
        *self.close_code.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says goodbye and ends the connection.
    pub async fn close(mut self) {
        if self.requests.send(Command::Close).await.is_ok() {
            // Ends when the relay has closed too.
            let _ = timeout(ANSWER_TIME_MAX, async { while self.next().await.is_some() {} }).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Requests {
    /// Sends a request and waits for its answer. A refusal is an error.
    pub async fn request(&self, body: Body) -> Result<Reply, RequestError> {
        let time_max = match &body {
            Body::ShareMeeting(_) => SHARE_TIME_MAX,
            Body::Ping(_) => PONG_TIME_MAX,
            _ => ANSWER_TIME_MAX,
        };
        let answer = self.start(body).await?;
        timeout(time_max, answer.wait()).await.unwrap_or(Err(RequestError::TimedOut))
    }

    /// Sends a request, after those that were started before; its answer can be waited for meanwhile.
    pub(crate) async fn start(&self, body: Body) -> Result<Answer, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Request { body, reply }).await?;
        Ok(Answer(answer))
    }

    async fn send(&self, command: Command) -> Result<(), RequestError> {
        self.0.send(command).await.map_err(|_| RequestError::Lost)
    }
}

/// The answer to a request that was sent.
pub(crate) struct Answer(oneshot::Receiver<Reply>);

impl Answer {
    /// Waits as long as the connection lasts.
    pub(crate) async fn wait(self) -> Result<Reply, RequestError> {
        match self.0.await {
            Ok(Reply::Refusal(refusal)) => {
                Err(RequestError::Refused { code: refusal.code(), message: refusal.message })
            }
            Ok(reply) => Ok(reply),
            Err(_) => Err(RequestError::Lost),
        }
    }
}

/// Joins with a credential that is bound to the key. `fill` says how, in all other fields; what was
/// filled in before may be changed too.
pub async fn join(
    connection: &Connection,
    key: &TerminalKey,
    credential: &str,
    fill: impl FnOnce(&mut Join),
) -> Result<Joined, RequestError> {
    let mut join = Join {
        join_credential: credential.to_owned(),
        public_key: key.public_key().to_vec(),
        // Without randomness the proof is empty, and refused.
        proof: key.sign_join_proof(&connection.welcome().nonce, credential).unwrap_or_default(),
        ..Join::default()
    };
    fill(&mut join);
    match connection.request(Body::Join(join)).await? {
        Reply::Joined(joined) => Ok(joined),
        _ => Err(RequestError::WrongKind),
    }
}

/// Shows the relay that the terminal is there; ends when the relay does not answer any more.
pub(crate) async fn ping(requests: Requests) {
    let mut beats = interval(PING_INTERVAL);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        match requests.request(Body::Ping(Ping {})).await {
            Ok(_) | Err(RequestError::Refused { .. }) => {}
            Err(_) => return,
        }
    }
}

/// Owns the socket.
struct Pump {
    socket: Socket,
    unsolicited: mpsc::Sender<RelayMessage>,
    pending: HashMap<u64, oneshot::Sender<Reply>>,
    last_id: u64,
    close_code: Arc<Mutex<Option<u16>>>,
}

impl Pump {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let proceeds = tokio::select! {
                message = self.socket.next() => match message {
                    Some(Ok(message)) => self.take(message),
                    Some(Err(_)) | None => false,
                },
                command = commands.recv() => match command {
                    Some(command) => self.perform(command).await,
                    None => false,
                },
            };
            if !proceeds {
                return;
            }
        }
    }

    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Binary(bytes) => match RelayMessage::decode(bytes) {
                Ok(message) => self.dispatch(message),
                Err(error) => {
                    tracing::warn!(%error, "the relay sent something else than a message");
                    false
                }
            },
            Message::Close(frame) => {
                let code = frame.map(|frame| u16::from(frame.code));
                *self.close_code.lock().unwrap_or_else(PoisonError::into_inner) = code;
                true
            }
            _ => true,
        }
    }

    fn dispatch(&mut self, message: RelayMessage) -> bool {
        if let Some(reply) = self.pending.remove(&message.in_reply_to) {
            // Nobody may wait any more. An answer without a body is as good as none.
            if let Some(body) = message.body {
                let _ = reply.send(body);
            }
            return true;
        }
        self.unsolicited.try_send(message).is_ok()
    }

    async fn perform(&mut self, command: Command) -> bool {
        let message = match command {
            Command::Close => return self.socket.close(None).await.is_ok(),
            Command::Raw(message) => message,
            Command::Request { body, reply } => {
                self.pending.retain(|_, reply| !reply.is_closed());
                self.last_id += 1;
                if self.pending.len() < PENDING_MAX {
                    self.pending.insert(self.last_id, reply);
                }
                let message = TerminalMessage { request_id: self.last_id, body: Some(body) };
                Message::Binary(message.encode_to_vec().into())
            }
        };
        self.socket.send(message).await.is_ok()
    }
}

async fn welcome(socket: &mut Socket) -> Result<Welcome, ConnectError> {
    let first = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Binary(bytes))) => return RelayMessage::decode(bytes).ok(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return None,
            }
        }
    };
    match timeout(ANSWER_TIME_MAX, first).await {
        Ok(Some(RelayMessage { body: Some(Reply::Welcome(welcome)), .. })) => Ok(welcome),
        _ => Err(ConnectError::NoWelcome),
    }
}
