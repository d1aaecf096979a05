//! Everybody's audio to all others of the meeting; private talk to its targets.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::net::UdpSocket;
use tributary_rtc_session::{Event, IncomingAudio, OutgoingAudio, Output, Session};

use super::{Order, Place, Shared};

/// One terminal's peer connection: its audio to all, all others' audio to it.
pub async fn forward(
    shared: Arc<Shared>,
    mut session: Session,
    socket: UdpSocket,
    local: SocketAddr,
    place: Arc<Mutex<Option<Place>>>,
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
                Output::Event(Event::Audio(audio)) => {
                    if let Some(from) = *place.lock().unwrap() {
                        drop(shared.audio.send((from, audio)));
                    }
                }
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
                let me = *place.lock().unwrap();
                if let (Ok((from, audio)), Some(me)) = (audio, me)
                    && is_for(&shared, from, me, &audio)
                {
                    let frame = OutgoingAudio {
                        section: audio.section,
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

fn is_for(shared: &Shared, from: Place, me: Place, audio: &IncomingAudio) -> bool {
    let is_voice = audio.level.is_some_and(|level| level < 127);
    let is_private = audio.section > 0;
    let targeted = || {
        let state = shared.state.lock().unwrap();
        let talks = &state.meetings[&from.meeting_id].talks;
        talks.get(&from.me).is_some_and(|targets| targets.contains(&me.me))
    };
    is_voice && from.meeting_id == me.meeting_id && from.me != me.me && (!is_private || targeted())
}
