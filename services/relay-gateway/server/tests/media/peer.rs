//! A terminal's side of a peer connection, over UDP.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use tokio::{net::UdpSocket, sync::mpsc, task::AbortHandle};
use tributary_rtc_session::{
    Certificate, Event, IncomingAudio, OutgoingAudio, Output, SendError, Session,
};

use crate::world::PATIENCE;

/// Before the answer.
pub struct Offering {
    socket: UdpSocket,
    local: SocketAddr,
    session: Session,
}

pub struct Peer {
    speak: mpsc::UnboundedSender<OutgoingAudio>,
    heard: mpsc::UnboundedReceiver<IncomingAudio>,
    task: AbortHandle,
    said: u32,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// A peer connection with so many audio sections, and its offer.
    pub async fn offering(sections: usize) -> (Offering, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let certificate = Certificate::generate().unwrap();
        let (session, offer) =
            Session::offer(local, sections, &certificate, Instant::now()).unwrap();
        (Offering { socket, local, session }, offer)
    }

    /// Says something loud in a section, at once.
    pub fn say(&mut self, section: usize) {
        self.say_this(section, section as u32);
    }

    /// The same with a number in it, see [`number`].
    pub fn say_this(&mut self, section: usize, number: u32) {
        self.said += 1;
        let mut payload = vec![number as u8; 50];
        payload[1..5].copy_from_slice(&number.to_be_bytes());
        let audio = OutgoingAudio {
            section,
            media_time: self.said * 960,
            payload: payload.into(),
            level: Some(5),
            talkspurt_start: false,
        };
        self.speak.send(audio).unwrap();
    }

    /// The next thing that is heard.
    pub async fn heard(&mut self) -> IncomingAudio {
        self.heard.recv().await.unwrap()
    }

    /// What has been heard and not been asked for.
    pub fn heard_so_far(&mut self) -> Vec<IncomingAudio> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

/// The number that something was said with.
pub fn number(payload: &Bytes) -> u32 {
    u32::from_be_bytes(payload[1..5].try_into().unwrap())
}

impl Offering {
    pub async fn connect(self, answer: String) -> Peer {
        let Self { socket, local, mut session } = self;
        session.accept_answer(&answer).unwrap();
        let (speak, mut to_say) = mpsc::unbounded_channel::<OutgoingAudio>();
        let (hear, heard) = mpsc::unbounded_channel();
        let (up, mut is_up) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut datagram = [0; 2048];
            loop {
                let due = loop {
                    match session.poll() {
                        Output::Transmit { destination, contents } => {
                            let _ = socket.send_to(&contents, destination).await;
                        }
                        Output::Event(Event::Connected) => up.send(()).unwrap(),
                        // The test is over if nobody wants to know.
                        Output::Event(Event::Audio(audio)) => drop(hear.send(audio)),
                        Output::Event(Event::Disconnected) => return,
                        Output::Timeout(at) => break at,
                    }
                };
                tokio::select! {
                    received = socket.recv_from(&mut datagram) => {
                        let (length, source) = received.unwrap();
                        session.receive(source, local, &datagram[..length], Instant::now());
                    }
                    () = tokio::time::sleep_until(due.into()) => {
                        session.handle_timeout(Instant::now());
                    }
                    Some(audio) = to_say.recv() => {
                        let sent = session.send_audio(&audio, Instant::now());
                        assert!(matches!(sent, Ok(()) | Err(SendError::NotWanted)));
                    }
                }
            }
        });
        let peer = Peer { speak, heard, task: task.abort_handle(), said: 0 };
        tokio::time::timeout(PATIENCE, is_up.recv()).await.unwrap().unwrap();
        peer
    }
}
