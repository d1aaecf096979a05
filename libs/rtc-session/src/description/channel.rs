//! Descriptions of a data channel session (RFC 8841): one section, and no media beside it.

use super::{DescriptionError, check_lines, sections, unusable};
use crate::channel::MESSAGE_BYTES_MAX;

/// What a data channel section is: the protocol and the format behind its port.
const CHANNEL_FORMAT: &str = "UDP/DTLS/SCTP webrtc-datachannel";

/// Lines that are not handed to the library. Candidates, as with audio; the SCTP handshake is not
/// shortened; and messages are never longer than every side can take without having said so.
const DROPPED: [&str; 3] = ["a=candidate:", "a=sctp-init:", "a=max-message-size:"];

/// Checks an offer and returns it without what is not used of it.
pub(crate) fn checked_channel_offer(sdp: &str) -> Result<String, DescriptionError> {
    check_channel_answer(sdp)?;
    let used = |line: &&str| !DROPPED.iter().any(|prefix| line.starts_with(prefix));
    Ok(sdp.split_inclusive('\n').filter(used).collect())
}

/// Checks an answer.
pub(crate) fn check_channel_answer(sdp: &str) -> Result<(), DescriptionError> {
    check_lines(sdp)?;
    let all = sections(sdp).count();
    let mut channels = sections(sdp).filter(|section| is_channel(section));
    let section = match (channels.next(), channels.count(), all) {
        (Some(section), 0, 1) => section,
        (first, others, all) => {
            let sections = usize::from(first.is_some()) + others;
            return Err(DescriptionError::ChannelSections { sections, all });
        }
    };
    value(section, "a=mid:")?.ok_or_else(|| unusable("data channel section without a=mid"))?;
    let port = value(section, "a=sctp-port:")?;
    if port.and_then(|port| port.parse::<u16>().ok()).is_none_or(|port| port == 0) {
        return Err(unusable("a=sctp-port"));
    }
    if let Some(size) = value(section, "a=max-message-size:")? {
        // RFC 8841 §6: 0 means any.
        let takes = |size: u64| size == 0 || size >= MESSAGE_BYTES_MAX as u64;
        if !size.parse().is_ok_and(takes) {
            return Err(unusable("a=max-message-size of less than 65536"));
        }
    }
    Ok(())
}

fn is_channel(section: &str) -> bool {
    let line = section.lines().next().unwrap_or_default().trim_end();
    let rest = line.strip_prefix("m=application ").and_then(|rest| rest.split_once(' '));
    rest.is_some_and(|(port, format)| {
        format == CHANNEL_FORMAT && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

/// The value of a line that may be there once.
fn value<'a>(section: &'a str, prefix: &str) -> Result<Option<&'a str>, DescriptionError> {
    let mut values = section.lines().filter_map(|line| line.trim_end().strip_prefix(prefix));
    let first = values.next();
    if values.next().is_some() {
        return Err(unusable(prefix.trim_end_matches(':')));
    }
    Ok(first)
}
