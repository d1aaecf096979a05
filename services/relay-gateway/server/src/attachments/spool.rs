//! A file on its way to the registry: collected on disk, however slowly it comes, so that a call to the
//! registry, which has a minute, takes no longer than it takes between two machines of a data centre.

use std::{io, time::Duration};

use axum::body::BodyDataStream;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::TRANSFER_TIME_MAX;

/// How long the sender may be silent.
const PIECE_TIME_MAX: Duration = Duration::from_secs(20);
/// How much is taken in of a file that was refused, and for how long.
const DISCARDED_BYTES_MAX: usize = 64 << 20;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes in one message to the registry.
const PIECE_BYTES: usize = 64 << 10;

/// A file that has arrived.
pub(super) struct Spool(File);

/// Takes in, for a while, what is not wanted any more: many clients read an answer only after they have
/// sent all, and lose it when the connection is closed before.
pub(super) async fn discard(body: &mut BodyDataStream) {
    let discarding = async {
        let mut left = DISCARDED_BYTES_MAX;
        while let Some(Ok(piece)) = body.next().await
            && left > 0
        {
            left = left.saturating_sub(piece.len());
        }
    };
    // Longer than this nobody needs to be polite.
    let _ = timeout(DISCARD_TIME_MAX, discarding).await;
}

/// Why it has not.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpoolError {
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    #[error("the file did not arrive in time, or not in full")]
    Incomplete,
    #[error("the temporary file can't be written: {0}")]
    Disk(#[from] io::Error),
}

impl Spool {
    /// Takes a body in.
    pub(super) async fn collect(
        body: &mut BodyDataStream,
        bytes_max: u64,
    ) -> Result<Self, SpoolError> {
        let collected = timeout(TRANSFER_TIME_MAX, Self::write(body, bytes_max)).await;
        collected.map_err(|_| SpoolError::Incomplete)?
    }

    async fn write(body: &mut BodyDataStream, bytes_max: u64) -> Result<Self, SpoolError> {
        // It has no name, and is gone with the process.
        let file = tokio::task::spawn_blocking(tempfile::tempfile).await;
        let mut file = File::from_std(file.map_err(io::Error::other)??);
        let mut size = 0_u64;
        loop {
            let piece = timeout(PIECE_TIME_MAX, body.next()).await;
            let Some(piece) = piece.map_err(|_| SpoolError::Incomplete)? else { break };
            let piece = piece.map_err(|_| SpoolError::Incomplete)?;
            size += piece.len() as u64;
            if size > bytes_max {
                return Err(SpoolError::TooLarge(bytes_max));
            }
            file.write_all(&piece).await?;
        }
        file.rewind().await?;
        Ok(Self(file))
    }

    /// The file, piece by piece. If it can't be read the rest never comes, and the call that it is for
    /// runs out of time: a file that ended early would be kept as it is.
    pub(super) fn pieces(self) -> impl Stream<Item = Bytes> + Send + 'static {
        stream::unfold(self.0, |mut file| async move {
            let mut piece = BytesMut::with_capacity(PIECE_BYTES);
            while piece.len() < PIECE_BYTES {
                match file.read_buf(&mut piece).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::error!(%error, "a temporary file can't be read");
                        std::future::pending::<()>().await;
                    }
                }
            }
            (!piece.is_empty()).then(|| (piece.freeze(), file))
        })
    }
}
