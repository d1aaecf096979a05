//! What can be wrong with a relay's identity, in words for whoever looks after it.

use std::{io, path::PathBuf};

use tonic::{Code, Status};
use tributary_join_credential::SigningError;

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The folder or a file in it can't be used.
    #[error("edge.data_dir: {}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Others than this user can read or write it.
    #[error(
        "edge.data_dir: {0} is open to other users (mode {mode:03o}), so that the relay's key is no \
         secret: chmod {wanted:o} {0}", .path.display()
    )]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What they must be.
        wanted: u32,
    },
    /// Another process has it.
    #[error("edge.data_dir: another relay runs on {}: give this one a folder of its own", .0.display())]
    InUse(PathBuf),
    /// What is in a file is not what was written there.
    #[error("edge.data_dir: {} is damaged ({reason}): restore it, or remove the folder and enrol the relay anew", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is an identity without its key.
    #[error("edge.data_dir: the key in {} is gone: remove the folder and enrol the relay anew", .0.display())]
    KeyLost(PathBuf),
    /// The relay is nobody yet.
    #[error(
        "this relay is not enrolled: get a one-time token from the administrator and give it by \
         --enrolment-token-file"
    )]
    NoToken,
    /// The token can't be read.
    #[error("the enrolment token in {}: {source}", .path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The core does not take the token.
    #[error(
        "the enrolment token is not accepted: it is used up, too old or mistyped; get another from \
         the administrator"
    )]
    TokenRefused,
    /// The parent or the core answers with an error.
    #[error("the parent answers: {}", in_words(.0))]
    Parent(#[source] Status),
    /// What it answers makes no sense.
    #[error("the parent's answer can't be used: {0}")]
    Answer(&'static str),
    /// There is no randomness.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl IdentityError {
    /// The error of an enrolment.
    pub(super) fn of_enrolment(status: Status) -> Self {
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied | Code::NotFound => Self::TokenRefused,
            _ => Self::Parent(status),
        }
    }

    /// Whether it can go away without anybody's doing.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Parent(status) if !matches!(
                status.code(),
                Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument | Code::Unimplemented
            )
        )
    }
}

/// A status as people can use it.
fn in_words(status: &Status) -> String {
    match (status.code(), status.message()) {
        (Code::Unimplemented, _) => "it is no relay that others can attach to".to_owned(),
        (code, "") => code.description().to_owned(),
        (_, message) => message.chars().take(300).collect(),
    }
}
