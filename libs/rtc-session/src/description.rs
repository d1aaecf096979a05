//! Checks on session descriptions (SDP, RFC 8866; JSEP, RFC 9429) before the WebRTC library sees them.
//!
//! A description from the network is bounded first, then reduced to what is used: candidates of the
//! other side are dropped from an offer, because a lite agent learns addresses from the datagrams that
//! reach it and must not be made to send anywhere else.
//!
//! An audio section is known by its place among the audio sections. So that none is ever taken for
//! another, those in use come first.

mod channel;

use std::collections::HashSet;

use thiserror::Error;

pub(crate) use channel::{check_channel_answer, checked_channel_offer};

/// Longest accepted description, in bytes. A browser's audio offer has 2 to 5 KiB.
pub const DESCRIPTION_BYTES_MAX: usize = 48 * 1024;
/// Most `m=` sections in an accepted description.
pub const MEDIA_SECTIONS_MAX: usize = 32;
/// Most candidates in an accepted description.
pub const CANDIDATES_MAX: usize = 64;
/// Most audio sections in use in a session.
pub const AUDIO_SECTIONS_MAX: usize = 3;

/// RFC 7983: dynamic and static payload types are seven bits.
const PAYLOAD_TYPE_MAX: u16 = 127;
/// RFC 8285 §5: header extension ids; 0 is padding, 15 ends one-byte headers and is not usable in them.
const EXTENSION_IDS: std::ops::RangeInclusive<u16> = 1..=254;
const EXTENSION_ID_RESERVED: u16 = 15;

/// Why a session description can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DescriptionError {
    /// Longer than [`DESCRIPTION_BYTES_MAX`].
    #[error("session description of {bytes} bytes, at most {DESCRIPTION_BYTES_MAX} are accepted")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More sections than [`MEDIA_SECTIONS_MAX`].
    #[error(
        "session description with {sections} media sections, at most {MEDIA_SECTIONS_MAX} are accepted"
    )]
    TooManySections {
        /// How many.
        sections: usize,
    },
    /// More candidates than [`CANDIDATES_MAX`].
    #[error(
        "session description with {candidates} candidates, at most {CANDIDATES_MAX} are accepted"
    )]
    TooManyCandidates {
        /// How many.
        candidates: usize,
    },
    /// No audio section that is in use, or more than [`AUDIO_SECTIONS_MAX`].
    #[error(
        "session description with {sections} usable audio sections, 1 to {AUDIO_SECTIONS_MAX} are needed"
    )]
    AudioSections {
        /// How many.
        sections: usize,
    },
    /// Something else than one data channel section.
    #[error(
        "session description with {sections} data channel sections of {all} in all, exactly one and \
         nothing else is needed"
    )]
    ChannelSections {
        /// How many data channel sections in use.
        sections: usize,
        /// How many sections of any kind.
        all: usize,
    },
    /// An audio section has no Opus at 48 kHz.
    #[error("an audio section does not offer opus/48000/2")]
    NoOpus,
    /// Something else is wrong.
    #[error("unusable session description: {0}")]
    Unusable(String),
    /// An answer without a pending offer.
    #[error("there is no pending offer that this could answer")]
    NoPendingOffer,
}

/// Checks an offer and returns it without its candidates, and with a port for each section that is
/// only to be had bundled (RFC 9143 §6): the library takes port 0 for "not in use".
pub(crate) fn checked_offer(sdp: &str) -> Result<String, DescriptionError> {
    check(sdp)?;
    let session_lines = sdp.len() - sections(sdp).map(str::len).sum::<usize>();
    let mut offer = String::with_capacity(sdp.len() + MEDIA_SECTIONS_MAX);
    push_without_candidates(sdp.get(..session_lines).unwrap_or_default(), &mut offer);
    for section in sections(sdp) {
        let unported =
            is_bundle_only(section).then(|| section.strip_prefix("m=audio 0 ")).flatten();
        match unported {
            Some(rest) => {
                offer.push_str("m=audio 9 ");
                push_without_candidates(rest, &mut offer);
            }
            None => push_without_candidates(section, &mut offer),
        }
    }
    Ok(offer)
}

fn push_without_candidates(lines: &str, offer: &mut String) {
    offer.extend(lines.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate:")));
}

/// Checks an answer, and says how many audio sections it leaves in use.
pub(crate) fn check_answer(sdp: &str) -> Result<usize, DescriptionError> {
    check(sdp)?;
    audio_mids(sdp).map(|mids| mids.len())
}

/// The `mid`s of the audio sections in use, in their order. Each must offer Opus. `sdp` has been
/// checked.
pub(crate) fn audio_mids(sdp: &str) -> Result<Vec<String>, DescriptionError> {
    let mut mids = Vec::new();
    let mut unused_before = false;
    for section in sections(sdp).filter(|section| is_audio(section)) {
        if !is_usable(section) {
            unused_before = true;
            continue;
        }
        if unused_before {
            return Err(unusable("an audio section that is not in use before one that is"));
        }
        let opus = section.lines().any(|line| {
            line.strip_prefix("a=rtpmap:")
                .and_then(|map| map.split_once(' '))
                .is_some_and(|(_, codec)| codec.trim().eq_ignore_ascii_case("opus/48000/2"))
        });
        if !opus {
            return Err(DescriptionError::NoOpus);
        }
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
        mids.push(mid.ok_or_else(|| unusable("audio section without a=mid"))?.trim().to_owned());
    }
    match mids.len() {
        1..=AUDIO_SECTIONS_MAX => Ok(mids),
        sections => Err(DescriptionError::AudioSections { sections }),
    }
}

fn is_audio(section: &str) -> bool {
    section.starts_with("m=audio ")
}

fn is_usable(section: &str) -> bool {
    let port = section.lines().next().unwrap_or_default().split(' ').nth(1);
    let ported = port.is_some_and(|port| port != "0") || is_bundle_only(section);
    ported && !section.lines().any(|line| line.trim_end() == "a=inactive")
}

fn is_bundle_only(section: &str) -> bool {
    section.lines().any(|line| line.trim_end() == "a=bundle-only")
}

/// The `m=` sections, each from its `m=` line on.
fn sections(sdp: &str) -> impl Iterator<Item = &str> {
    let start =
        if sdp.starts_with("m=") { 0 } else { sdp.find("\nm=").map_or(sdp.len(), |at| at + 1) };
    let mut rest = sdp.get(start..).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find("\nm=").map_or(rest.len(), |at| at + 1);
        let (section, tail) = rest.split_at(end);
        rest = tail;
        Some(section)
    })
}

