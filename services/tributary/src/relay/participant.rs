//! The relay as a participant of its own: a room's device that is in a meeting, shows it on the relay's
//! status page and says nothing. It has no loudspeaker: no sound is sent to it.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tributary_contracts::terminal::v1::RefusalCode;
use tributary_relay_gateway_server::edge::{
    own::OwnParticipant,
    status::{OwnMeeting, Standing},
};
use tributary_service_runtime::Platform;
use tributary_terminal::{
    EndReason, IdentitySource, JoinError, MeetingTarget, Options, Target, Terminal,
};

use super::roster;

/// Between attempts to join, at first.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// And at most, while nobody answers.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The same while it is refused: somebody has to change something first.
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(300);
/// The page is told at most so often; what happens meanwhile is told together.
const SHOWN_EVERY: Duration = Duration::from_millis(250);
/// And at least so often: not everything is said by an event.
const SHOWN_AT_LEAST: Duration = Duration::from_secs(1);

/// Is in the meeting from the time the relay is attached until the shutdown; who is taken out, or whose
/// meeting is over, does not come back.
///
/// # Errors
/// None: a relay serves others, whatever becomes of itself.
pub async fn attend(
    meeting: Target,
    relay: OwnParticipant,
    platform: Platform,
) -> anyhow::Result<()> {
    let participant = Participant { meeting, relay, platform };
    if let Some(standing) = participant.attend().await {
        tracing::info!(why = standing.words(), "the relay's own meeting has ended");
        participant.relay.show(OwnMeeting::at(standing));
        participant.platform.shutdown.cancelled().await;
    }
    Ok(())
}

struct Participant {
    meeting: Target,
    relay: OwnParticipant,
    platform: Platform,
}

/// Which relay it is: its id and its name.
struct Relay {
    id: String,
    name: String,
}

impl Participant {
    /// Until it has ended for good, and how; none: until the shutdown.
    async fn attend(&self) -> Option<Standing> {
        let shutdown = &self.platform.shutdown;
        let mut pause = PAUSE_MIN;
        loop {
            let relay = shutdown.run_until_cancelled(self.attached()).await??;
            self.relay.show(OwnMeeting::at(Standing::Joining));
            let joining = Terminal::join(self.options(&relay.name));
            let standing = match shutdown.run_until_cancelled(joining).await? {
                Ok(terminal) => {
                    tracing::info!(meeting = %terminal.meeting_id(), "the relay itself is in its meeting");
                    pause = PAUSE_MIN;
                    self.stay(terminal, &relay.id).await?
                }
                Err(error) => {
                    tracing::warn!(%error, "the relay itself can't join its meeting");
                    refused_at_first(&error)
                }
            };
            if standing.is_final() {
                return Some(standing);
            }
            self.relay.show(OwnMeeting::at(standing));
            shutdown.run_until_cancelled(sleep(pause.min(pause_max(standing)))).await?;
            pause = (pause * 2).min(pause_max(standing));
        }
    }

    /// Waits until the relay is attached; none: it ends.
    async fn attached(&self) -> Option<Relay> {
        let mut status = self.relay.status.clone();
        if status.borrow().attached.is_none() {
            self.relay.show(OwnMeeting::at(Standing::NotAttached));
        }
        let status = status.wait_for(|status| status.attached.is_some()).await.ok()?;
        Some(Relay { id: status.relay_id.clone(), name: status.relay_name.clone() })
    }

    fn options(&self, name: &str) -> Options {
        let url = format!("http://{}", self.relay.address);
        let identity = IdentitySource::Guest { display_name: name.to_owned() };
        let meeting = MeetingTarget::Existing(self.meeting.clone());
        Options { muted: true, media: false, ..Options::new(url, identity, meeting) }
    }

