//! One meeting at one relay: its local voices, its listeners, its route plan.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tributary_identifiers::ParticipantId;
use tributary_speaker_selection::{Config as SelectionConfig, Gate};

use crate::{
    egress::{Placement, Slot},
    epoch::EpochGuard,
    route::{AUDIO_SLOTS_MAX, RoutePlan, Track, TrackFrame},
};

/// Frames a terminal may send a second before the rest is dropped: twice what 10 ms frames need.
const FRAMES_PER_SECOND_MAX: u32 = 200;

/// One audio frame from a local participant.
#[derive(Clone, Debug)]
pub struct SendFrame {
    /// Who.
    pub participant: ParticipantId,
    /// Counts the participant's frames.
    pub sequence: u32,
    /// RTP timestamp, 48 kHz.
    pub media_time: u32,
    /// Audio level (RFC 6464), 0 to 127 in -dBov.
    pub level: u8,
    /// When it arrived, Unix time in microseconds.
    pub ingress_us: u64,
    /// The Opus packet.
    pub payload: Bytes,
}

/// Why a frame from a terminal was not considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The participant is muted.
    Muted,
    /// More frames a second than a microphone makes.
    Flood,
    /// Nobody of that id is here.
    Unknown,
}

/// A frame for one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which audio slot.
    pub slot: usize,
    /// Where on its timeline.
    pub placement: Placement,
}

/// What the relay tells the mixer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Everybody here, in order of arrival.
    pub participants: Vec<ParticipantId>,
    /// Epoch of the plan in force, 0 if none.
    pub plan_epoch: u64,
    /// Version of the plan in force, 0 if none.
    pub plan_version: u64,
}

struct Listener<T> {
    participant: ParticipantId,
    terminal: T,
    muted: bool,
    slots: [Slot; AUDIO_SLOTS_MAX],
    window_start: Option<Instant>,
    window_frames: u32,
}

/// One meeting at one relay. `T` is the server's handle of a terminal.
pub struct Meeting<T> {
    gate: Gate<SendFrame>,
    listeners: Vec<Listener<T>>,
    guard: EpochGuard,
    plan: RoutePlan,
}

impl<T: Copy + PartialEq> Meeting<T> {
    /// An empty meeting that sends up the loudest voices as `selection` says.
    #[must_use]
    pub fn new(selection: SelectionConfig) -> Self {
        Self {
            gate: Gate::new(selection),
            listeners: Vec::new(),
            guard: EpochGuard::default(),
            plan: RoutePlan::default(),
        }
    }

    /// Brings a participant in, or gives it another terminal handle.
    pub fn attach(&mut self, participant: ParticipantId, terminal: T, muted: bool) {
        if let Some(listener) = self.find(participant) {
            listener.terminal = terminal;
            listener.muted = muted;
            return;
        }
        self.listeners.push(Listener {
            participant,
            terminal,
            muted,
            slots: Default::default(),
            window_start: None,
            window_frames: 0,
        });
    }

    /// The participant has a new peer connection, whose timelines start anew.
    pub fn restart_timelines(&mut self, participant: ParticipantId) {
        if let Some(listener) = self.find(participant) {
            listener.slots = Default::default();
        }
    }

    /// Takes a participant out, unless it has another terminal by now.
    pub fn detach(&mut self, participant: ParticipantId, terminal: T) {
        let before = self.listeners.len();
        self.listeners.retain(|listener| {
            listener.participant != participant || listener.terminal != terminal
        });
        if self.listeners.len() < before {
            self.gate.remove(participant);
        }
    }

    /// True if nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Switches a participant's microphone; a muted one's frames are dropped here.
    pub fn set_muted(&mut self, participant: ParticipantId, muted: bool) {
        if let Some(listener) = self.find(participant) {
            listener.muted = muted;
        }
        if muted {
            self.gate.remove(participant);
        }
    }

    fn find(&mut self, participant: ParticipantId) -> Option<&mut Listener<T>> {
        self.listeners.iter_mut().find(|listener| listener.participant == participant)
    }

    /// A frame has come from a local terminal; `up` gets what is to be sent to the mixer, at once
    /// and in order: nothing, the frame, or first the onset that was held back and then the frame.
    ///
    /// # Errors
    /// The frame was not considered.
    pub fn handle_audio(
        &mut self,
        frame: SendFrame,
        now: Instant,
        up: &mut impl FnMut(SendFrame),
    ) -> Result<(), Dropped> {
        let listener = self.find(frame.participant).ok_or(Dropped::Unknown)?;
        if listener.muted {
            return Err(Dropped::Muted);
        }
        listener.count(now)?;
        // The frame goes up with the level that was claimed: the mixer compares.
        let who = frame.participant;
        let level = self.plan.corrected(who, frame.level);
        self.gate.push(who, level, frame, now, &mut |_, frame| up(frame));
        Ok(())
    }

    /// A frame of a track has come down; `deliver` is called for every terminal that gets it.
    pub fn handle_track(
        &mut self,
        frame: &TrackFrame,
        now: Instant,
        deliver: &mut impl FnMut(T, Delivery),
    ) {
        let Self { listeners, plan, .. } = self;
        for listener in listeners {
            if frame.sources.contains(&listener.participant) {
                continue;
            }
            let Some(index) = plan.slot_of(listener.participant, frame.track) else { continue };
            let Some(slot) = listener.slots.get_mut(index) else { continue };
            let placed = slot.place(frame.stream, frame.media_time, now);
            if let Some(placement) = placed {
                deliver(listener.terminal, Delivery { slot: index, placement });
            }
        }
    }

    /// Something of this epoch has come: may it be used? A new epoch starts without a plan.
    pub fn admit_epoch(&mut self, epoch: u64, now: Instant) -> bool {
        match self.guard.admit(epoch, now) {
            None => false,
            Some(new) => {
                if new && self.plan.epoch != epoch {
                    self.plan =
                        RoutePlan { speakers: self.plan.speakers.clone(), ..<_>::default() };
                }
                true
            }
        }
    }

    /// A route plan has come. True if it was taken and the active speakers have changed.
    pub fn handle_plan(&mut self, plan: RoutePlan, now: Instant) -> bool {
        if !self.admit_epoch(plan.epoch, now) {
            return false;
        }
        if plan.epoch == self.plan.epoch && plan.version <= self.plan.version {
            return false;
        }
        let changed = plan.speakers != self.plan.speakers;
        self.plan = plan;
        changed
    }

    /// The active speakers, as the plan in force says.
    #[must_use]
    pub fn speakers(&self) -> &[ParticipantId] {
        &self.plan.speakers
    }

    /// The audio track in a slot of somebody's plan; for status pages and tests.
    #[must_use]
    pub fn slot_of(&self, participant: ParticipantId, track: Track) -> Option<usize> {
        self.plan.slot_of(participant, track)
    }

    /// What the mixer must know.
    #[must_use]
    pub fn needs(&self) -> Needs {
        Needs {
            participants: self.listeners.iter().map(|listener| listener.participant).collect(),
            plan_epoch: self.plan.epoch,
            plan_version: self.plan.version,
        }
    }
}

impl<T> Listener<T> {
    fn count(&mut self, now: Instant) -> Result<(), Dropped> {
        let fresh = self
            .window_start
            .is_none_or(|start| now.saturating_duration_since(start) >= Duration::from_secs(1));
        if fresh {
            self.window_start = Some(now);
            self.window_frames = 0;
        }
        self.window_frames += 1;
        if self.window_frames > FRAMES_PER_SECOND_MAX { Err(Dropped::Flood) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
