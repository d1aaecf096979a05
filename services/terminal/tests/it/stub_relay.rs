//! As much of a relay as terminals need to be tested: lets everybody in, sends everybody's audio to all
//! others untouched, and misbehaves when told to.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::broadcast,
    task::JoinSet,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use tributary_contracts::{
    access::v1::{CreateShareResponse, ListSharesResponse, Share, ShareForm, ShareLink},
    credential::v1::{GetLogInOptionsResponse, Identity},
    event::v1::{MeetingEvent, Participant, ParticipantMuted, meeting_event},
    notice::v1::Notice,
    registry::v1::{Meeting, operation},
    terminal::v1::{
        AttachmentDeleted, Join, JoinCredential, Joined, Left, LoggedOut, MediaAnswer,
        MeetingCreated, MeetingDetails, MeetingUpdated, Meetings, MembersWereChanged,
        NoticeDismissed, Notices, OperationResult, Pong, RefreshIdentity, Refusal, RefusalCode,
        RelayMessage, Roster, ShareRevoked, TerminalMessage, Welcome, relay_message::Body as Reply,
        terminal_message::Body,
    },
};
use tributary_identifiers::MeetingId;
use tributary_join_credential::{verify_join_proof, verify_refresh_proof};
use tributary_rtc_session::{Certificate, Event, IncomingAudio, OutgoingAudio, Output, Session};

pub const NONCE: [u8; 32] = [9; 32];

pub fn meeting_id() -> MeetingId {
    "1152921504606846977".parse().unwrap()
}

#[derive(Default)]
struct State {
    requests: Vec<&'static str>,
    /// The same in full.
    bodies: Vec<Body>,
    participants: HashMap<Vec<u8>, u32>,
    joins: Vec<Join>,
    /// Refusals for the next requests of a kind.
    refusals: HashMap<&'static str, Vec<RefusalCode>>,
    credentials: u32,
    events: u64,
}

#[derive(Clone)]
enum Order {
    Say(Box<Reply>),
    DropConnections,
    CloseMedia,
}

struct Shared {
    state: Mutex<State>,
    orders: broadcast::Sender<Order>,
    audio: broadcast::Sender<(u32, IncomingAudio)>,
    certificate: Certificate,
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
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            orders: broadcast::Sender::new(64),
            audio: broadcast::Sender::new(1_024),
            certificate: Certificate::generate().unwrap(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { url, shared, _tasks: tasks }
    }

    /// Says something to all terminals.
    pub fn say(&self, body: Reply) {
        let _ = self.shared.orders.send(Order::Say(Box::new(body)));
    }

    pub fn say_event(&self, body: meeting_event::Body) {
        self.say(self.shared.event(body));
    }

    /// Cuts all WebSockets, and the media with them, without a goodbye.
    pub fn drop_connections(&self) {
        let _ = self.shared.orders.send(Order::DropConnections);
    }

    /// Ends all peer connections and keeps the WebSockets.
    pub fn close_media(&self) {
        let _ = self.shared.orders.send(Order::CloseMedia);
    }

    /// Refuses the next request of a kind with this code.
    pub fn refuse_next(&self, request: &'static str, code: RefusalCode) {
        self.shared.state.lock().unwrap().refusals.entry(request).or_default().push(code);
    }

    /// How many requests of a kind came in.
    pub fn count(&self, request: &str) -> usize {
        let state = self.shared.state.lock().unwrap();
        state.requests.iter().filter(|kind| **kind == request).count()
    }

    /// The requests of a kind, in full.
    pub fn bodies(&self, request: &str) -> Vec<Body> {
        let state = self.shared.state.lock().unwrap();
        state.bodies.iter().filter(|body| kind(body) == request).cloned().collect()
    }

