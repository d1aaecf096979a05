//! The protocol of uplinks as bytes are: a relay that says what it likes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use prost::Message as _;
use prost::bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tributary_contracts::relay::v1 as relay;
use tributary_contracts::relay::v1::attach_request::Body as Say;
use tributary_contracts::relay::v1::attach_response::Body as Said;
use tributary_contracts::relay::v1::relay_uplink_client::RelayUplinkClient;
use tributary_contracts::terminal::v1 as terminal;
use tributary_contracts::terminal::v1::relay_message::Body as Reply;
use tributary_contracts::terminal::v1::terminal_message::Body as Ask;
use tributary_identifiers::RelayId;
use tributary_join_credential::RelayKey;

/// How long an answer may take.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// Messages on their way out.
const WAITING_MAX: usize = 1_024;
/// Time between two signs of life.
const BEAT: Duration = Duration::from_millis(500);
/// The version of the protocol.
const PROTOCOL: u32 = 1;

/// A relay with a key of its own.
pub struct Relay {
    /// Who it is.
    pub id: RelayId,
    /// Its name.
    pub name: String,
    key: RelayKey,
    parent: SocketAddr,
    channel: Channel,
}

impl Relay {
    /// Enrols with a one-time token.
    pub async fn enrol(parent: SocketAddr, token: &str) -> Result<Self> {
        let channel = connect(parent).await?;
        let key = RelayKey::generate()?;
        let mut client = RelayUplinkClient::new(channel.clone());
        let challenge = client.get_challenge(relay::GetChallengeRequest {}).await?;
        let challenge = challenge.into_inner().challenge;
        let enrolment = relay::EnrolRequest {
            token: token.to_owned(),
            public_key: key.public_key().to_vec(),
            proof: key.sign_enrolment(&challenge, token)?,
            challenge,
        };
        let enrolled = client.enrol(enrolment).await.context("enrol")?.into_inner();
        let settings = enrolled.settings.context("no settings in the answer")?;
        let (id, name) = (settings.relay_id.parse()?, settings.relay_name);
        Ok(Self { id, name, key, parent, channel })
    }

    /// Uses another connection from now on.
    pub async fn reconnect(&mut self) -> Result<()> {
        self.channel = connect(self.parent).await?;
        Ok(())
    }

    /// For calls that need no stream.
    pub fn client(&self) -> RelayUplinkClient<Channel> {
        RelayUplinkClient::new(self.channel.clone())
    }

    /// A random value of the core's.
    pub async fn challenge(&self) -> Result<Vec<u8>> {
        let asked = self.client().get_challenge(relay::GetChallengeRequest {}).await;
        Ok(asked.context("ask for a challenge")?.into_inner().challenge)
    }

    /// Who it is, proven as it should be.
    pub async fn hello(&self) -> Result<relay::Hello> {
        let challenge = self.challenge().await?;
        Ok(relay::Hello {
            relay_id: self.id.to_string(),
            proof: self.sign(&challenge, &self.id)?,
            challenge,
            protocol_oldest: PROTOCOL,
            protocol_newest: PROTOCOL,
            version: "0.0.0".to_owned(),
            ..relay::Hello::default()
        })
    }

    /// A proof by its own key, for whichever relay.
    pub fn sign(&self, challenge: &[u8], of: &RelayId) -> Result<Vec<u8>> {
        Ok(self.key.sign_attach(challenge, of)?)
    }

    /// Its own place in a path.
    pub fn hop(&self) -> relay::RelayHop {
        relay::RelayHop { relay_id: self.id.to_string(), relay_name: self.name.clone() }
    }

    /// Attaches with whatever is said first.
    pub async fn attach(&self, hello: relay::Hello) -> Result<Attachment, Status> {
        self.attach_saying(Say::Hello(hello)).await
    }

    /// Begins the control stream with anything.
    pub async fn attach_saying(&self, first: Say) -> Result<Attachment, Status> {
        let (say, said) = mpsc::channel(WAITING_MAX);
        let first = relay::AttachRequest { body: Some(first), ..Default::default() };
        let gone = || Status::unavailable("the stream is closed");
        say.send(first).await.map_err(|_| gone())?;
        let mut client = self.client();
        let attaching = client.attach(ReceiverStream::new(said));
        let attaching = tokio::time::timeout(ANSWER_DEADLINE, attaching).await;
        let mut answers =
            attaching.map_err(|_| Status::deadline_exceeded("no answer"))??.into_inner();
        let next = tokio::time::timeout(ANSWER_DEADLINE, answers.message()).await;
        let next = next.map_err(|_| Status::deadline_exceeded("no answer"))??;
        match next.and_then(|answer| answer.body) {
            Some(Said::Attached(attached)) => {
                let (payloads, spoken, heard) = (HashMap::new(), 0, Arc::new(AtomicU64::new(0)));
                let mut beats = JoinSet::new();
                beats.spawn(beat(say.clone(), Arc::clone(&heard)));
                let _beats = beats;
                let over = String::new();
                Ok(Attachment { say, answers, attached, payloads, spoken, heard, over, _beats })
            }
            other => Err(Status::internal(format!("{other:?} instead of attached"))),
        }
    }
}

async fn connect(parent: SocketAddr) -> Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{parent}"))?.connect().await?)
}

/// A control stream that is open.
pub struct Attachment {
    say: mpsc::Sender<relay::AttachRequest>,
    answers: Streaming<relay::AttachResponse>,
    /// What the parent has said first.
    pub attached: relay::Attached,
    payloads: HashMap<u32, Bytes>,
    spoken: u64,
    heard: Arc<AtomicU64>,
    /// Why nothing more is said.
    over: String,
    /// Ends when dropped.
    _beats: JoinSet<()>,
}

