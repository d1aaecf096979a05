//! As much of a relay as terminals need to be tested: lets everybody in, sends everybody's audio to all
//! others untouched, carries out operations once, and misbehaves when told to.

mod audio;
mod meetings;
mod outside;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use tributary_contracts::{
    event::v1::meeting_event,
    operation::v1::Operation,
    terminal::v1::{
        Draining, Join, Left, MediaAnswer, OperationReceived, Pong, Refusal, RefusalCode,
        RelayMessage, Switched, TerminalMessage, Welcome, relay_message::Body as Reply,
        terminal_message::Body,
    },
};
use tributary_identifiers::MeetingId;
use tributary_rtc_session::{Certificate, IncomingAudio, Session};

use self::meetings::Meeting;
pub use self::outside::{SHARE_SECRET, share_link};

pub const NONCE: [u8; 32] = [9; 32];

pub fn meeting_id() -> MeetingId {
    "1152921504606846977".parse().unwrap()
}

pub fn other_meeting_id() -> MeetingId {
    "1152921504606846978".parse().unwrap()
}

/// What becomes of operations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operations {
    /// They are received and carried out, and both is told.
    Answered,
    /// They are lost.
    Lost,
    /// They are carried out, and nobody is told of either; their events come after a reconnect.
    Silent,
    /// They are received, and nothing comes of them for now.
    Kept,
}

struct State {
    requests: Vec<&'static str>,
    /// The same in full.
    bodies: Vec<Body>,
    joins: Vec<Join>,
    /// Operations in the order in which they came, each time they came.
    operations: Vec<Operation>,
    /// Refusals for the next requests of a kind.
    refusals: HashMap<&'static str, Vec<RefusalCode>>,
    credentials: u32,
    meetings: HashMap<MeetingId, Meeting>,
    mode: Operations,
    lobby: bool,
}

#[derive(Clone)]
enum Order {
    Say(Box<RelayMessage>),
    /// There are new events.
    News,
    DropConnections,
    /// As a relay does that restarts (RFC 6455 §7.4).
    Restart,
    CloseMedia,
}

struct Shared {
    state: Mutex<State>,
    orders: broadcast::Sender<Order>,
    audio: broadcast::Sender<(Place, IncomingAudio)>,
    certificate: Certificate,
}

/// Where somebody is live, and as whom.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    meeting_id: MeetingId,
    me: u32,
}

/// One connection's part in a meeting.
struct Seat {
    me: u32,
    /// The last event that it was told.
    told: u64,
    held: bool,
}

/// One connection.
#[derive(Default)]
struct Guest {
    seats: BTreeMap<MeetingId, Seat>,
    /// Media ends with the connection.
    media: JoinSet<()>,
    place: Arc<Mutex<Option<Place>>>,
}

impl Guest {
    fn live(&self) -> Option<Place> {
        let (meeting_id, seat) = self.seats.iter().find(|(_, seat)| !seat.held)?;
        Some(Place { meeting_id: *meeting_id, me: seat.me })
    }

    fn note_place(&self) {
        *self.place.lock().unwrap() = self.live();
    }
}

pub struct StubRelay {
    pub url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl StubRelay {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            requests: Vec::new(),
            bodies: Vec::new(),
            joins: Vec::new(),
            operations: Vec::new(),
            refusals: HashMap::new(),
            credentials: 0,
            meetings: HashMap::new(),
            mode: Operations::Answered,
            lobby: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            orders: broadcast::Sender::new(256),
            audio: broadcast::Sender::new(1_024),
            certificate: Certificate::generate().unwrap(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { url, shared, _tasks: tasks }
    }

    /// Another relay of the same platform: the same meetings and participants.
    pub async fn sibling(&self) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&self.shared);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { url, shared, _tasks: tasks }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    fn order(&self, order: Order) {
        let _ = self.shared.orders.send(order);
    }

    /// Says something to all terminals.
    pub fn say(&self, body: Reply) {
        self.say_of("", body);
    }

    /// Says something of a meeting to all terminals.
    pub fn say_of(&self, meeting_id: &str, body: Reply) {
        let meeting_id = meeting_id.to_owned();
        let message = RelayMessage { in_reply_to: 0, body: Some(body), meeting_id };
        self.order(Order::Say(Box::new(message)));
    }

    /// Lets something happen in the meeting.
    pub fn say_event(&self, body: meeting_event::Body) {
        self.say_event_in(meeting_id(), body);
    }

    pub fn say_event_in(&self, meeting_id: MeetingId, body: meeting_event::Body) {
        self.state().meetings.entry(meeting_id).or_default().happen(body);
        self.order(Order::News);
    }

    /// Cuts all WebSockets, and the media with them, without a goodbye.
    pub fn drop_connections(&self) {
        self.order(Order::DropConnections);
    }

