//! What goes on by tokens: connections, participants, notices, transfers of files. Who holds something
//! by a token is told when the token is revoked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;
use tributary_join_credential::Provenance;

#[derive(Default)]
struct Open {
    by_number: HashMap<u64, (Provenance, CancellationToken)>,
    last: u64,
}

/// All that goes on by tokens.
#[derive(Clone, Default)]
pub(super) struct Holds(Arc<Mutex<Open>>);

/// Something that goes on by a token.
pub(crate) struct Hold {
    provenance: Provenance,
    revoked: CancellationToken,
    number: u64,
    holds: Holds,
}

impl Holds {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, provenance: Provenance) -> Hold {
        let revoked = CancellationToken::new();
        let mut open = self.open();
        open.last += 1;
        let number = open.last;
        open.by_number.insert(number, (provenance.clone(), revoked.clone()));
        Hold { provenance, revoked, number, holds: self.clone() }
    }

    /// Tells everybody who holds something by a token that does not hold any more.
    pub(super) fn revoke(&self, concerns: impl Fn(&Provenance) -> bool) {
        for (provenance, revoked) in self.open().by_number.values() {
            if concerns(provenance) {
                revoked.cancel();
            }
        }
    }
}

impl Hold {
    pub(super) fn revoke(&self) {
        self.revoked.cancel();
    }

    /// Which token.
    pub(crate) fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Resolves when the token is revoked.
    pub(crate) async fn revoked(&self) {
        self.revoked.cancelled().await;
    }

    /// The same, apart from the hold.
    pub(crate) fn revocation(&self) -> CancellationToken {
        self.revoked.clone()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holds.open().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provenance(user: &str) -> Provenance {
        Provenance {
            organisation: "default".parse().unwrap(),
            user_id: user.parse().unwrap(),
            key_thumbprint: "thumbprint".parse().unwrap(),
            token_id: "AAECAwQFBgcICQoLDA0ODw".parse().unwrap(),
            key_id: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".parse().unwrap(),
            issued_at: 7,
        }
    }

    #[test]
    fn who_is_concerned_is_told_and_what_has_ended_is_forgotten() {
        let holds = Holds::default();
        let (ada, bob) = (holds.add(provenance("ada")), holds.add(provenance("bob")));
        holds.revoke(|token| token.user_id.as_str() == "ada");
        assert!(ada.revoked.is_cancelled());
        assert!(!bob.revoked.is_cancelled());
        drop(ada);
        drop(bob);
        assert!(holds.open().by_number.is_empty());
    }
}
