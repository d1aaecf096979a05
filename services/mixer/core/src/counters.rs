//! What a meeting has done so far. Every number only grows.

/// Totals since the meeting was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that relays sent.
    pub frames_in: u64,
    /// Frames that were for some only.
    pub frames_private_in: u64,
    /// Track frames that are private, untouched. One frame for two relays counts twice.
    pub frames_private_out: u64,
    /// Frames that were for some only, none of whom is here.
    pub frames_private_unheard: u64,
    /// Track frames that are a speaker's packet, untouched. One frame on two tracks counts twice.
    pub frames_passed_through: u64,
    /// Ticks in which something was mixed.
    pub mixing_ticks: u64,
    /// Packets decoded to be mixed.
    pub decodes: u64,
    /// Packets decoded into nothing, so that a decoder is warm when mixing starts.
    pub decodes_warming: u64,
    /// Mixes encoded.
    pub encodes: u64,
    /// Mixes that were not encoded because they were silent.
    pub mixes_silent: u64,
    /// Stretches of sound that were made up for packets that had not come.
    pub concealed: u64,
    /// Packets played together with the one after them, or left out in silence, to catch up.
    pub frames_compressed: u64,
    /// Frames of participants who were not selected when they came. The last few of them may have
    /// come out later as an onset.
    pub frames_unselected: u64,
    /// Frames that came when their time had passed in the mix.
    pub frames_dropped_late: u64,
    /// Frames whose time a frame in the buffer already had.
    pub frames_dropped_duplicate: u64,
    /// Frames that were too many for a jitter buffer, or left in one when the speaker lost the slot.
    pub frames_dropped_overflow: u64,
    /// Frames of participants who are not behind the relay that sent them.
    pub frames_dropped_foreign: u64,
    /// Frames of participants who sent too many in a second.
    pub frames_dropped_flood: u64,
    /// Frames whose payload can't be an Opus packet.
    pub frames_dropped_malformed: u64,
    /// Frames that were for more participants than can be talked to privately.
    pub frames_dropped_targets: u64,
    /// Packets that looked like Opus and could not be decoded.
    pub undecodable: u64,
    /// Codecs that could not be made or failed to encode.
    pub codec_failures: u64,
    /// Times that somebody was found to claim much louder levels than were heard.
    pub levels_doubted: u64,
    /// Needs refused because a limit on relays, participants or rooms was reached, or because the
    /// rooms contradict themselves.
    pub needs_refused: u64,
    /// Route plans given out.
    pub plans: u64,
}
