//! The service's section of the configuration, `[meeting_registry]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tributary_meeting_registry_core::AttachmentLimits;

use crate::attachments::Place;

const MIB: u64 = 1 << 20;
/// The largest file that can be configured: what a call can bring in its time.
const ATTACHMENT_BYTES_LIMIT: u64 = 1024 * MIB;
/// The most files of a meeting that can be configured: what one answer can list.
const ATTACHMENTS_LIMIT: u32 = 1_000;

/// `[meeting_registry]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// After how many seconds of silence a relay is lost, with all who are behind it. Relays renew
    /// themselves every 2 seconds; together with the sweep it is what a lost relay's participants are
    /// offline in: within 10 seconds by default.
    pub relay_silence_seconds: u64,
    /// How often lost relays are looked for, in seconds.
    pub sweep_interval_seconds: u64,
    /// Where attached files are kept: `folder:<path>`, or `jetstream`. Empty: with SQLite the folder
    /// `attachments` beside its files, with PostgreSQL `jetstream`.
    pub attachments: String,
    /// The largest attached file, in bytes.
    pub attachment_bytes_max: u64,
    /// All attached files of a meeting together, in bytes.
    pub attachments_bytes_max: u64,
    /// The most that all files together may have in JetStream, in bytes; less than JetStream's own
    /// limit (`max_file_store`), so that events and notices always have room.
    pub attachments_jetstream_bytes_max: u64,
    /// How many files may be attached to a meeting.
    pub attachments_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            relay_silence_seconds: 8,
            sweep_interval_seconds: 1,
            attachments: String::new(),
            attachment_bytes_max: 25 * MIB,
            attachments_bytes_max: 250 * MIB,
            attachments_jetstream_bytes_max: 4096 * MIB,
            attachments_max: 100,
        }
    }
}

/// The section holds what can't work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// Out of bounds.
    #[error("meeting_registry.relay_silence_seconds must be 1 to 3600")]
    RelaySilence,
    /// Out of bounds.
    #[error("meeting_registry.sweep_interval_seconds must be 1 to relay_silence_seconds")]
    SweepInterval,
    /// No place that is known.
    #[error("meeting_registry.attachments must be folder:<path>, jetstream or empty")]
    Attachments,
    /// Out of bounds.
    #[error("meeting_registry.attachment_bytes_max must be 1 to {ATTACHMENT_BYTES_LIMIT}")]
    AttachmentBytes,
    /// Out of bounds.
    #[error(
        "meeting_registry.attachments_bytes_max must be attachment_bytes_max or more, and \
         attachments_jetstream_bytes_max that or more"
    )]
    AttachmentsBytes,
    /// Out of bounds.
    #[error("meeting_registry.attachments_max must be 0 to {ATTACHMENTS_LIMIT}")]
    AttachmentsMax,
}

impl Config {
    /// Checks the bounds.
    ///
    /// # Errors
    /// A value is out of its bounds.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        if !(1..=3600).contains(&self.relay_silence_seconds) {
            return Err(InvalidConfig::RelaySilence);
        }
        if !(1..=self.relay_silence_seconds).contains(&self.sweep_interval_seconds) {
            return Err(InvalidConfig::SweepInterval);
        }
        if !self.attachments.is_empty() && self.attachments.parse::<Place>().is_err() {
            return Err(InvalidConfig::Attachments);
        }
        if !(1..=ATTACHMENT_BYTES_LIMIT).contains(&self.attachment_bytes_max) {
            return Err(InvalidConfig::AttachmentBytes);
        }
        // A database counts in signed numbers.
        let together = self.attachment_bytes_max..=self.attachments_jetstream_bytes_max;
        if !together.contains(&self.attachments_bytes_max)
            || i64::try_from(self.attachments_jetstream_bytes_max).is_err()
        {
            return Err(InvalidConfig::AttachmentsBytes);
        }
        if self.attachments_max > ATTACHMENTS_LIMIT {
            return Err(InvalidConfig::AttachmentsMax);
        }
        Ok(())
    }

    /// Where attached files are kept, with this database.
    ///
    /// # Errors
    /// No place that is known.
    pub fn place(&self, database_url: &str) -> Result<Place, InvalidConfig> {
        match self.attachments.as_str() {
            "" => Ok(Place::beside_database(database_url)),
            place => place.parse().map_err(|_| InvalidConfig::Attachments),
        }
    }

    /// How much may be attached to a meeting.
    #[must_use]
    pub const fn attachment_limits(&self) -> AttachmentLimits {
        AttachmentLimits {
            bytes_max: self.attachment_bytes_max,
            meeting_bytes_max: self.attachments_bytes_max,
            count_max: self.attachments_max,
        }
    }

    /// After how long a silent relay is lost.
    #[must_use]
    pub const fn relay_silence(&self) -> Duration {
        Duration::from_secs(self.relay_silence_seconds)
    }

    /// How often lost relays are looked for.
    #[must_use]
    pub const fn sweep_interval(&self) -> Duration {
        Duration::from_secs(self.sweep_interval_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_in_its_bounds() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        let check = |change: fn(&mut Config), expected| {
            let mut config = Config::default();
            change(&mut config);
            assert_eq!(config.check(), Err(expected));
        };
        check(|config| config.relay_silence_seconds = 0, InvalidConfig::RelaySilence);
        check(|config| config.relay_silence_seconds = 3601, InvalidConfig::RelaySilence);
        check(|config| config.sweep_interval_seconds = 0, InvalidConfig::SweepInterval);
        check(|config| config.sweep_interval_seconds = 9, InvalidConfig::SweepInterval);
        check(|config| config.attachments = "data".into(), InvalidConfig::Attachments);
        check(|config| config.attachment_bytes_max = 0, InvalidConfig::AttachmentBytes);
        check(|config| config.attachment_bytes_max = 1 << 31, InvalidConfig::AttachmentBytes);
        check(
            |config| config.attachments_bytes_max = 25 * MIB - 1,
            InvalidConfig::AttachmentsBytes,
        );
        check(|config| config.attachments_bytes_max = u64::MAX, InvalidConfig::AttachmentsBytes);
        check(|config| config.attachments_max = 1_001, InvalidConfig::AttachmentsMax);
    }
}
