//! What the media thread has done since it started, for whoever wants to show it: added up as plain
//! numbers, handed over a few times a second.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Unit, counter, describe_counter};

/// What a frame costs on a terminal's own connection besides its payload: IPv4 and UDP (28 bytes), the
/// RTP header (12), SRTP's tag and the audio level extension (16).
pub(super) const FRAME_OVERHEAD_BYTES: u64 = 28 + 12 + 16;

macro_rules! figures {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// A snapshot of what the media thread has done; totals since it started unless said otherwise.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Figures {
            $($(#[$doc])* pub $field: u64,)*
        }

        /// Where the media thread puts the newest figures.
        #[derive(Debug, Default)]
        pub(super) struct Board {
            $($field: AtomicU64,)*
        }

        impl Board {
            pub(super) fn write(&self, figures: &Figures) {
                $(self.$field.store(figures.$field, Ordering::Relaxed);)*
            }

            pub(super) fn read(&self) -> Figures {
                Figures { $($field: self.$field.load(Ordering::Relaxed),)* }
            }
        }
    };
}

figures! {
    /// Terminals of this relay itself that are in a meeting's sound now.
    terminals,
    /// Participants behind relays that are attached here, in a meeting's sound now.
    carried,
    /// Frames to terminals of this relay itself.
    delivered_frames,
    /// What they would have cost on a connection of each terminal's own, in bytes: payload, and 56 bytes
    /// each.
    delivered_bytes,
    /// What has come from terminals of this relay itself, in bytes: as `delivered_bytes`.
    heard_bytes,
    /// What frames to attached relays would have cost on connections of their own to everybody whom they
    /// were for, in bytes: as `delivered_bytes`. Counted at edge relays only.
    carried_direct_bytes,
    /// Frames of voices taken from attached relays, in bytes: as `delivered_bytes`.
    carried_heard_bytes,
    /// Frames of voices taken from attached relays.
    carried_frames_in,
    /// Frames of tracks handed to attached relays, each once for all behind one of them.
    carried_frames_out,
    /// Frames from attached relays for somebody who is not behind the relay that sent them.
    carried_frames_foreign,
    /// Frames from attached relays that were muted, too many, or not for anybody now.
    carried_frames_refused,
    /// Frames handed to the parent.
    parent_frames_out,
    /// Frames of tracks from the parent.
    parent_frames_in,
    /// Frames dropped because they entered the first relay too long ago: a second, or less when they come
    /// from another relay.
    frames_too_old,
    /// Frames of a mixer that no longer owns the meeting.
    frames_stale_epoch,
    /// Messages to or from other relays that were dropped because they had waited too long, were too many
    /// or too large.
    messages_dropped,
    /// Messages of mixers or of other relays that did not arrive, by their numbers.
    messages_lost,
    /// Frames passed on between those behind this relay while it was not attached.
    forwarded_frames,
    /// Frames that a terminal got late, because its peer connection was away.
    caught_up_frames,
    /// Frames that a terminal did not get although they were kept for it: too many, too old, or it came
    /// back by the same peer connection.
    not_caught_up_frames,
}

/// What the metrics get of it that is not counted there already.
fn metrics_of(figures: &Figures) -> [(&'static str, u64, &'static str); 10] {
    [
        (
            "tributary_relay_carried_frames_in_total",
            figures.carried_frames_in,
            "Audio frames from attached relays.",
        ),
        (
            "tributary_relay_carried_frames_out_total",
            figures.carried_frames_out,
            "Audio frames to attached relays, each once for all behind one of them.",
        ),
        (
            "tributary_relay_carried_frames_foreign_total",
            figures.carried_frames_foreign,
            "Audio frames from attached relays of somebody who is not behind them.",
        ),
        (
            "tributary_relay_carried_frames_refused_total",
            figures.carried_frames_refused,
            "Audio frames from attached relays that were muted, too many, too large, or not for anybody \
             now.",
        ),
        (
            "tributary_relay_parent_frames_out_total",
            figures.parent_frames_out,
            "Audio frames to the parent relay.",
        ),
        (
            "tributary_relay_parent_frames_in_total",
            figures.parent_frames_in,
            "Track frames from the parent relay.",
        ),
        (
            "tributary_relay_uplink_messages_dropped_total",
            figures.messages_dropped,
            "Media messages to or from other relays dropped because of their age, number or size.",
        ),
        (
            "tributary_relay_forwarded_frames_total",
            figures.forwarded_frames,
            "Audio frames passed on between those behind this relay while it was cut off.",
        ),
        (
            "tributary_relay_caught_up_frames_total",
            figures.caught_up_frames,
            "Audio frames that terminals got late, because their peer connection was away.",
        ),
        (
            "tributary_relay_not_caught_up_frames_total",
            figures.not_caught_up_frames,
            "Audio frames kept for a terminal whose peer connection was away, and not sent.",
        ),
    ]
}

/// Describes them; call before anything is counted.
pub(super) fn describe() {
    for (name, _, help) in metrics_of(&Figures::default()) {
        describe_counter!(name, Unit::Count, help);
        // Present from the start, so that a scraper sees zero and not nothing.
        counter!(name).absolute(0);
    }
}

/// Hands the totals to the metrics.
pub(super) fn publish(figures: &Figures) {
    for (name, total, _) in metrics_of(figures) {
        counter!(name).absolute(total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let board = Board::default();
        let figures = Figures { terminals: 1, delivered_bytes: 1 << 40, ..Figures::default() };
        board.write(&figures);
        assert_eq!(board.read(), figures);
    }
}
