//! `tributary terminal join`.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};

use tributary_contracts::event::v1::{MeetingEvent, meeting_event::Body as Happened};
use tributary_identifiers::ParticipantId;

use super::{JoinArgs, print_json, progress, refusal, report::Report, secret};
use crate::{AudioSource, Event, MeetingTarget, OperateError, Options, Outcome, Target, Terminal};

pub(super) async fn run(args: JoinArgs) -> anyhow::Result<()> {
    let meeting = MeetingTarget::Existing(target(&args)?);
    let mut options = Options::new(args.relay.relay.clone(), args.relay.identity()?, meeting);
    options.muted = args.muted;
    options.source = source(&args.play, args.repeat)?;
    options.talk = args.talk;
    options.listen_for_hz.clone_from(&args.listen_for);
    options.record = args.record.is_some();
    options.other_relay_urls.clone_from(&args.other_relays);
    if let Some(address) = args.local_address {
        options.local_address = address;
    }
    let joined_at = Instant::now();
    let joining = Terminal::join(options).await.map_err(refusal::of_join);
    let terminal = joining.context("join the meeting")?;
    let events = terminal.events();
    if terminal.snapshot().waiting {
        progress("in the lobby: a host must let this terminal in");
    } else {
        tell_that_it_is_in(&terminal);
    }
    let until = args.seconds.map(|seconds| joined_at + Duration::from_secs_f64(seconds));
    attend(&terminal, events, &args, until).await;
    if let Some(path) = &args.record {
        terminal.write_heard_to(path).with_context(|| format!("write {}", path.display()))?;
        progress(&format!("what was heard is in {}", path.display()));
    }
    let snapshot = terminal.snapshot();
    let report = Report::new(terminal.meeting_id(), &snapshot, joined_at.elapsed());
    terminal.leave().await;
    print_json(&report)
}

fn target(args: &JoinArgs) -> anyhow::Result<Target> {
    let target = match (&args.link, args.meeting) {
        (Some(link), _) => link.clone(),
        (None, Some(meeting)) => {
            let share_secret = args.share_secret.clone().unwrap_or_default();
            Target::new(meeting).with_share_secret(share_secret)
        }
        (None, None) => bail!("which meeting? name it by --link or --meeting"),
    };
    Ok(target.with_password(secret(args.meeting_password_file.as_deref())?))
}

fn tell_that_it_is_in(terminal: &Terminal) {
    progress(&format!(
        "in meeting {} as participant {}, {} in all",
        terminal.meeting_id(),
        terminal.participant_id(),
        terminal.roster().len()
    ));
}

