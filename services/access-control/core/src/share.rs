//! What the shares of a meeting are worth to who asks.

use tributary_identifiers::UserId;

use crate::facts::{SecretPolicy, ShareProof, ShareState};

/// A share that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share<H> {
    /// Hash of its secret.
    pub secret_hash: H,
    /// Whom it was told to at their terminals, sorted.
    pub users: Vec<UserId>,
    /// When it ends by itself, milliseconds since 1970; none: never.
    pub expires_at: Option<u64>,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// What somebody shows to be let in by a share.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a, H> {
    /// Hash of the secret, if there was one.
    pub secret_hash: Option<&'a H>,
    /// Who it is; none for a guest, whom no share can name.
    pub user: Option<&'a UserId>,
}

impl<H: PartialEq> Presented<'_, H> {
    fn is_for(&self, share: &Share<H>) -> bool {
        let shown = self.secret_hash.is_some_and(|hash| *hash == share.secret_hash);
        let named = self.user.is_some_and(|user| share.users.binary_search(user).is_ok());
        shown || named
    }
}

impl<H> Share<H> {
    /// Whether it holds at `now`, milliseconds since 1970.
    #[must_use]
    pub fn is_live(&self, now: u64) -> bool {
        !self.revoked && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// The state of all `shares` of a meeting at `now` (milliseconds since 1970), and whether one that
/// holds is meant for who asks. Hashes are compared by `H`, which decides how long that takes;
/// every share is compared, whatever the others gave.
#[must_use]
pub fn evaluate<H: PartialEq>(
    shares: &[Share<H>],
    presented: Presented<'_, H>,
    now: u64,
) -> (ShareState, ShareProof) {
    let mut state = ShareState::Never;
    let mut proof = ShareProof::Missing;
    for share in shares {
        let live = share.is_live(now);
        let meant = presented.is_for(share);
        if live && meant {
            proof = ShareProof::Held;
        }
        state = match (state, live, share.revoked) {
            (ShareState::Live, _, _) | (_, true, _) => ShareState::Live,
            (_, false, false) => ShareState::Expired,
            (ShareState::Expired, false, true) => ShareState::Expired,
            (_, false, true) => ShareState::Revoked,
        };
    }
    (state, proof)
}

/// When the last of the `shares` ends by itself that hold at `now` and let in who asks; none:
/// never. `now` itself if there is no such share. Milliseconds since 1970.
#[must_use]
pub fn lasts_until<H: PartialEq>(
    shares: &[Share<H>],
    presented: &Presented<'_, H>,
    policy: SecretPolicy,
    now: u64,
) -> Option<u64> {
    let any = matches!(policy, SecretPolicy::Optional);
    shares
        .iter()
        .filter(|share| share.is_live(now) && (any || presented.is_for(share)))
        .map(|share| share.expires_at)
        .try_fold(now, |until, expires_at| Some(until.max(expires_at?)))
}
