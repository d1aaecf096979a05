//! Who is there, behind which relay, in which meeting; and what each must hear by the rules.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tributary_identifiers::{MeetingId, ParticipantId};
use tributary_terminal::{Outcome, Target};

use crate::hearing::Voice;
use crate::{Options, RelayOptions, World};

/// The tone of each terminal, in Hz.
pub const TONES: [f32; 8] = [440.0, 554.0, 659.0, 784.0, 932.0, 1109.0, 1245.0, 1397.0];
/// The index of the relay of each.
const RELAYS: [usize; 8] = [0, 0, 1, 1, ROOM, ROOM, 0, 1];
/// The relay that stands in a room.
const ROOM: usize = 2;
/// The last two are in the other meeting.
const ELSEWHERE: [usize; 2] = [6, 7];
/// This one is in both.
pub const COMMUTER: usize = 0;
/// How long it may take until the registry has answered and all has come about.
const DEADLINE: Duration = Duration::from_secs(30);

/// One of the two meetings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// In which six are.
    One,
    /// In which two are.
    Two,
}

/// A world with two meetings and eight terminals.
pub struct Cast {
    /// The services.
    pub world: World,
    /// The terminals.
    pub voices: Vec<Voice>,
    meetings: [MeetingId; 2],
}

/// What is going on: who makes their tone heard, who talks to whom only, and where the commuter is.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Whose tone is on.
    pub speaking: Vec<usize>,
    /// Who talks to some only, and to whom.
    pub talks: Vec<(usize, Vec<usize>)>,
    /// Where the commuter is live.
    pub commuter: Meeting,
}

impl Scene {
    fn meeting_of(&self, who: usize) -> Meeting {
        match who {
            COMMUTER => self.commuter,
            _ if ELSEWHERE.contains(&who) => Meeting::Two,
            _ => Meeting::One,
        }
    }

    /// True if by the rules this listener hears this speaker.
    pub fn is_heard(&self, speaker: usize, listener: usize) -> bool {
        if speaker == listener || !self.speaking.contains(&speaker) {
            return false;
        }
        if self.meeting_of(speaker) != self.meeting_of(listener) {
            return false;
        }
        match self.talks.iter().find(|(talker, _)| *talker == speaker) {
            Some((_, targets)) => targets.contains(&listener),
            None => !(RELAYS.get(speaker) == Some(&ROOM) && RELAYS.get(listener) == Some(&ROOM)),
        }
    }
}

impl Cast {
    /// Starts everything and brings everybody in, silent.
    pub async fn assemble() -> Result<Self> {
        let relays = vec![
            RelayOptions::named("Office A"),
            RelayOptions::named("Office B"),
            RelayOptions::room("Room C"),
        ];
        let world = World::start(Options { relays, ..Options::default() }).await?;
        let directory = world.directory()?;
        let organiser = directory.user("ada", "Ada", "a password for talking").await?;
        let mut meetings = Vec::new();
        for subject in ["One", "Two"] {
            meetings.push(directory.meeting(&organiser, subject, true).await?.parse()?);
        }
        let meetings: [MeetingId; 2] =
            meetings.try_into().map_err(|_| anyhow::anyhow!("two meetings were made"))?;
        let mut voices = Vec::new();
        for (index, (hz, relay)) in TONES.into_iter().zip(RELAYS).enumerate() {
            let [one, two] = meetings;
            let meeting = if ELSEWHERE.contains(&index) { two } else { one };
            let url = world.relay_url(relay)?;
            let name = format!("{hz} Hz");
            voices.push(Voice::join(&url, &meeting.to_string(), &name, hz, &TONES).await?);
        }
        let cast = Self { world, voices, meetings };
        let held = cast.voice(COMMUTER)?.terminal().join_held(Target::new(meetings[1]));
        held.await.context("be in two meetings")?;
        Ok(cast)
    }

    /// One of them.
    pub fn voice(&self, index: usize) -> Result<&Voice> {
        self.voices.get(index).context("nobody of that number")
    }

    /// Lets one talk to some only, or to everybody again; returns when that is in force.
    pub async fn talk_to(&self, talker: usize, targets: &[usize]) -> Result<()> {
        let terminal = self.voice(talker)?.terminal();
        let ids: Vec<ParticipantId> = targets
            .iter()
            .map(|target| Ok(self.voice(*target)?.terminal().participant_id()))
            .collect::<Result<_>>()?;
        let talking = tokio::time::timeout(DEADLINE, terminal.talk_to(&ids)).await;
        let outcome = talking.context("talking to some has no answer")??;
        let fine = matches!(outcome, Outcome::Applied { .. } | Outcome::NothingChanged);
        ensure!(fine, "{talker} can't talk to {targets:?}: {outcome:?}");
        Ok(())
    }

    /// Moves the commuter.
    pub async fn commute(&self, to: Meeting) -> Result<()> {
        let [one, two] = self.meetings;
        let meeting = if to == Meeting::Two { two } else { one };
        let terminal = self.voice(COMMUTER)?.terminal();
        if terminal.meeting_id() != meeting {
            terminal.switch_to(meeting).await.context("switch meetings")?;
        }
        Ok(())
    }

    /// Lets these tones be on, and no others.
    pub fn speak(&self, speaking: &[usize]) {
        for (index, voice) in self.voices.iter().enumerate() {
            voice.speak(speaking.contains(&index));
        }
    }

    /// Everybody leaves.
    pub async fn dismiss(self) -> Result<()> {
        for voice in self.voices {
            voice.leave().await?;
        }
        self.world.end().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(scene: &Scene) -> Vec<(usize, usize)> {
        let all = (0..TONES.len()).flat_map(|s| (0..TONES.len()).map(move |l| (s, l)));
        all.filter(|(speaker, listener)| scene.is_heard(*speaker, *listener)).collect()
    }

    #[test]
    fn the_rules_are_those_of_the_design() {
        let scene = |speaking: &[usize], talks: &[(usize, &[usize])], commuter| Scene {
            speaking: speaking.to_vec(),
            talks: talks.iter().map(|(talker, to)| (*talker, to.to_vec())).collect(),
            commuter,
        };
        let open = scene(&[1], &[], Meeting::One);
        assert_eq!(heard(&open), [(1, 0), (1, 2), (1, 3), (1, 4), (1, 5)]);
        let room = scene(&[4], &[], Meeting::One);
        assert_eq!(heard(&room), [(4, 0), (4, 1), (4, 2), (4, 3)]);
        let whisper = scene(&[1], &[(1, &[2, 5])], Meeting::One);
        assert_eq!(heard(&whisper), [(1, 2), (1, 5)]);
        let away = scene(&[0, 1], &[], Meeting::Two);
        assert_eq!(heard(&away), [(0, 6), (0, 7), (1, 2), (1, 3), (1, 4), (1, 5)]);
    }
}