/// Until the time is over, the user interrupts, or the meeting ends.
async fn attend(
    terminal: &Terminal,
    mut events: Receiver<Event>,
    args: &JoinArgs,
    until: Option<Instant>,
) {
    let time = async {
        match until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    let (interrupt, acts) = (interrupted(), act(terminal, args));
    tokio::pin!(time, interrupt, acts);
    let mut acting = true;
    if terminal.snapshot().ended.is_some() {
        return;
    }
    loop {
        tokio::select! {
            () = &mut time => return,
            () = &mut interrupt => return,
            () = &mut acts, if acting => acting = false,
            event = events.recv() => match event {
                Ok(Event::Ended(reason)) => {
                    if let Some(text) = refusal::of_end(&reason) {
                        progress(&format!("out of the meeting: {text}"));
                    }
                    return;
                }
                Ok(event) => tell(terminal, event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Does what was asked for on the command line, once in.
async fn act(terminal: &Terminal, args: &JoinArgs) {
    let is_in = terminal.wait_until(|now| now.connected || now.ended.is_some(), Duration::MAX);
    if is_in.await.is_err() {
        return;
    }
    if args.check_in {
        tell_outcome("check in", terminal.check_in().await);
    }
    if args.raise_hand {
        tell_outcome("raise the hand", terminal.raise_hand(true).await);
    }
    if let Some(text) = &args.chat {
        tell_outcome("write", terminal.chat(text, &[]).await);
    }
}

fn tell_outcome(what: &str, outcome: Result<Outcome, OperateError>) {
    match outcome {
        Ok(Outcome::Applied { .. } | Outcome::NothingChanged) => progress(&format!("{what}: done")),
        Ok(Outcome::Refused { message, .. } | Outcome::NotTaken { message, .. }) => {
            progress(&format!("{what}: refused: {message}"));
        }
        Err(error) => progress(&format!("{what}: {error}")),
    }
}

fn tell(terminal: &Terminal, event: Event) {
    match event {
        Event::Connected => progress("connected again"),
        Event::Lost => progress("connection lost, trying to come back"),
        Event::Admitted(_) => tell_that_it_is_in(terminal),
        Event::Speakers(ids) => {
            let names: Vec<String> = ids.into_iter().map(|id| name(terminal, id)).collect();
            progress(&format!("speaking: {}", names.join(", ")));
        }
        Event::Meeting(event) => tell_happened(terminal, &event),
        _ => {}
    }
}

fn tell_happened(terminal: &Terminal, event: &MeetingEvent) {
    let name = |id: u32| name(terminal, ParticipantId(id));
    let text = match &event.body {
        Some(Happened::ChatMessage(message)) => {
            format!("{} writes: {}", message.display_name, message.text)
        }
        Some(Happened::Announcement(announcement)) => format!("announced: {}", announcement.text),
        Some(Happened::HandChanged(hand)) if hand.raised => {
            format!("{} raises the hand", name(hand.participant_id))
        }
        Some(Happened::AskedToUnmute(asked)) => {
            format!(
                "{} asks {} to unmute",
                name(asked.by_participant_id),
                name(asked.participant_id)
            )
        }
        Some(Happened::LockChanged(lock)) if lock.locked => "the meeting is locked now".to_owned(),
        Some(Happened::LockChanged(_)) => "the meeting is not locked any more".to_owned(),
        _ => return,
    };
    progress(&text);
}

fn name(terminal: &Terminal, id: ParticipantId) -> String {
    let roster = terminal.snapshot().roster;
    roster.get(&id).map_or_else(|| "?".to_owned(), |person| person.display_name.clone())
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return drop(tokio::signal::ctrl_c().await);
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn source(play: &str, repeat: bool) -> anyhow::Result<AudioSource> {
    let mut words = play.split(':');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("silence"), None, ..) => Ok(AudioSource::Silence),
        (Some("tone"), Some(hz), level, None) => {
            let hz = super::tone_hz(hz).map_err(anyhow::Error::msg)?;
            let level_dbfs = level.unwrap_or("-20").parse::<f32>().context("level of the tone")?;
            if !(-90.0..=0.0).contains(&level_dbfs) {
                bail!("the level of a tone is -90 to 0 dB relative to full scale");
            }
            Ok(AudioSource::Tone { hz, level_dbfs })
        }
        (Some("melody"), variant, None, _) => {
            let variant = variant.unwrap_or("0").parse().context("variant of the melody")?;
            Ok(AudioSource::Melody { variant })
        }
        _ => AudioSource::from_file(Path::new(play), repeat)
            .with_context(|| format!("read the sound {play}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_are_understood() {
        assert!(matches!(source("silence", false).unwrap(), AudioSource::Silence));
        let tone = source("tone:440", false).unwrap();
        assert!(matches!(tone, AudioSource::Tone { hz: 440.0, level_dbfs: -20.0 }));
        let tone = source("tone:440:-30", false).unwrap();
        assert!(matches!(tone, AudioSource::Tone { hz: 440.0, level_dbfs: -30.0 }));
        assert!(matches!(source("melody:3", false).unwrap(), AudioSource::Melody { variant: 3 }));
        for wrong in ["tone:x", "tone:440:x", "tone:440:9", "melody:x", "no-such-file.wav", ""] {
            assert!(source(wrong, false).is_err(), "{wrong}");
        }
    }
}