    /// Shows the meeting until it has ended for the relay, and says how; none: until the shutdown.
    async fn stay(&self, terminal: Terminal, relay_id: &str) -> Option<Standing> {
        let mut events = terminal.events();
        let ended = loop {
            let snapshot = terminal.snapshot();
            if let Some(reason) = &snapshot.ended {
                break Some(end_of_stay(reason));
            }
            self.relay.show(roster::shown(&snapshot, relay_id));
            let something = async {
                // Which it was does not matter, nor whether some were missed.
                let _ = timeout(SHOWN_AT_LEAST, events.recv()).await;
                sleep(SHOWN_EVERY).await;
            };
            if self.platform.shutdown.run_until_cancelled(something).await.is_none() {
                break None;
            }
            events = events.resubscribe();
        };
        terminal.leave().await;
        ended
    }
}

fn pause_max(standing: Standing) -> Duration {
    if standing == Standing::NoAnswer { PAUSE_MAX } else { REFUSED_PAUSE_MAX }
}

/// How it stands with a meeting that could not be joined.
fn refused_at_first(error: &JoinError) -> Standing {
    error.refusal().map_or(Standing::NoAnswer, refused)
}

/// How it stands with a meeting that has ended for the relay.
fn end_of_stay(reason: &EndReason) -> Standing {
    match reason {
        // Who was revoked does not come back as somebody else.
        EndReason::Refused(RefusalCode::NotLoggedIn, _) => Standing::Revoked,
        EndReason::Refused(code, _) => refused(*code),
        EndReason::Left => Standing::NoAnswer,
    }
}

fn refused(code: RefusalCode) -> Standing {
    match code {
        RefusalCode::NotAdmitted => Standing::NotAdmitted,
        RefusalCode::WrongPassword => Standing::Password,
        RefusalCode::MeetingLocked => Standing::Locked,
        RefusalCode::MeetingEnded => Standing::Over,
        RefusalCode::Removed => Standing::Removed,
        RefusalCode::SentAway => Standing::SentAway,
        RefusalCode::Replaced => Standing::Replaced,
        RefusalCode::TryAgain
        | RefusalCode::Limit
        | RefusalCode::OutOfOrder
        | RefusalCode::CredentialExpired => Standing::NoAnswer,
        _ => Standing::Refused,
    }
}

#[cfg(test)]
mod tests {
    use tributary_terminal::protocol::{ConnectError, RequestError};

    use super::*;

    #[test]
    fn what_becomes_of_it_is_told_apart_and_only_what_somebody_wanted_is_final() {
        let at_first = |code| {
            let refused = RequestError::Refused { code, message: "no".into() };
            refused_at_first(&refused.into())
        };
        let later = |code| end_of_stay(&EndReason::Refused(code, "no".into()));
        for (code, standing, is_final) in [
            (RefusalCode::NotAdmitted, Standing::NotAdmitted, false),
            (RefusalCode::WrongPassword, Standing::Password, false),
            (RefusalCode::MeetingLocked, Standing::Locked, false),
            (RefusalCode::TryAgain, Standing::NoAnswer, false),
            (RefusalCode::Unsupported, Standing::Refused, false),
            (RefusalCode::MeetingEnded, Standing::Over, true),
            (RefusalCode::Removed, Standing::Removed, true),
            (RefusalCode::SentAway, Standing::SentAway, true),
            (RefusalCode::Replaced, Standing::Replaced, true),
        ] {
            assert_eq!((at_first(code), later(code)), (standing, standing), "{code:?}");
            assert_eq!(standing.is_final(), is_final, "{code:?}");
        }
        // A guest who was revoked is not another guest a moment later.
        assert_eq!(at_first(RefusalCode::NotLoggedIn), Standing::Refused);
        assert!(later(RefusalCode::NotLoggedIn).is_final());
        let lost = JoinError::from(ConnectError::NoWelcome);
        assert_eq!(refused_at_first(&lost), Standing::NoAnswer);
        assert!(pause_max(Standing::NoAnswer) < pause_max(Standing::NotAdmitted));
    }
}
