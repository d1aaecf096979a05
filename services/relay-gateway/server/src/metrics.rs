//! Names, units and help of the relay's metrics. The media thread adds up plain numbers and hands
//! them over a few times a second.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};

macro_rules! media_counters {
    ($($field:ident => $name:literal, $unit:ident, $help:literal;)*) => {
        /// What the media thread counts between two flushes.
        #[derive(Debug, Default)]
        pub(crate) struct MediaCounters {
            $(pub(crate) $field: u64,)*
        }

        impl MediaCounters {
            /// Hands the counts over and starts again.
            pub(crate) fn flush(&mut self) {
                $(if self.$field > 0 {
                    counter!($name).increment(std::mem::take(&mut self.$field));
                })*
            }
        }

        fn describe_media() {
            $(
                describe_counter!($name, Unit::$unit, $help);
                // Present from the start, so that a scraper sees zero and not nothing.
                counter!($name).absolute(0);
            )*
        }
    };
}

media_counters! {
    datagrams_in => "tributary_relay_datagrams_in_total", Count, "Datagrams received on the media port.";
    datagrams_out => "tributary_relay_datagrams_out_total", Count, "Datagrams sent from the media port.";
    datagrams_unknown => "tributary_relay_datagrams_unknown_total", Count, "Datagrams that belong to no session.";
    datagrams_unsent => "tributary_relay_datagrams_unsent_total", Count, "Datagrams dropped because the system did not take them.";
    frames_in => "tributary_relay_frames_in_total", Count, "Audio frames from terminals.";
    frames_refused => "tributary_relay_frames_refused_total", Count, "Audio frames from terminals that were muted, unknown, too many or too large, or came in a section in which they may say nothing now.";
    frames_private_in => "tributary_relay_frames_private_in_total", Count, "Audio frames from terminals that were sent up for some only.";
    frames_out => "tributary_relay_frames_out_total", Count, "Audio frames to terminals.";
    frames_private_out => "tributary_relay_frames_private_out_total", Count, "Audio frames to terminals that were for some only; counted as frames to terminals too.";
    frames_private_crowded => "tributary_relay_frames_private_crowded_total", Count, "Private audio frames dropped because others talk privately to the same terminal.";
    frames_undeliverable => "tributary_relay_frames_undeliverable_total", Count, "Audio frames for terminals that were not connected yet, or too large.";
    track_batches_lost => "tributary_relay_track_batches_lost_total", Count, "Messages of mixers that did not arrive, by their sequence numbers.";
    frames_stale_epoch => "tributary_relay_frames_stale_epoch_total", Count, "Track frames of a mixer that no longer owns the meeting.";
    frames_too_old => "tributary_relay_frames_too_old_total", Count, "Track frames dropped because of their age.";
    track_frames => "tributary_relay_track_frames_total", Count, "Track frames received from mixers.";
    track_bytes => "tributary_relay_track_bytes_total", Bytes, "Bytes of tracks received from mixers.";
    messages_malformed => "tributary_relay_messages_malformed_total", Count, "Bus messages that could not be read.";
    connected => "tributary_relay_peer_connections_total", Count, "Peer connections that came up.";
    disconnected => "tributary_relay_peer_disconnections_total", Count, "Peer connections that ended.";
}

/// Describes all metrics of the relay; call once, before anything is counted.
pub(crate) fn describe() {
    describe_media();
    crate::uplink::describe();
    describe_histogram!(
        "tributary_relay_added_latency_seconds",
        Unit::Seconds,
        "From a frame's entrance into a relay to its exit here; lone voices and mixed ones."
    );
    describe_gauge!("tributary_relay_terminals", Unit::Count, "Terminals attached.");
    describe_gauge!("tributary_relay_meetings", Unit::Count, "Meetings with a terminal here.");
    describe_gauge!(
        "tributary_relay_notice_feeds",
        Unit::Count,
        "Users who hear notices through this relay."
    );
    describe_counter!(
        "tributary_relay_revocations_total",
        Unit::Count,
        "Revocations heard on the bus."
    );
    describe_gauge!(
        "tributary_relay_operations_pending",
        Unit::Count,
        "Operations of terminals that are not stored yet."
    );
    describe_counter!(
        "tributary_relay_operations_total",
        Unit::Count,
        "Operations of terminals that were stored, or given up because nobody waited for them."
    );
    describe_counter!(
        "tributary_relay_operation_retries_total",
        Unit::Count,
        "Tries to store an operation that failed."
    );
    describe_counter!("tributary_relay_joins_total", Unit::Count, "Terminals that joined.");
    describe_counter!("tributary_relay_refusals_total", Unit::Count, "Requests refused, by code.");
}
