//! By which tokens a connection stands: the identity it showed last, the one it hears notices by, the
//! credential it joined with. When one of them is revoked, the connection ends.

use tokio_util::sync::CancellationToken;

use crate::trust::Hold;

/// The tokens of one connection.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) shown: Option<Hold>,
    pub(super) listening: Option<Hold>,
    pub(super) joined: Option<Hold>,
}

impl Standing {
    /// Resolves when one of the tokens is revoked.
    pub(super) fn revoked(&self) -> impl Future<Output = ()> + use<> {
        let [shown, listening, joined] = [&self.shown, &self.listening, &self.joined]
            .map(|hold| wait(hold.as_ref().map(Hold::revocation)));
        async {
            tokio::select! {
                () = shown => {}
                () = listening => {}
                () = joined => {}
            }
        }
    }
}

async fn wait(revocation: Option<CancellationToken>) {
    match revocation {
        Some(revocation) => revocation.cancelled_owned().await,
        None => std::future::pending().await,
    }
}
