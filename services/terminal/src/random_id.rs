//! Names that a terminal makes up: random UUIDs (RFC 9562, version 4).

use tributary_identifiers::{OperationId, TerminalSessionId};

/// Names an operation.
pub(crate) fn operation() -> OperationId {
    made()
}

/// Names a run of a terminal.
pub(crate) fn session() -> TerminalSessionId {
    made()
}

/// Zeros if the system has no randomness, which no other service would survive either.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut random = [0; N];
    let _ = getrandom::fill(&mut random);
    random
}

fn uuid() -> String {
    let random = u128::from_be_bytes(random_bytes());
    let id = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{id:032x}");
    let part = |range| hex.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

/// An id of any kind; the first UUID is one.
fn made<T: std::str::FromStr>() -> T {
    loop {
        if let Ok(id) = uuid().parse() {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_differ() {
        let (a, b) = (operation().to_string(), session().to_string());
        assert_ne!(a, b);
        let bytes = a.as_bytes();
        assert_eq!((a.len(), bytes[14]), (36, b'4'), "{a}");
        assert!(b"89ab".contains(&bytes[19]), "{a}");
        assert!([8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-'), "{a}");
    }
}
