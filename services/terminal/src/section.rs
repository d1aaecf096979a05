//! The audio sections of a terminal's peer connection: what is private never shares one with the meeting.

use tributary_rtc_session::AUDIO_SECTIONS_MAX;

/// How many there are.
pub const SECTIONS: usize = AUDIO_SECTIONS_MAX;

/// An audio section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// The meeting: sent and received.
    Meeting,
    /// Private talk: that of the terminal, and that of one other.
    FirstPrivate,
    /// Private talk of a second other.
    SecondPrivate,
}

impl Section {
    /// All of them.
    pub const ALL: [Self; SECTIONS] = [Self::Meeting, Self::FirstPrivate, Self::SecondPrivate];

    /// Its place among them, from 0.
    pub fn index(self) -> usize {
        self as usize
    }

    pub(crate) fn of(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }
}