impl Attachment {
    /// The session's token as other calls show it.
    pub fn token(&self) -> String {
        self.attached.session_token.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Says something, numbered as it should be.
    pub async fn say(&mut self, body: Say) -> Result<()> {
        self.spoken += 1;
        let (sequence, acknowledged) = (self.spoken, self.heard.load(Ordering::Relaxed));
        self.send(relay::AttachRequest { sequence, acknowledged, body: Some(body) }).await
    }

    /// Says something as it is.
    pub async fn send(&self, request: relay::AttachRequest) -> Result<()> {
        let sending = tokio::time::timeout(ANSWER_DEADLINE, self.say.send(request)).await;
        sending.context("the parent takes nothing")?.ok().context("the stream is closed")
    }

    /// Opens a link over these relays.
    pub async fn open(&mut self, link_id: u32, path: Vec<relay::RelayHop>) -> Result<()> {
        let client_address = "192.0.2.7".to_owned();
        self.say(Say::OpenLink(relay::OpenLink { link_id, client_address, path, own: false })).await
    }

    /// A terminal says something.
    pub async fn ask(&mut self, link_id: u32, request_id: u64, ask: Ask) -> Result<()> {
        let message = terminal::TerminalMessage { request_id, body: Some(ask) };
        let message = message.encode_to_vec().into();
        self.say(Say::LinkMessage(relay::LinkMessage { link_id, message })).await
    }

    /// The next thing that is said; none after the end or when nothing comes any more.
    pub async fn next(&mut self) -> Option<Said> {
        let next = tokio::time::timeout(ANSWER_DEADLINE, self.answers.message()).await;
        let message = match next.ok()? {
            Ok(message) => message?,
            Err(status) => {
                self.over = status.message().to_owned();
                return None;
            }
        };
        self.heard.fetch_max(message.sequence, Ordering::Relaxed);
        let mut body = message.body?;
        if let Said::Deliver(deliver) = &mut body
            && deliver.payload_id != 0
        {
            match deliver.payload.is_empty() {
                true => deliver.payload = self.payloads.get(&deliver.payload_id).cloned()?,
                false => {
                    self.payloads.insert(deliver.payload_id, deliver.payload.clone());
                }
            }
        }
        Some(body)
    }

    /// The next thing that a terminal is told; an error if its link is closed or nothing comes.
    pub async fn told(&mut self, link_id: u32) -> Result<terminal::RelayMessage> {
        let telling = tokio::time::timeout(ANSWER_DEADLINE, self.told_at_last(link_id));
        telling.await.context("no answer")?
    }

    async fn told_at_last(&mut self, link_id: u32) -> Result<terminal::RelayMessage> {
        loop {
            let Some(said) = self.next().await else { bail!("it is over: {}", self.over) };
            match said {
                Said::Deliver(deliver) if deliver.link_ids.contains(&link_id) => {
                    return Ok(terminal::RelayMessage::decode(deliver.payload)?);
                }
                Said::CloseLink(closed) if closed.link_id == link_id => {
                    bail!("the link is closed: {}", closed.code)
                }
                _ => {}
            }
        }
    }

    /// Asks and waits for the answer.
    pub async fn answered(&mut self, link_id: u32, request_id: u64, ask: Ask) -> Result<Reply> {
        self.ask(link_id, request_id, ask).await?;
        loop {
            let told = self.told(link_id).await?;
            if told.in_reply_to == request_id {
                return told.body.context("an empty answer");
            }
        }
    }

    /// Opens a link and waits for the nonce.
    pub async fn welcome(&mut self, link_id: u32, path: Vec<relay::RelayHop>) -> Result<Vec<u8>> {
        self.open(link_id, path).await?;
        match self.told(link_id).await?.body {
            Some(Reply::Welcome(welcome)) => Ok(welcome.nonce),
            other => bail!("{other:?} instead of welcome"),
        }
    }

    /// The media stream of this session.
    pub async fn carry(&self, relay: &Relay) -> Result<Carrying, Status> {
        carry(relay, &self.token()).await
    }
}

/// Signs of life, as long as the stream is there.
async fn beat(say: mpsc::Sender<relay::AttachRequest>, heard: Arc<AtomicU64>) {
    let mut beats = tokio::time::interval(BEAT);
    loop {
        beats.tick().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let sent_us = u64::try_from(now.as_micros()).unwrap_or_default();
        let beat = Say::Heartbeat(relay::Heartbeat { sent_us, ..Default::default() });
        let acknowledged = heard.load(Ordering::Relaxed);
        let request = relay::AttachRequest { sequence: 0, acknowledged, body: Some(beat) };
        if say.send(request).await.is_err() {
            return;
        }
    }
}

/// A media stream.
pub struct Carrying {
    /// Voices up.
    pub up: mpsc::Sender<relay::CarryRequest>,
    /// What comes down.
    pub down: Streaming<relay::CarryResponse>,
}

/// Opens a media stream with that token.
pub async fn carry(relay: &Relay, token: &str) -> Result<Carrying, Status> {
    let (up, frames) = mpsc::channel(WAITING_MAX);
    let request = with_session(ReceiverStream::new(frames), token)?;
    let mut client = relay.client();
    let carrying = tokio::time::timeout(ANSWER_DEADLINE, client.carry(request)).await;
    let down = carrying.map_err(|_| Status::deadline_exceeded("no answer"))??.into_inner();
    Ok(Carrying { up, down })
}

/// A call that shows a session's token.
pub fn with_session<T>(message: T, token: &str) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    let token = token.parse().map_err(|_| Status::invalid_argument("no such token"))?;
    request.metadata_mut().insert("tributary-uplink-session", token);
    Ok(request)
}
