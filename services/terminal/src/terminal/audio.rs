//! What a terminal says and hears.

use std::{path::Path, time::Instant};

use tributary_audio::FileError;

use super::Terminal;
use crate::{AudioSource, Hearing, PacketRecord, Section, media::lock, recording};

/// Audio.
impl Terminal {
    /// From now on the microphone hears this.
    pub fn set_source(&self, source: AudioSource) {
        lock(&self.board.desk.player).set_source(source);
    }

    /// What was heard so far, on all sections.
    pub fn hearing(&self) -> Hearing {
        lock(&self.board.desk.ear).hearing()
    }

    /// What was heard so far on one section.
    pub fn hearing_on(&self, section: Section) -> Hearing {
        lock(&self.board.desk.ear).hearing_on(section)
    }

    /// Starts counting anew. A recording goes on.
    pub fn reset_hearing(&self) {
        lock(&self.board.desk.ear).reset();
    }

    /// The last packets, oldest first; none without
    /// [`record_packets`](crate::Options::record_packets).
    pub fn packets(&self) -> Vec<PacketRecord> {
        self.board.desk.packets.as_ref().map(|packets| lock(packets).records()).unwrap_or_default()
    }

    /// Forgets the packets so far.
    pub fn reset_packets(&self) {
        if let Some(packets) = &self.board.desk.packets {
            lock(packets).clear();
        }
    }

    /// Writes what was heard since joining to a WAV file; only with [`record`](crate::Options::record).
    pub fn write_heard_to(&self, path: &Path) -> Result<(), FileError> {
        let recorded = lock(&self.board.desk.ear).recorded(Instant::now());
        recording::write_wav(path, &recorded.ok_or(FileError::Empty)?)
    }
}
