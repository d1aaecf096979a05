//! A connection of such a relay with its session, and a session without one.

use std::{collections::HashMap, time::Duration};

use prost::Message as _;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Status, transport::Channel};
use tributary_contracts::{
    relay::v1::{
        AttachRequest, Attached, Heartbeat, Hello, LinkMessage, OpenLink, Place, RelayHop,
        VerifyRelayRequest, attach_request::Body as Up, attach_response::Body as Down,
        relay_uplink_client::RelayUplinkClient,
    },
    terminal::v1::{
        RelayMessage, TerminalMessage, relay_message::Body as Said, terminal_message::Body as Ask,
    },
};

use super::{
    Office, SOON,
    wire::{Memory, Shared, locked, read, write},
    with_token,
};

/// A connection with its session.
pub struct Uplink {
    pub id: String,
    pub attached: Attached,
    pub client: RelayUplinkClient<Channel>,
    memory: Shared,
    filled: watch::Sender<()>,
    raw: mpsc::Sender<AttachRequest>,
    /// What came down, as it came; shared payloads are put in.
    down: mpsc::UnboundedReceiver<Down>,
    waiting: HashMap<u32, Vec<RelayMessage>>,
    closed: HashMap<u32, u32>,
    /// What came down beside messages and closings.
    pub places: Vec<Place>,
    pub others: Vec<Down>,
    /// How many `Deliver` messages there were, and how many bytes of payload in them.
    pub delivers: watch::Receiver<(u64, u64)>,
    end: watch::Receiver<Option<Status>>,
    last_link: u32,
    deaf: watch::Sender<bool>,
    tasks: Vec<AbortOnDropHandle<()>>,
}

impl Uplink {
    pub(super) async fn begin(
        office: &Office,
        mut client: RelayUplinkClient<Channel>,
        hello: Hello,
        memory: Shared,
    ) -> Result<Self, Status> {
        let (raw, messages) = mpsc::channel(64);
        let first = AttachRequest { body: Some(Up::Hello(hello)), ..AttachRequest::default() };
        raw.send(first).await.unwrap();
        let mut stream = client.attach(ReceiverStream::new(messages)).await?.into_inner();
        let first = stream.message().await?.and_then(|message| message.body);
        let Some(Down::Attached(attached)) = first else { panic!("not attached: {first:?}") };
        if attached.resumed {
            locked(&memory).outgoing.resume(attached.received).unwrap();
        } else {
            *locked(&memory) = Memory::default();
        }
        let (filled, fills) = watch::channel(());
        let (tell, down) = mpsc::unbounded_channel();
        let (counts, delivers) = watch::channel((0, 0));
        let (ended, end) = watch::channel(None);
        let deaf = watch::Sender::new(false);
        let reading = read(stream, memory.clone(), tell, counts, ended, deaf.subscribe());
        let writing = write(raw.clone(), memory.clone(), fills);
        let tasks = [tokio::spawn(reading), tokio::spawn(writing)];
        Ok(Self {
            id: office.id.clone(),
            attached,
            client,
            memory,
            filled,
            raw,
            down,
            waiting: HashMap::new(),
            closed: HashMap::new(),
            places: Vec::new(),
            others: Vec::new(),
            delivers,
            end,
            last_link: 0,
            deaf,
            tasks: tasks.into_iter().map(AbortOnDropHandle::new).collect(),
        })
    }

    /// Gives the connection up without a word, and keeps what the session needs.
    pub fn cut(mut self) -> Lost {
        self.tasks.clear();
        self.drain();
        let Self { memory, attached, last_link, waiting, places, .. } = self;
        Lost { memory, token: attached.session_token, last_link, waiting, places }
    }

