//! The gate: slots for the loudest, and what the others said last.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use tributary_identifiers::ParticipantId;

use crate::{Config, LEVEL_QUIETEST, loudness::Loudness};

/// Older than this, a kept frame is no onset of what is said now. Three frames of the longest
/// usual duration, 60 ms, are younger.
const ONSET_AGE_MAX: Duration = Duration::from_millis(200);

/// Selects who speaks, and lets their frames through.
///
/// It knows everybody who was pushed and not removed: the caller pushes only for participants it
/// knows and removes those who leave.
#[derive(Debug)]
pub struct Gate<F> {
    config: Config,
    talkers: HashMap<ParticipantId, Talker<F>>,
    /// Who is selected, loudest first; `voices_max` at most.
    slots: Vec<ParticipantId>,
    revision: u64,
}

#[derive(Debug)]
struct Talker<F> {
    loudness: Loudness,
    /// When the last frame over the threshold came.
    spoke: Option<Instant>,
    /// Since when it is loud enough to take somebody's slot.
    louder_since: Option<Instant>,
    /// The last frames that were not let through, `onset_frames` at most.
    onset: VecDeque<(Instant, F)>,
}

impl<F> Gate<F> {
    /// A gate with nobody behind it.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, talkers: HashMap::new(), slots: Vec::new(), revision: 0 }
    }

    /// Takes in a frame and forwards nothing, or the frame, or first the onset that was kept and
    /// then the frame. `level` is in -dBov, 0 to 127 (RFC 6464).
    pub fn push(
        &mut self,
        who: ParticipantId,
        level: u8,
        frame: F,
        now: Instant,
        forward: &mut impl FnMut(ParticipantId, F),
    ) {
        self.expire(now);
        let level = level.min(LEVEL_QUIETEST);
        let speech = level < self.config.threshold_dbov;
        self.hear(who, level, speech, now);
        if !self.is_selected(who) {
            if !(speech && self.take_slot(who, now)) {
                self.keep_for_onset(who, frame, now);
                return;
            }
            self.forward_onset(who, now, forward);
        }
        self.sort(who);
        forward(who, frame);
    }

    /// Forgets somebody who has left, with their slot.
    pub fn remove(&mut self, who: ParticipantId) {
        self.talkers.remove(&who);
        self.free_slots(|holder| holder == who);
    }

    /// Frees the slots of those who have stopped. Says whether that changed the selection; `push`
    /// does the same by itself, so see also [`Gate::revision`].
    pub fn expire(&mut self, now: Instant) -> bool {
        let Self { config, talkers, slots, revision } = self;
        let before = slots.len();
        slots.retain(|holder| {
            let spoke = talkers.get(holder).and_then(|talker| talker.spoke);
            spoke.is_some_and(|spoke| now.saturating_duration_since(spoke) < config.hangover)
        });
        let changed = slots.len() != before;
        *revision += u64::from(changed);
        changed
    }

    /// Who is selected, loudest first. The order has the same hysteresis as the selection.
    pub fn selected(&self) -> impl Iterator<Item = ParticipantId> {
        self.slots.iter().copied()
    }

    /// Whether this one is selected.
    #[must_use]
    pub fn is_selected(&self, who: ParticipantId) -> bool {
        self.slots.contains(&who)
    }

    /// Grows whenever somebody is selected or deselected.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// When the next slot becomes free if nothing more is said.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        let spoke = self.slots.iter().filter_map(|holder| self.talkers.get(holder)?.spoke);
        spoke.min().map(|spoke| spoke + self.config.hangover)
    }

    fn hear(&mut self, who: ParticipantId, level: u8, speech: bool, now: Instant) {
        let onset_frames = self.config.onset_frames;
        let talker = self.talkers.entry(who).or_insert_with(|| Talker {
            loudness: Loudness::new(level, now),
            spoke: None,
            louder_since: None,
            onset: VecDeque::with_capacity(onset_frames),
        });
        // After a pause nothing is known of how loud somebody is now, nor for how long.
        let pause = talker.loudness.since_heard(now);
        if pause > self.config.takeover {
            talker.louder_since = None;
        }
        if pause > self.config.hangover {
            talker.loudness = Loudness::new(level, now);
        } else {
            talker.loudness.hear(level, now);
        }
        if speech {
            talker.spoke = Some(now);
        }
    }

    /// Gives `who` a free slot, or that of the quietest if `who` has been louder for long enough.
    fn take_slot(&mut self, who: ParticipantId, now: Instant) -> bool {
        if self.slots.len() >= self.config.voices_max {
            let Some(quietest) = self.displaced_by(who, now) else { return false };
            self.free_slots(|holder| holder == quietest);
        }
        self.slots.push(who);
        self.revision += 1;
        true
    }

    fn displaced_by(&mut self, who: ParticipantId, now: Instant) -> Option<ParticipantId> {
        let holders = self.slots.iter().map(|holder| (*holder, self.loudness(*holder)));
        let (quietest, loudness) = holders.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let hysteresis = f32::from(self.config.hysteresis_db);
        let takeover = self.config.takeover;
        let talker = self.talkers.get_mut(&who)?;
        if talker.loudness.dbov() <= loudness + hysteresis {
            talker.louder_since = None;
            return None;
        }
        let since = *talker.louder_since.get_or_insert(now);
        (now.saturating_duration_since(since) >= takeover).then(|| {
            talker.louder_since = None;
            quietest
        })
    }

    fn keep_for_onset(&mut self, who: ParticipantId, frame: F, now: Instant) {
        let Some(talker) = self.talkers.get_mut(&who) else { return };
        if self.config.onset_frames == 0 {
            return;
        }
        while talker.onset.len() >= self.config.onset_frames {
            talker.onset.pop_front();
        }
        talker.onset.push_back((now, frame));
    }

    fn forward_onset(
        &mut self,
        who: ParticipantId,
        now: Instant,
        forward: &mut impl FnMut(ParticipantId, F),
    ) {
        let Some(talker) = self.talkers.get_mut(&who) else { return };
        for (came, frame) in talker.onset.drain(..) {
            if now.saturating_duration_since(came) <= ONSET_AGE_MAX {
                forward(who, frame);
            }
        }
    }

    /// Moves `who` up past those who are clearly quieter.
    fn sort(&mut self, who: ParticipantId) {
        let loudness = self.loudness(who) - f32::from(self.config.hysteresis_db);
        let Some(mut place) = self.slots.iter().position(|holder| *holder == who) else { return };
        while let Some(above) = place.checked_sub(1)
            && self.slots.get(above).is_some_and(|holder| self.loudness(*holder) < loudness)
        {
            self.slots.swap(above, place);
            place = above;
        }
    }

    fn free_slots(&mut self, matches: impl Fn(ParticipantId) -> bool) {
        let before = self.slots.len();
        self.slots.retain(|holder| !matches(*holder));
        self.revision += u64::from(self.slots.len() != before);
    }

    fn loudness(&self, who: ParticipantId) -> f32 {
        self.talkers.get(&who).map_or(f32::NEG_INFINITY, |talker| talker.loudness.dbov())
    }
}
