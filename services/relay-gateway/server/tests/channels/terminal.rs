//! A terminal's side of a data channel, over UDP.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use tokio::{net::UdpSocket, sync::mpsc, task::AbortHandle};
use tributary_rtc_session::{
    Certificate, ChannelEvent, ChannelSendError, ChannelSession, Output, stun_local_ufrag,
};

/// Before the answer.
pub struct Offering {
    socket: UdpSocket,
    local: SocketAddr,
    session: ChannelSession,
}

/// What a test wants of the terminal.
enum Wish {
    Send(Bytes),
    Close,
}

pub struct Terminal {
    wishes: mpsc::UnboundedSender<Wish>,
    events: mpsc::UnboundedReceiver<ChannelEvent>,
    pub relay: SocketAddr,
    task: AbortHandle,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Offering {
    /// An offer of a channel.
    pub async fn new() -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let certificate = Certificate::generate().unwrap();
        let (session, offer) = ChannelSession::offer(local, &certificate, Instant::now()).unwrap();
        (Self { socket, local, session }, offer)
    }

    /// Goes on with the answer.
    pub fn connect(self, answer: &str) -> Terminal {
        let Self { socket, local, mut session } = self;
        session.accept_answer(answer).unwrap();
        let candidate = answer.lines().find(|line| line.starts_with("a=candidate")).unwrap();
        let words: Vec<&str> = candidate.split(' ').collect();
        let [_, _, _, _, address, port, ..] = words[..] else { panic!("{candidate}") };
        let relay = format!("{address}:{port}").parse().unwrap();
        let (wishes, wished) = mpsc::unbounded_channel();
        let (told, events) = mpsc::unbounded_channel();
        let task = tokio::spawn(drive(session, socket, local, wished, told)).abort_handle();
        Terminal { wishes, events, relay, task }
    }
}

impl Terminal {
    pub fn send(&self, message: impl Into<Bytes>) {
        let _ = self.wishes.send(Wish::Send(message.into()));
    }

    pub fn close(&self) {
        let _ = self.wishes.send(Wish::Close);
    }

    /// What happens next.
    pub async fn event(&mut self) -> ChannelEvent {
        crate::world::soon("an event", self.events.recv()).await.unwrap()
    }

    /// The next message, after the opening.
    pub async fn message(&mut self) -> Bytes {
        loop {
            match self.event().await {
                ChannelEvent::Opened => {}
                ChannelEvent::Message(message) => return message,
                ChannelEvent::Closed(end) => panic!("closed: {end:?}"),
            }
        }
    }

    /// Waits until the channel is over.
    pub async fn closed(&mut self) {
        while !matches!(self.event().await, ChannelEvent::Closed(_)) {}
    }
}

async fn drive(
    mut session: ChannelSession,
    socket: UdpSocket,
    local: SocketAddr,
    mut wished: mpsc::UnboundedReceiver<Wish>,
    told: mpsc::UnboundedSender<ChannelEvent>,
) {
    let mut buffer = [0; 2048];
    let mut unsent: Option<Bytes> = None;
    loop {
        let due = loop {
            match session.poll() {
                Output::Timeout(at) => break at,
                Output::Event(event) => drop(told.send(event)),
                Output::Transmit { destination, contents } => {
                    let _ = socket.send_to(&contents, destination).await;
                }
            }
        };
        if let Some(message) = unsent.take() {
            match session.send(&message, Instant::now()) {
                Ok(()) => continue,
                Err(ChannelSendError::Length(_)) => panic!("a message of {} bytes", message.len()),
                Err(_) if session.is_alive() => unsent = Some(message),
                Err(_) => {}
            }
        }
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let Ok((length, source)) = received else { continue };
                assert!(stun_local_ufrag(&buffer[..length]).is_none(), "the relay asks");
                session.receive(source, local, &buffer[..length], Instant::now());
            }
            wish = wished.recv(), if unsent.is_none() => match wish {
                Some(Wish::Send(message)) => unsent = Some(message),
                Some(Wish::Close) => session.close(),
                None => return,
            },
            () = tokio::time::sleep_until(due.into()) => session.handle_timeout(Instant::now()),
        }
    }
}