    /// Reads nothing any more, on a connection that stays; shows that it is there all the same.
    pub fn deafen(&mut self) {
        let raw = self.raw.clone();
        self.deaf.send_replace(true);
        drop(self.tasks.remove(1));
        self.tasks.push(AbortOnDropHandle::new(tokio::spawn(async move {
            let beat = Up::Heartbeat(Heartbeat::default());
            let message = AttachRequest { body: Some(beat), ..AttachRequest::default() };
            while raw.send(message.clone()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })));
    }

    fn drain(&mut self) {
        while let Ok(down) = self.down.try_recv() {
            self.take(down);
        }
    }

    pub fn session_metadata<T>(&self, message: T) -> Request<T> {
        with_token(message, &self.attached.session_token)
    }

    /// Says something that is not numbered, or wrongly so.
    pub async fn say_raw(&self, message: AttachRequest) {
        // The other side may have closed.
        let _ = self.raw.send(message).await;
    }

    pub fn say(&self, body: Up) {
        locked(&self.memory).outgoing.push(body, 100).unwrap();
        self.filled.send_replace(());
    }

    pub fn hop(&self) -> RelayHop {
        RelayHop { relay_id: self.id.clone(), relay_name: "a name of its own".to_owned() }
    }

    pub fn open(&mut self) -> u32 {
        let path = vec![self.hop()];
        self.open_by(path)
    }

    pub fn open_by(&mut self, path: Vec<RelayHop>) -> u32 {
        self.open_as(path, false)
    }

    /// For the participant that the relay is itself, if it is `own`.
    pub fn open_as(&mut self, path: Vec<RelayHop>, own: bool) -> u32 {
        self.last_link += 1;
        self.say(Up::OpenLink(OpenLink {
            link_id: self.last_link,
            client_address: "192.0.2.44".to_owned(),
            path,
            own,
        }));
        self.last_link
    }

    pub fn send(&self, link_id: u32, message: &TerminalMessage) {
        let message = message.encode_to_vec().into();
        self.say(Up::LinkMessage(LinkMessage { link_id, message }));
    }

    fn take(&mut self, down: Down) {
        match down {
            Down::Deliver(deliver) => {
                for link in deliver.link_ids {
                    let message = RelayMessage::decode(deliver.payload.clone()).unwrap();
                    self.waiting.entry(link).or_default().push(message);
                }
            }
            Down::CloseLink(close) => {
                self.closed.insert(close.link_id, close.code);
            }
            Down::Place(place) => self.places.push(place),
            other => self.others.push(other),
        }
    }

    /// Takes what comes down until this has something to say.
    pub async fn until<T>(
        &mut self,
        what: &str,
        mut found: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        loop {
            self.drain();
            if let Some(found) = found(self) {
                return found;
            }
            let down = timeout(SOON, self.down.recv()).await;
            let down = down.unwrap_or_else(|_| panic!("{what}: not within 20 s"));
            let down = down.unwrap_or_else(|| panic!("{what}: {:?}", self.end.borrow()));
            self.take(down);
        }
    }

    /// The next message for a link.
    pub async fn next(&mut self, link: u32) -> RelayMessage {
        self.until("a message", |uplink| {
            let waiting = uplink.waiting.get_mut(&link)?;
            (!waiting.is_empty()).then(|| waiting.remove(0))
        })
        .await
    }

    /// The close code of a link.
    pub async fn closed(&mut self, link: u32) -> u32 {
        self.until("closing", |uplink| uplink.closed.remove(&link)).await
    }

    pub async fn ask(&mut self, link: u32, request_id: u64, ask: Ask) -> Said {
        self.send(link, &TerminalMessage { request_id, body: Some(ask) });
        self.answer(link, request_id).await
    }

    pub async fn answer(&mut self, link: u32, request_id: u64) -> Said {
        let answer = self.until("an answer", |uplink| {
            let waiting = uplink.waiting.get_mut(&link)?;
            let index = waiting.iter().position(|message| message.in_reply_to == request_id)?;
            waiting.remove(index).body
        });
        answer.await
    }

    /// How the stream has ended.
    pub async fn ended(&mut self) -> Status {
        let ended = timeout(SOON, self.end.wait_for(Option::is_some)).await;
        ended.expect("the stream goes on").unwrap().clone().unwrap()
    }

    pub async fn verify(&mut self, office: &Office) -> Result<(), Status> {
        let hello = Some(office.hello(&mut self.client).await);
        let request = self.session_metadata(VerifyRelayRequest { hello });
        self.client.verify_relay(request).await.map(drop)
    }
}

/// A session without a connection.
pub struct Lost {
    memory: Shared,
    pub token: Vec<u8>,
    last_link: u32,
    waiting: HashMap<u32, Vec<RelayMessage>>,
    places: Vec<Place>,
}

impl Lost {
    /// Comes again, with this token.
    pub async fn again_with(self, office: &Office, token: Vec<u8>) -> Result<Uplink, Status> {
        let mut client = office.client().await;
        let mut hello = office.hello(&mut client).await;
        hello.resume = token;
        hello.received = locked(&self.memory).incoming.received();
        let mut uplink = Uplink::begin(office, client, hello, self.memory).await?;
        uplink.last_link = self.last_link;
        uplink.waiting = self.waiting;
        uplink.places = self.places;
        Ok(uplink)
    }

    pub async fn again(self, office: &Office) -> Uplink {
        let token = self.token.clone();
        self.again_with(office, token).await.unwrap()
    }

    /// Something is said while there is no connection.
    pub fn say(&self, body: Up) {
        locked(&self.memory).outgoing.push(body, 100).unwrap();
    }
}