    /// Says that it drains and closes with code 1012, but goes on letting terminals in.
    pub fn restart(&self) {
        self.order(Order::Restart);
    }

    /// Ends all peer connections and keeps the WebSockets.
    pub fn close_media(&self) {
        self.order(Order::CloseMedia);
    }

    /// Refuses the next request of a kind with this code.
    pub fn refuse_next(&self, request: &'static str, code: RefusalCode) {
        self.state().refusals.entry(request).or_default().push(code);
    }

    /// From now on operations are treated so. What was kept is carried out when they are answered again.
    pub fn treat_operations(&self, mode: Operations) {
        {
            let mut state = self.state();
            state.mode = mode;
            if mode == Operations::Answered {
                state.meetings.values_mut().for_each(Meeting::carry_out_kept);
            }
        }
        self.order(Order::News);
    }

    /// From now on who joins waits in the lobby.
    pub fn open_lobby(&self) {
        self.state().lobby = true;
    }

    /// From now on who joins is in.
    pub fn close_lobby(&self) {
        self.state().lobby = false;
    }

    /// The operations that came, each time they came, in order.
    pub fn operations(&self) -> Vec<Operation> {
        self.state().operations.clone()
    }

    /// How many requests of a kind came in.
    pub fn count(&self, request: &str) -> usize {
        self.state().requests.iter().filter(|kind| **kind == request).count()
    }

    /// The requests of a kind, in full.
    pub fn bodies(&self, request: &str) -> Vec<Body> {
        let state = self.state();
        state.bodies.iter().filter(|body| kind(body) == request).cloned().collect()
    }

    pub fn joins(&self) -> Vec<Join> {
        self.state().joins.clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let connection = serve(stream, Arc::clone(&shared));
        connections.spawn(async move {
            // Ends when the terminal does, or by order.
            let _ = connection.await;
        });
    }
}

type Gone = Option<()>;
type Socket = WebSocketStream<TcpStream>;

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Gone {
    let mut orders = shared.orders.subscribe();
    let mut socket = accept_async(stream).await.ok()?;
    let welcome = Welcome {
        nonce: NONCE.to_vec(),
        relay_id: "stub".into(),
        relay_name: "Stub".into(),
        version: "0".into(),
        ..Welcome::default()
    };
    send(&mut socket, 0, Reply::Welcome(welcome)).await?;
    let mut guest = Guest::default();
    loop {
        tokio::select! {
            order = orders.recv() => match order.unwrap() {
                Order::Say(message) => write(&mut socket, &message).await?,
                Order::DropConnections => return None,
                Order::Restart => {
                    send(&mut socket, 0, Reply::Draining(Draining {})).await?;
                    let frame = CloseFrame { code: CloseCode::Restart, reason: "".into() };
                    return socket.close(Some(frame)).await.ok();
                }
                Order::News | Order::CloseMedia => {}
            },
            message = socket.next() => {
                let (id, reply) = match message?.ok()? {
                    Message::Binary(bytes) => match TerminalMessage::decode(bytes) {
                        Ok(TerminalMessage { request_id, body: Some(body) }) => {
                            (request_id, shared.answer(body, &mut guest).await)
                        }
                        _ => (0, Some(refusal(RefusalCode::Malformed))),
                    },
                    Message::Text(_) => (0, Some(refusal(RefusalCode::Malformed))),
                    _ => continue,
                };
                if let Some(reply) = reply {
                    send(&mut socket, id, reply).await?;
                }
            }
        }
        tell_news(&mut socket, &shared, &mut guest).await?;
    }
}

/// Tells a connection what has happened in its meetings since it was told last.
async fn tell_news(socket: &mut Socket, shared: &Shared, guest: &mut Guest) -> Gone {
    let mut news = Vec::new();
    {
        let state = shared.state.lock().unwrap();
        if state.mode == Operations::Silent {
            return Some(());
        }
        for (meeting_id, seat) in &mut guest.seats {
            let meeting = &state.meetings[meeting_id];
            news.extend(meeting.since(seat.told, seat.me));
            seat.told = meeting.number();
        }
    }
    for event in news {
        send(socket, 0, Reply::Event(event)).await?;
    }
    Some(())
}

async fn send(socket: &mut Socket, in_reply_to: u64, body: Reply) -> Gone {
    let message = RelayMessage { in_reply_to, body: Some(body), meeting_id: String::new() };
    write(socket, &message).await
}

async fn write(socket: &mut Socket, message: &RelayMessage) -> Gone {
    socket.send(Message::Binary(message.encode_to_vec().into())).await.ok()
}

fn refusal(code: RefusalCode) -> Reply {
    Reply::Refusal(Refusal { code: code.into(), message: "by order".into() })
}

