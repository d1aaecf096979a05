//! As much of DTLS (RFC 6347 §4.1) as is needed to take a datagram apart into records. The library keeps
//! or drops a flight by the first record of its datagram, so that a flight that was cut once is lost
//! for good when it is sent again whole; record by record it is not.

const HEADER_BYTES: usize = 13;
const LENGTH_AT: usize = 11;
/// First byte of a record: 20 to 26.
const CONTENT_TYPES: std::ops::RangeInclusive<u8> = 20..=26;

/// The pieces of a datagram that can be handled one after the other: the whole records if it is DTLS
/// (what follows the last whole one is dropped), all of it if it is something else.
pub(crate) fn pieces(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_dtls = datagram.first().is_some_and(|kind| CONTENT_TYPES.contains(kind));
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = if is_dtls { record_bytes(rest)? } else { rest.len() };
        let (piece, following) = rest.split_at_checked(length)?;
        rest = following;
        Some(piece)
    })
}

fn record_bytes(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(LENGTH_AT..HEADER_BYTES)?.try_into().ok()?;
    Some(HEADER_BYTES + usize::from(u16::from_be_bytes(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_falls_into_its_whole_records() {
        let one = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3, 1, 2, 3];
        let two = [20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1];
        let flight = [one.as_slice(), &two].concat();
        assert!(pieces(&flight).eq([one.as_slice(), &two]));
        for length in 0..flight.len() {
            assert_eq!(pieces(&flight[..length]).count(), usize::from(length >= one.len()));
        }
    }

    #[test]
    fn other_datagrams_stay_whole() {
        assert!(pieces(&[128, 1, 2]).eq([[128, 1, 2].as_slice()]));
        assert_eq!(pieces(&[]).count(), 0);
    }
}
