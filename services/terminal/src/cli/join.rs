//! `tributary terminal join`.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{JoinArgs, print_json, progress, report::Report, secret};
use crate::{AudioSource, EndReason, Event, MeetingTarget, Options, Target, Terminal, protocol};

pub(super) async fn run(args: JoinArgs) -> anyhow::Result<()> {
    let meeting = MeetingTarget::Existing(target(&args)?);
    let mut options = Options::new(args.relay.relay.clone(), args.relay.identity()?, meeting);
    options.muted = args.muted;
    options.source = source(&args.play, args.repeat)?;
    options.talk = args.talk;
    options.listen_for_hz.clone_from(&args.listen_for);
    options.record = args.record.is_some();
    options.local_address = match args.local_address {
        Some(address) => address,
        None => {
            protocol::local_address_towards(&args.relay.relay).await.context("find the relay")?
        }
    };
    let joined_at = Instant::now();
    let terminal = Terminal::join(options).await.context("join the meeting")?;
    progress(&format!(
        "in meeting {} as participant {}, {} in all",
        terminal.meeting_id(),
        terminal.participant_id(),
        terminal.roster().len()
    ));
    let until = args.seconds.map(|seconds| joined_at + Duration::from_secs_f64(seconds));
    attend(&terminal, until).await;
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

/// Until the time is over, the user interrupts, or the meeting ends.
async fn attend(terminal: &Terminal, until: Option<Instant>) {
    let mut events = terminal.events();
    let time = async {
        match until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    let interrupt = interrupted();
    tokio::pin!(time, interrupt);
    if terminal.snapshot().ended.is_some() {
        return;
    }
    loop {
        tokio::select! {
            () = &mut time => return,
            () = &mut interrupt => return,
            event = events.recv() => match event {
                Ok(Event::Ended(reason)) => {
                    if let EndReason::Refused(_, text) = reason {
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

fn tell(terminal: &Terminal, event: Event) {
    match event {
        Event::Connected => progress("connected again"),
        Event::Lost => progress("connection lost, trying to come back"),
        Event::Speakers(ids) => {
            let roster = terminal.snapshot().roster;
            let name = |id| roster.get(id).map_or("?", |person| person.display_name.as_str());
            let names: Vec<&str> = ids.iter().map(name).collect();
            progress(&format!("speaking: {}", names.join(", ")));
        }
        Event::Meeting(_) | Event::Ended(_) => {}
    }
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