fn kind(body: &Body) -> &'static str {
    match body {
        Body::LogIn(_) => "log_in",
        Body::EnterAsGuest(_) => "enter_as_guest",
        Body::CreateMeeting(_) => "create_meeting",
        Body::RequestJoinCredential(_) => "request_join_credential",
        Body::Join(_) => "join",
        Body::MediaOffer(_) => "media_offer",
        Body::Operate(_) => "operate",
        Body::Leave(_) => "leave",
        Body::Ping(_) => "ping",
        Body::SwitchMeeting(_) => "switch_meeting",
        Body::ReadChat(_) => "read_chat",
        Body::GetLogInOptions(_) => "get_log_in_options",
        Body::BeginOidcLogIn(_) => "begin_oidc_log_in",
        Body::FinishOidcLogIn(_) => "finish_oidc_log_in",
        Body::RefreshIdentity(_) => "refresh_identity",
        Body::LogOut(_) => "log_out",
        Body::ReadMeeting(_) => "read_meeting",
        Body::ListMyMeetings(_) => "list_my_meetings",
        Body::UpdateMeeting(_) => "update_meeting",
        Body::ChangeMembers(_) => "change_members",
        Body::FindUsers(_) => "find_users",
        Body::ShareMeeting(_) => "share_meeting",
        Body::ListShares(_) => "list_shares",
        Body::RevokeShare(_) => "revoke_share",
        Body::ReceiveNotices(_) => "receive_notices",
        Body::DismissNotice(_) => "dismiss_notice",
        Body::DeleteAttachment(_) => "delete_attachment",
        Body::Introduce(_) => "introduce",
    }
}

impl Shared {
    /// `None`: says nothing.
    async fn answer(self: &Arc<Self>, body: Body, guest: &mut Guest) -> Option<Reply> {
        let kind = kind(&body);
        {
            let mut state = self.state.lock().unwrap();
            state.requests.push(kind);
            state.bodies.push(body.clone());
            if let Some(code) = state.refusals.get_mut(kind).and_then(Vec::pop) {
                return Some(refusal(code));
            }
        }
        Some(match body {
            Body::Join(join) => self.join(join, guest),
            Body::MediaOffer(offer) => self.media(&offer.sdp, guest).await,
            Body::Operate(operate) => return self.operate(operate.operation.unwrap(), guest),
            Body::SwitchMeeting(switch) => {
                let to: MeetingId = switch.meeting_id.parse().unwrap();
                assert!(guest.seats.contains_key(&to), "a switch to where the terminal is not");
                guest.seats.iter_mut().for_each(|(id, seat)| seat.held = *id != to);
                guest.note_place();
                Reply::Switched(Switched { meeting_id: to.to_string() })
            }
            Body::Leave(leave) => {
                guest.seats.remove(&leave.meeting_id.parse().unwrap());
                guest.note_place();
                Reply::Left(Left {})
            }
            Body::Ping(_) => Reply::Pong(Pong {}),
            Body::RequestJoinCredential(request) => {
                let mut state = self.state.lock().unwrap();
                state.credentials += 1;
                outside::credential(state.credentials, &request)
            }
            other => outside::answer(other),
        })
    }

    fn operate(
        &self,
        signed: tributary_contracts::operation::v1::SignedOperation,
        guest: &Guest,
    ) -> Option<Reply> {
        let Some(operation) = meetings::verified(&signed) else {
            return Some(refusal(RefusalCode::Forbidden));
        };
        let meeting_id: MeetingId = operation.meeting_id.parse().unwrap();
        let seat = &guest.seats[&meeting_id];
        assert_eq!(seat.me, operation.participant_id, "another participant's operation");
        let operation_id = operation.operation_id.clone();
        let mut state = self.state.lock().unwrap();
        state.operations.push(operation.clone());
        let mode = state.mode;
        let meeting = state.meetings.get_mut(&meeting_id).unwrap();
        match mode {
            Operations::Lost => return None,
            Operations::Silent => {
                meeting.carry_out(operation);
                return None;
            }
            Operations::Kept => meeting.keep(operation),
            Operations::Answered => meeting.carry_out(operation),
        }
        drop(state);
        let _ = self.orders.send(Order::News);
        Some(Reply::OperationReceived(OperationReceived { operation_id }))
    }

    async fn media(self: &Arc<Self>, offer: &str, guest: &mut Guest) -> Reply {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let answer = Session::answer(offer, &[local], &self.certificate, Instant::now());
        let Ok((session, sdp)) = answer else {
            return refusal(RefusalCode::BadSessionDescription);
        };
        guest.media.abort_all();
        let place = Arc::clone(&guest.place);
        guest.media.spawn(audio::forward(Arc::clone(self), session, socket, local, place));
        Reply::MediaAnswer(MediaAnswer { sdp })
    }
}