    pub fn joins(&self) -> Vec<Join> {
        self.shared.state.lock().unwrap().joins.clone()
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

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Gone {
    let mut orders = shared.orders.subscribe();
    let mut socket = accept_async(stream).await.ok()?;
    let welcome = Welcome {
        nonce: NONCE.to_vec(),
        relay_id: "stub".into(),
        relay_name: "Stub".into(),
        version: "0".into(),
    };
    send(&mut socket, 0, Reply::Welcome(welcome)).await?;
    // Media ends with the connection.
    let mut media = JoinSet::new();
    let mut me = 0;
    loop {
        tokio::select! {
            order = orders.recv() => match order.unwrap() {
                Order::Say(body) => send(&mut socket, 0, *body).await?,
                Order::DropConnections => return None,
                Order::CloseMedia => {}
            },
            message = socket.next() => {
                let (id, reply) = match message?.ok()? {
                    Message::Binary(bytes) => match TerminalMessage::decode(bytes) {
                        Ok(TerminalMessage { request_id, body: Some(body) }) => {
                            (request_id, shared.answer(body, &mut me, &mut media).await)
                        }
                        _ => (0, refusal(RefusalCode::Malformed)),
                    },
                    Message::Text(_) => (0, refusal(RefusalCode::Malformed)),
                    _ => continue,
                };
                send(&mut socket, id, reply).await?;
            }
        }
    }
}

async fn send(socket: &mut WebSocketStream<TcpStream>, in_reply_to: u64, body: Reply) -> Gone {
    let message = RelayMessage { in_reply_to, body: Some(body) };
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
        Body::EndMeeting(_) => "end_meeting",
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
    }
}

impl Shared {
    fn event(&self, body: meeting_event::Body) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.events += 1;
        let number = state.events;
        Reply::Event(MeetingEvent { number, body: Some(body), ..MeetingEvent::default() })
    }

    async fn answer(self: &Arc<Self>, body: Body, me: &mut u32, media: &mut JoinSet<()>) -> Reply {
        let kind = kind(&body);
        {
            let mut state = self.state.lock().unwrap();
            state.requests.push(kind);
            state.bodies.push(body.clone());
            if let Some(code) = state.refusals.get_mut(kind).and_then(Vec::pop) {
                return refusal(code);
            }
        }
        match body {
            Body::LogIn(_) | Body::EnterAsGuest(_) => Reply::Identity(Identity {
                identity_token: "identity".into(),
                ..Identity::default()
            }),
            Body::CreateMeeting(create) => Reply::MeetingCreated(MeetingCreated {
                meeting_id: meeting_id().to_string(),
                subject: create.subject,
                share: create.shared.then(|| shared(None)),
            }),
            Body::RequestJoinCredential(_) => {
                let mut state = self.state.lock().unwrap();
                state.credentials += 1;
                let join_credential = format!("credential-{}", state.credentials);
                Reply::JoinCredential(JoinCredential { join_credential, expires_at: None })
            }
            Body::Join(join) => self.join(join, me),
            Body::MediaOffer(offer) => self.media(&offer.sdp, *me, media).await,
            Body::Operate(operate) => {
                let operation = operate.operation.unwrap();
                if let Some(operation::Body::SetMuted(set)) = operation.body {
                    let muted = ParticipantMuted { participant_id: *me, muted: set.muted };
                    let event = self.event(meeting_event::Body::Muted(muted));
                    let _ = self.orders.send(Order::Say(Box::new(event)));
                }
                let operation_id = operation.operation_id;
                Reply::OperationResult(OperationResult { operation_id, event_number: 1 })
            }
            Body::Leave(_) => Reply::Left(Left {}),
            Body::Ping(_) => Reply::Pong(Pong {}),
            Body::EndMeeting(_) => refusal(RefusalCode::Forbidden),
            other => answer_outside(other),
        }
    }

    fn join(&self, join: Join, me: &mut u32) -> Reply {
        let credential = &join.join_credential;
        if verify_join_proof(&join.public_key, &NONCE, credential, &join.proof).is_err() {
            return refusal(RefusalCode::BadCredential);
        }
        let mut state = self.state.lock().unwrap();
        let next = u32::try_from(state.participants.len()).unwrap() + 1;
        *me = *state.participants.entry(join.public_key.clone()).or_insert(next);
        state.joins.push(join);
        let participant = |id: &u32| Participant {
            participant_id: *id,
            display_name: format!("Participant {id}"),
            ..Participant::default()
        };
        let participants = state.participants.values().map(participant).collect();
        Reply::Joined(Joined {
            participant_id: *me,
            meeting: Some(Meeting { subject: "Tests".into(), ..Meeting::default() }),
            roster: Some(Roster { participants, event_number: state.events }),
        })
    }

    async fn media(self: &Arc<Self>, offer: &str, me: u32, media: &mut JoinSet<()>) -> Reply {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let answer = Session::answer(offer, &[local], &self.certificate, Instant::now());
        let Ok((session, sdp)) = answer else {
            return refusal(RefusalCode::BadSessionDescription);
        };
        media.abort_all();
        media.spawn(forward(Arc::clone(self), session, socket, local, me));
        Reply::MediaAnswer(MediaAnswer { sdp })
    }
}

