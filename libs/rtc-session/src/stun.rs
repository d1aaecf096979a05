//! As much of STUN (RFC 8489) as is needed to tell which session a datagram from an unknown address
//! belongs to. Nothing is verified here; the session does that.

const HEADER_BYTES: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const MAGIC_COOKIE: u32 = 0x2112_A442;
const USERNAME: u16 = 0x0006;

/// The receiver's ICE user name fragment, from the `USERNAME` (`receiver:sender`, RFC 8445 §7.2.2) of a
/// STUN binding request. `None` for any other datagram.
pub fn stun_local_ufrag(datagram: &[u8]) -> Option<&str> {
    if u16_at(datagram, 0)? != BINDING_REQUEST || u32_at(datagram, 4)? != MAGIC_COOKIE {
        return None;
    }
    let length = usize::from(u16_at(datagram, 2)?);
    let mut attributes = datagram.get(HEADER_BYTES..HEADER_BYTES + length)?;
    while !attributes.is_empty() {
        let kind = u16_at(attributes, 0)?;
        let length = usize::from(u16_at(attributes, 2)?);
        let value = attributes.get(4..4 + length)?;
        if kind == USERNAME {
            return std::str::from_utf8(value).ok()?.split_once(':').map(|(local, _)| local);
        }
        attributes = attributes.get(4 + length.next_multiple_of(4)..)?;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut datagram = kind.to_be_bytes().to_vec();
        datagram.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        datagram.extend(MAGIC_COOKIE.to_be_bytes());
        datagram.extend([7; 12]);
        datagram.extend(body);
        datagram
    }

    #[test]
    fn the_receivers_half_of_the_username_is_found_behind_other_attributes() {
        let datagram = request(BINDING_REQUEST, &[(0x8022, b"abc"), (USERNAME, b"here:there")]);
        assert_eq!(stun_local_ufrag(&datagram), Some("here"));
    }

    #[test]
    fn other_datagrams_have_none() {
        let good = request(BINDING_REQUEST, &[(USERNAME, b"here:there")]);
        for length in 0..good.len() {
            assert_eq!(stun_local_ufrag(&good[..length]), None);
        }
        assert_eq!(stun_local_ufrag(&request(0x0101, &[(USERNAME, b"here:there")])), None);
        assert_eq!(stun_local_ufrag(&request(BINDING_REQUEST, &[(USERNAME, b"here")])), None);
        assert_eq!(stun_local_ufrag(&request(BINDING_REQUEST, &[(USERNAME, b"\xff:x")])), None);
        let mut overlong = good;
        overlong[23] = 200;
        assert_eq!(stun_local_ufrag(&overlong), None);
    }
}
