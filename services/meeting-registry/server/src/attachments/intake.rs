//! The bytes of a file as they come: each piece is looked at once, and hashed on its way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream, stream::BoxStream};
use sha2::{Digest as _, Sha256};
use tonic::Status;
use tributary_file_store::{FileError, Pieces};

use crate::grpc::invalid;

/// The largest piece that a sender may send, in bytes.
pub const DATA_BYTES_MAX: usize = 64 * 1024;

/// What a sender sends.
pub struct Intake(BoxStream<'static, Result<Vec<u8>, Status>>);

/// What is known of the bytes that have come.
#[derive(Clone, Default)]
pub(super) struct TakenIn(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    digest: Sha256,
    broken: Option<Status>,
}

impl Intake {
    /// From the pieces of a sender.
    pub fn new(pieces: impl Stream<Item = Result<Vec<u8>, Status>> + Send + 'static) -> Self {
        Self(pieces.boxed())
    }

    /// The pieces as a file store takes them, and what is known of them when it has.
    pub(super) fn start(self) -> (Pieces, TakenIn) {
        let taken_in = TakenIn::default();
        let pieces =
            stream::try_unfold((self.0, taken_in.clone()), |(mut pieces, taken_in)| async {
                let Some(piece) = pieces.next().await else { return Ok(None) };
                let piece = taken_in.take(piece)?;
                Ok(Some((piece, (pieces, taken_in))))
            });
        (pieces.boxed(), taken_in)
    }
}

impl TakenIn {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, piece: Result<Vec<u8>, Status>) -> Result<Bytes, FileError> {
        let piece = piece.and_then(|piece| {
            if piece.len() <= DATA_BYTES_MAX {
                Ok(piece)
            } else {
                Err(invalid("data", &format!("at most {DATA_BYTES_MAX} bytes at once")))
            }
        });
        match piece {
            Ok(piece) => {
                self.known().digest.update(&piece);
                Ok(piece.into())
            }
            Err(status) => {
                let why = status.message().to_owned();
                self.known().broken = Some(status);
                Err(FileError::Interrupted(why))
            }
        }
    }

    /// SHA-256 of what has come.
    ///
    /// # Errors
    /// Why the sender broke off.
    pub(super) fn end(&self) -> Result<[u8; 32], Status> {
        let mut known = self.known();
        match known.broken.take() {
            Some(status) => Err(status),
            None => Ok(known.digest.clone().finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take(pieces: Vec<Result<Vec<u8>, Status>>) -> (Vec<Bytes>, Result<[u8; 32], Status>) {
        let (pieces, taken_in) = Intake::new(stream::iter(pieces)).start();
        let taken = pieces.filter_map(async |piece| piece.ok()).collect().await;
        (taken, taken_in.end())
    }

    #[tokio::test]
    async fn the_digest_is_that_of_all_pieces() {
        let (pieces, digest) = take(vec![Ok(vec![1; 9]), Ok(vec![]), Ok(vec![2])]).await;
        assert_eq!(pieces.concat(), [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
        let expected: [u8; 32] = Sha256::digest([1, 1, 1, 1, 1, 1, 1, 1, 1, 2]).into();
        assert_eq!(digest.unwrap(), expected);
    }

    #[tokio::test]
    async fn nothing_follows_what_breaks_it() {
        let broken = vec![Ok(vec![1]), Err(Status::cancelled("gone")), Ok(vec![2])];
        let (pieces, digest) = take(broken).await;
        assert_eq!(pieces.concat(), [1]);
        assert_eq!(digest.unwrap_err().message(), "gone");
        let (pieces, digest) = take(vec![Ok(vec![0; DATA_BYTES_MAX + 1])]).await;
        assert_eq!((pieces.len(), digest.unwrap_err().code()), (0, tonic::Code::InvalidArgument));
        let (pieces, digest) = take(vec![Ok(vec![0; DATA_BYTES_MAX])]).await;
        assert!(pieces.len() == 1 && digest.is_ok());
    }
}
