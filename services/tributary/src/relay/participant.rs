//! The relay as a participant of its own: a room's device that is in the meeting, listens and says nothing.

use std::{net::SocketAddr, time::Duration};

use tokio::{sync::broadcast::error::RecvError, time::sleep};
use tributary_service_runtime::Platform;
use tributary_terminal::{Event, IdentitySource, MeetingTarget, Options, Target, Terminal};

/// Between attempts to join, at first.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// And at most.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Is in the meeting from the time the relay is attached until the shutdown; who is taken out, or whose
/// meeting is over, does not come back.
///
/// # Errors
/// None: a relay serves others, whatever becomes of itself.
pub async fn attend(
    meeting: Target,
    name: String,
    relay: SocketAddr,
    platform: Platform,
) -> anyhow::Result<()> {
    let present = async {
        let mut ready = platform.readiness.subscribe();
        if ready.wait_for(|ready| *ready).await.is_err() {
            return;
        }
        stay(&options(meeting, name, relay), &platform).await;
    };
    tokio::select! {
        () = present => {}
        () = platform.shutdown.cancelled() => return Ok(()),
    }
    platform.shutdown.cancelled().await;
    Ok(())
}

fn options(meeting: Target, name: String, relay: SocketAddr) -> Options {
    // By loopback: from elsewhere nobody is taken for the relay itself.
    let url = format!("http://127.0.0.1:{}/?itself=1", relay.port());
    let identity = IdentitySource::Guest { display_name: name };
    Options { muted: true, ..Options::new(url, identity, MeetingTarget::Existing(meeting)) }
}

/// Until the meeting has ended for it.
async fn stay(options: &Options, platform: &Platform) {
    let mut pause = PAUSE_MIN;
    let terminal = loop {
        match Terminal::join(options.clone()).await {
            Ok(terminal) => break terminal,
            Err(error) => tracing::warn!(%error, "the relay itself can't join its meeting"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    };
    tracing::info!(participant = %terminal.participant_id(), "the relay itself is in its meeting");
    let mut events = terminal.events();
    let ended = async {
        while terminal.snapshot().ended.is_none() {
            match events.recv().await {
                Ok(Event::Ended(_)) | Err(RecvError::Closed) => break,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
            }
        }
    };
    tokio::select! {
        () = ended => tracing::info!("the relay's own meeting has ended"),
        () = platform.shutdown.cancelled() => {}
    }
    terminal.leave().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_by_its_own_relay_and_says_nothing() {
        let meeting = Target::new("1234567890".parse().unwrap());
        let options = options(meeting, "Room 3".into(), "0.0.0.0:8080".parse().unwrap());
        assert_eq!(options.relay_url, "http://127.0.0.1:8080/?itself=1");
        assert!(options.muted);
    }
}
