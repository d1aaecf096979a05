//! Versions of the uplink's protocol: neighbours in a chain may differ by one release.

/// Oldest version that this software speaks.
pub const OLDEST: u32 = 1;
/// Newest version that this software speaks.
pub const NEWEST: u32 = 1;

/// Two relays have no version in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the child speaks versions {oldest} to {newest} of the uplink protocol, the parent \
     {own_oldest} to {own_newest}: update the older of the two"
)]
pub struct Mismatch {
    /// Oldest of the child.
    pub oldest: u32,
    /// Newest of the child.
    pub newest: u32,
    /// Oldest of the parent.
    pub own_oldest: u32,
    /// Newest of the parent.
    pub own_newest: u32,
}

/// At the parent: the version that it and a child both speak, the newest there is.
///
/// # Errors
/// There is none.
pub fn negotiate(oldest: u32, newest: u32) -> Result<u32, Mismatch> {
    choose((OLDEST, NEWEST), (oldest, newest))
}

/// True if the child speaks the version that its parent has chosen.
#[must_use]
pub fn is_spoken(version: u32) -> bool {
    (OLDEST..=NEWEST).contains(&version)
}

fn choose(own: (u32, u32), other: (u32, u32)) -> Result<u32, Mismatch> {
    let ((own_oldest, own_newest), (oldest, newest)) = (own, other);
    let common = own_newest.min(newest);
    if common == 0 || common < own_oldest.max(oldest) {
        return Err(Mismatch { oldest, newest, own_oldest, own_newest });
    }
    Ok(common)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_spoken() {
        assert_eq!(choose((1, 3), (2, 4)), Ok(3));
        assert_eq!(choose((2, 4), (1, 3)), Ok(3));
        assert_eq!(choose((1, 1), (1, 1)), Ok(1));
        assert!(choose((1, 2), (3, 4)).is_err());
        assert!(choose((3, 4), (1, 2)).is_err());
        assert!(choose((1, 4), (4, 2)).is_err(), "no range at all");
        assert!(choose((0, 4), (0, 0)).is_err(), "there is no version 0");
    }

    #[test]
    fn this_software_understands_itself() {
        assert_eq!(negotiate(OLDEST, NEWEST), Ok(NEWEST));
        assert!(is_spoken(NEWEST) && !is_spoken(NEWEST + 1) && !is_spoken(0));
    }
}