/// Bounds, single lines, sections for audio.
fn check(sdp: &str) -> Result<(), DescriptionError> {
    check_lines(sdp)?;
    let mut mids = HashSet::new();
    for section in sections(sdp) {
        check_section(section, &mut mids)?;
    }
    audio_mids(sdp).map(drop)
}

/// Bounds and single lines.
fn check_lines(sdp: &str) -> Result<(), DescriptionError> {
    if sdp.len() > DESCRIPTION_BYTES_MAX {
        return Err(DescriptionError::TooLong { bytes: sdp.len() });
    }
    if sdp.chars().any(|c| c.is_control() && c != '\r' && c != '\n') {
        return Err(unusable("control characters"));
    }
    let count = |prefix: &str| sdp.lines().filter(|line| line.starts_with(prefix)).count();
    let sections_count = count("m=");
    if sections_count > MEDIA_SECTIONS_MAX {
        return Err(DescriptionError::TooManySections { sections: sections_count });
    }
    let candidates = count("a=candidate:");
    if candidates > CANDIDATES_MAX {
        return Err(DescriptionError::TooManyCandidates { candidates });
    }
    check_fingerprints(sdp)?;
    sdp.lines().try_for_each(|line| check_line(line.trim_end()))
}

/// One certificate, named by SHA-256 (RFC 8122); SHA-1 does not identify anybody any more.
fn check_fingerprints(sdp: &str) -> Result<(), DescriptionError> {
    let mut fingerprints = sdp.lines().filter_map(|line| line.strip_prefix("a=fingerprint:"));
    let first = fingerprints.next().ok_or_else(|| unusable("no a=fingerprint"))?;
    if fingerprints.any(|other| other.trim_end() != first.trim_end()) {
        return Err(unusable("several different fingerprints"));
    }
    let hex = |pair: &str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    match first.trim_end().split_once(' ') {
        Some((hash, digest))
            if hash.eq_ignore_ascii_case("sha-256")
                && digest.split(':').count() == 32
                && digest.split(':').all(hex) =>
        {
            Ok(())
        }
        _ => Err(unusable("the fingerprint is not a SHA-256 one")),
    }
}

fn check_line(line: &str) -> Result<(), DescriptionError> {
    let Some((name, value)) = line.strip_prefix("a=").and_then(|a| a.split_once(':')) else {
        return Ok(());
    };
    match name {
        // RFC 8839 §5.4: 4 to 256 and 22 to 256 characters.
        "ice-ufrag" if !is_ice_text(value, 4) => Err(unusable("a=ice-ufrag")),
        "ice-pwd" if !is_ice_text(value, 22) => Err(unusable("a=ice-pwd")),
        "setup" if !["actpass", "active", "passive"].contains(&value) => Err(unusable("a=setup")),
        "rtpmap" | "fmtp" | "rtcp-fb" => {
            let number = value.split(' ').next().unwrap_or_default();
            let known = number.parse::<u16>().is_ok_and(|pt| pt <= PAYLOAD_TYPE_MAX);
            // RFC 4585 §4.2: `*` means all of the section.
            if known || (name == "rtcp-fb" && number == "*") {
                Ok(())
            } else {
                Err(unusable("payload type beyond 127"))
            }
        }
        _ => Ok(()),
    }
}

fn is_ice_text(text: &str, length_min: usize) -> bool {
    (length_min..=256).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

fn check_section<'a>(
    section: &'a str,
    mids: &mut HashSet<&'a str>,
) -> Result<(), DescriptionError> {
    let mut words = section.lines().next().unwrap_or_default().trim_end().split(' ');
    let (kind, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if kind == "m=application" && port != "0" {
        return Err(unusable("data channels are not supported"));
    }
    if kind != "m=application" {
        for payload_type in words.skip(1) {
            if payload_type.parse::<u16>().is_ok_and(|pt| pt > PAYLOAD_TYPE_MAX) {
                return Err(unusable("payload type beyond 127"));
            }
        }
    }
    let mut extension_ids = HashSet::new();
    for line in section.lines().map(str::trim_end) {
        if let Some(mid) = line.strip_prefix("a=mid:")
            && !mids.insert(mid)
        {
            return Err(unusable("two sections with one a=mid"));
        }
        if let Some(map) = line.strip_prefix("a=extmap:") {
            let id = map.split([' ', '/']).next().unwrap_or_default();
            let usable = id
                .parse::<u16>()
                .is_ok_and(|id| EXTENSION_IDS.contains(&id) && id != EXTENSION_ID_RESERVED);
            if !usable || !extension_ids.insert(id) {
                return Err(unusable("a=extmap"));
            }
        }
    }
    Ok(())
}

fn unusable(what: &str) -> DescriptionError {
    DescriptionError::Unusable(what.to_owned())
}