pub const SHARE_SECRET: &str = "AAECAwQFBgcICQoLDA0ODw";

pub fn share_link() -> String {
    format!("https://meet.example/#/m/{}/{SHARE_SECRET}", meeting_id())
}

fn shared(form: Option<ShareForm>) -> CreateShareResponse {
    let share = Share { share_id: "share".into(), form, ..Share::default() };
    let link = ShareLink { url: share_link(), ..ShareLink::default() };
    CreateShareResponse { share: Some(share), link: Some(link) }
}

/// What concerns no participant.
fn answer_outside(body: Body) -> Reply {
    let meeting = |subject: &str| Meeting { subject: subject.into(), ..Meeting::default() };
    match body {
        Body::RefreshIdentity(refresh) => {
            let RefreshIdentity { identity_token, public_key, signed_at, proof } = refresh;
            let proven =
                verify_refresh_proof(&public_key, signed_at, &identity_token, &proof, now());
            if proven.is_err() {
                return refusal(RefusalCode::NotLoggedIn);
            }
            let identity_token = format!("{identity_token} again");
            Reply::Identity(Identity { identity_token, ..Identity::default() })
        }
        Body::LogOut(_) => Reply::LoggedOut(LoggedOut {}),
        Body::ReadMeeting(_) => Reply::MeetingDetails(MeetingDetails {
            meeting: Some(meeting("Tests")),
            ..MeetingDetails::default()
        }),
        Body::UpdateMeeting(update) => {
            Reply::MeetingUpdated(MeetingUpdated { meeting: Some(meeting(update.subject())) })
        }
        Body::ChangeMembers(change) => Reply::MembersChanged(MembersWereChanged {
            members: u32::try_from(change.set.len()).unwrap() + 1,
        }),
        Body::ShareMeeting(share) => Reply::MeetingShared(shared(share.form)),
        Body::ListShares(_) => Reply::Shares(ListSharesResponse { shares: vec![Share::default()] }),
        Body::RevokeShare(_) => Reply::ShareRevoked(ShareRevoked {}),
        Body::ReceiveNotices(_) => {
            let notice = Notice { notice_id: "first".into(), ..Notice::default() };
            Reply::Notices(Notices { notices: vec![notice] })
        }
        Body::DismissNotice(_) => Reply::NoticeDismissed(NoticeDismissed {}),
        Body::ListMyMeetings(_) => Reply::Meetings(Meetings { meetings: vec![meeting("Tests")] }),
        Body::DeleteAttachment(_) => Reply::AttachmentDeleted(AttachmentDeleted {}),
        Body::GetLogInOptions(_) => {
            Reply::LogInOptions(GetLogInOptionsResponse { guests: true, oidc_providers: vec![] })
        }
        _ => refusal(RefusalCode::Unsupported),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// One terminal's peer connection: its audio to all, all others' audio to it.
async fn forward(
    shared: Arc<Shared>,
    mut session: Session,
    socket: UdpSocket,
    local: SocketAddr,
    me: u32,
) {
    let mut orders = shared.orders.subscribe();
    let mut others = shared.audio.subscribe();
    let mut datagram = [0; 2_048];
    while session.is_alive() {
        let due = loop {
            match session.poll() {
                Output::Timeout(due) => break due,
                Output::Transmit { destination, contents } => {
                    let _ = socket.try_send_to(&contents, destination);
                }
                Output::Event(Event::Audio(audio)) => drop(shared.audio.send((me, audio))),
                Output::Event(_) => {}
            }
        };
        tokio::select! {
            received = socket.recv_from(&mut datagram) => {
                if let Ok((length, source)) = received {
                    session.receive(source, local, &datagram[..length], Instant::now());
                }
            }
            () = tokio::time::sleep_until(due.into()) => session.handle_timeout(Instant::now()),
            order = orders.recv() => {
                if matches!(order.unwrap(), Order::CloseMedia) {
                    session.close();
                }
            }
            audio = others.recv() => {
                if let Ok((from, audio)) = audio
                    && from != me
                    && audio.level.is_some_and(|level| level < 127)
                {
                    let frame = OutgoingAudio {
                        media_time: audio.media_time,
                        payload: audio.payload,
                        level: audio.level,
                        talkspurt_start: false,
                    };
                    let _ = session.send_audio(&frame, Instant::now());
                }
            }
        }
    }
}
