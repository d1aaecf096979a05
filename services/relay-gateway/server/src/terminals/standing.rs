//! By which tokens a connection stands, besides the credentials that it joined with: the identity it
//! showed last, and the one it hears notices by. When one of them is revoked, the connection ends.

use tokio_util::sync::CancellationToken;

use crate::trust::Hold;

/// The tokens of one connection.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) shown: Option<Hold>,
    pub(super) listening: Option<Hold>,
}

impl Standing {
    /// Resolves when one of the tokens is revoked.
    pub(super) fn revoked(&self) -> impl Future<Output = ()> + use<> {
        any_revoked([&self.shown, &self.listening].map(|hold| hold.as_ref()))
    }
}

/// Resolves when one of two tokens is revoked, as far as there are any.
pub(super) fn any_revoked(holds: [Option<&Hold>; 2]) -> impl Future<Output = ()> + use<> {
    let [first, second] = holds.map(|hold| wait(hold.map(Hold::revocation)));
    async {
        tokio::select! {
            () = first => {}
            () = second => {}
        }
    }
}

async fn wait(revocation: Option<CancellationToken>) {
    match revocation {
        Some(revocation) => revocation.cancelled_owned().await,
        None => std::future::pending().await,
    }
}
