//! Chains of relays: which are loops, and how long they may be.

use tributary_identifiers::RelayId;

/// How many relays may lie between the core and a terminal, the terminal's own included and the core
/// not.
pub const DEPTH_MAX: usize = 8;

/// A relay can't attach there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is on the way already.
    #[error(
        "relay {relay} is on the way to the core already: that would be a loop; give it another \
         upstream"
    )]
    Loop {
        /// Which.
        relay: RelayId,
    },
    /// The chain is too long.
    #[error("{depth} relays in a chain are more than {DEPTH_MAX}: attach nearer to the core")]
    TooDeep {
        /// How many there would be.
        depth: usize,
    },
    /// The parent does not say how it gets to the core.
    #[error("the parent names no way to the core")]
    NoWay,
    /// A link does not begin with the relay that it came from.
    #[error("a link's path begins with another relay than {child}")]
    NotThrough {
        /// Whence it came.
        child: RelayId,
    },
}

/// At the parent: may this child attach? `own_path` goes from the core to the parent, both included.
///
/// # Errors
/// It may not, and why.
pub fn check_child(own_path: &[RelayId], child: &RelayId) -> Result<(), PathError> {
    if own_path.contains(child) {
        return Err(PathError::Loop { relay: child.clone() });
    }
    // The core counts for nothing, the child for one.
    let depth = own_path.len();
    if depth > DEPTH_MAX {
        return Err(PathError::TooDeep { depth });
    }
    Ok(())
}

/// At the child: is this a parent to attach to? `path` goes from the core to the parent, both included.
///
/// # Errors
/// It is not, and why.
pub fn check_parent(path: &[RelayId], own: &RelayId) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::NoWay);
    }
    check_child(path, own)
}

/// At the parent: can a link have come this way? `own_path` goes from the core to the parent, both
/// included, `path` from the child to the relay of the terminal, both included.
///
/// # Errors
/// It can't, and why.
pub fn check_link(
    own_path: &[RelayId],
    child: &RelayId,
    path: &[RelayId],
) -> Result<(), PathError> {
    if path.first() != Some(child) {
        return Err(PathError::NotThrough { child: child.clone() });
    }
    let mut way = own_path.to_vec();
    for relay in path {
        check_child(&way, relay)?;
        way.push(relay.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relays(names: &str) -> Vec<RelayId> {
        names.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    fn relay(name: &str) -> RelayId {
        name.parse().unwrap()
    }

    #[test]
    fn loops_are_refused_by_name() {
        assert_eq!(check_child(&relays("core a b"), &relay("c")), Ok(()));
        let refused = check_child(&relays("core a b"), &relay("a"));
        assert_eq!(refused, Err(PathError::Loop { relay: relay("a") }));
        assert!(refused.unwrap_err().to_string().contains("relay a is on the way"));
        assert!(check_parent(&relays("core a b"), &relay("core")).is_err());
        assert_eq!(check_parent(&[], &relay("a")), Err(PathError::NoWay));
    }

    #[test]
    fn eight_relays_are_a_chain_and_nine_are_not() {
        let eight = relays("core 1 2 3 4 5 6 7");
        assert_eq!(check_child(&eight, &relay("8")), Ok(()));
        let nine = relays("core 1 2 3 4 5 6 7 8");
        assert_eq!(check_child(&nine, &relay("9")), Err(PathError::TooDeep { depth: 9 }));
    }

    #[test]
    fn a_link_comes_through_its_child_and_never_twice_through_a_relay() {
        let own = relays("core a");
        let check = |path: &str| check_link(&own, &relay("b"), &relays(path));
        assert_eq!(check("b"), Ok(()));
        assert_eq!(check("b c d"), Ok(()));
        assert_eq!(check(""), Err(PathError::NotThrough { child: relay("b") }));
        assert_eq!(check("c b"), Err(PathError::NotThrough { child: relay("b") }));
        assert_eq!(check("b c b"), Err(PathError::Loop { relay: relay("b") }));
        assert_eq!(check("b core"), Err(PathError::Loop { relay: relay("core") }));
        assert_eq!(check("b 1 2 3 4 5 6"), Ok(()));
        assert_eq!(check("b 1 2 3 4 5 6 7"), Err(PathError::TooDeep { depth: 9 }));
    }
}
