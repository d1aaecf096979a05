//! Names, units and help of the mixer's metrics. Workers hand over what the cores have counted a
//! few times a second.

use metrics::{Unit, counter, describe_counter, describe_gauge};
use tributary_mixer_core::Counters;

macro_rules! core_counters {
    ($($field:ident => $name:literal, $help:literal;)*) => {
        /// Hands over what has been counted since `before`.
        pub(crate) fn count(now: &Counters, before: &Counters) {
            $(
                let more = now.$field - before.$field;
                if more > 0 {
                    counter!($name).increment(more);
                }
            )*
        }

        /// Describes all metrics of the mixer; call once, before anything is counted.
        pub(crate) fn describe() {
            $(
                describe_counter!($name, Unit::Count, $help);
                // Present from the start, so that a scraper sees zero and not nothing.
                counter!($name).absolute(0);
            )*
            describe_gauge!("tributary_mixer_meetings", Unit::Count, "Meetings owned by this mixer.");
            describe_counter!("tributary_mixer_leases_lost_total", Unit::Count, "Meetings that another mixer has taken over.");
            describe_counter!("tributary_mixer_messages_malformed_total", Unit::Count, "Bus messages that could not be read.");
            describe_counter!("tributary_mixer_batches_lost_total", Unit::Count, "Messages of relays that did not arrive, by their sequence numbers.");
            describe_counter!("tributary_mixer_ticks_late_total", Unit::Count, "Ticks that came more than 20 ms late.");
        }
    };
}

core_counters! {
    frames_in => "tributary_mixer_frames_in_total", "Frames that relays sent.";
    frames_private_in => "tributary_mixer_frames_private_in_total", "Frames that were for some participants only.";
    frames_private_out => "tributary_mixer_frames_private_out_total", "Private frames sent on, one for each relay that has targets.";
    frames_private_unheard => "tributary_mixer_frames_private_unheard_total", "Private frames none of whose targets is here.";
    frames_passed_through => "tributary_mixer_frames_passed_through_total", "Track frames that are a speaker's packet, untouched.";
    mixing_ticks => "tributary_mixer_mixing_ticks_total", "Ticks of meetings in which something was mixed.";
    decodes => "tributary_mixer_decodes_total", "Packets decoded to be mixed.";
    decodes_warming => "tributary_mixer_decodes_warming_total", "Packets decoded so that a decoder is warm.";
    encodes => "tributary_mixer_encodes_total", "Mixes encoded.";
    mixes_silent => "tributary_mixer_mixes_silent_total", "Mixes not encoded because they were silent.";
    concealed => "tributary_mixer_concealed_total", "Stretches made up for packets that had not come.";
    frames_compressed => "tributary_mixer_frames_compressed_total", "Packets played faster or left out to catch up.";
    frames_unselected => "tributary_mixer_frames_unselected_total", "Frames of participants who were not selected.";
    frames_dropped_late => "tributary_mixer_frames_dropped_late_total", "Frames that came too late.";
    frames_dropped_duplicate => "tributary_mixer_frames_dropped_duplicate_total", "Frames that came twice.";
    frames_dropped_overflow => "tributary_mixer_frames_dropped_overflow_total", "Frames too many for a jitter buffer.";
    frames_dropped_foreign => "tributary_mixer_frames_dropped_foreign_total", "Frames of participants not behind the relay that sent them.";
    frames_dropped_flood => "tributary_mixer_frames_dropped_flood_total", "Frames beyond what a microphone makes.";
    frames_dropped_malformed => "tributary_mixer_frames_dropped_malformed_total", "Frames that can't be an Opus packet.";
    frames_dropped_targets => "tributary_mixer_frames_dropped_targets_total", "Private frames for more participants than can be talked to privately.";
    undecodable => "tributary_mixer_undecodable_total", "Packets that could not be decoded.";
    codec_failures => "tributary_mixer_codec_failures_total", "Codecs that failed.";
    levels_doubted => "tributary_mixer_levels_doubted_total", "Times that somebody was found to claim much louder levels than were heard.";
    needs_refused => "tributary_mixer_needs_refused_total", "Needs beyond the limits on relays, participants or rooms, or with rooms that contradict themselves.";
    plans => "tributary_mixer_plans_total", "Route plans given out.";
}
