//! What every store must do.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tributary_file_store::{FileError, FileId, FileStore, PIECE_BYTES_MAX, Pieces};

/// A store of a test's own.
pub trait Fixture {
    fn store(&self) -> &dyn FileStore;

    /// True if the store holds nothing, nothing invisible either.
    async fn is_empty(&self) -> bool;
}

pub fn id(number: u8) -> FileId {
    FileId::from_random([number; 16])
}

/// Bytes that differ by position and by `seed`.
pub fn content(size: usize, seed: usize) -> Vec<u8> {
    (0..size).map(|at| ((at * 31 + at / 251 + seed * 7) % 256) as u8).collect()
}

/// The content in pieces of this size.
pub fn pieces(content: &[u8], piece: usize) -> Pieces {
    let pieces: Vec<_> =
        content.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

/// The content, and then an error.
fn broken(content: &[u8]) -> Pieces {
    let error = Err(FileError::Interrupted("the line is dead".to_owned()));
    pieces(content, 10_000).chain(stream::iter([error])).boxed()
}

pub async fn read(store: &dyn FileStore, id: FileId) -> Result<Vec<u8>, FileError> {
    let file = store.get(id).await?;
    let pieces: Vec<Bytes> = file.bytes.try_collect().await?;
    assert!(pieces.iter().all(|piece| (1..=PIECE_BYTES_MAX).contains(&piece.len())));
    let bytes = pieces.concat();
    assert_eq!(bytes.len() as u64, file.size);
    Ok(bytes)
}

async fn assert_empty(fixture: &impl Fixture) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fixture.is_empty().await {
        assert!(Instant::now() < deadline, "something was left behind");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const KIB: usize = 1024;

pub async fn what_was_put_comes_back_in_small_pieces(fixture: &impl Fixture) {
    let store = fixture.store();
    let sizes = [0, 1, 64 * KIB, 128 * KIB - 1, 128 * KIB, 128 * KIB + 1, 1_000_000];
    for (number, size) in sizes.into_iter().enumerate() {
        for piece in [7_000, 64 * KIB, 300 * KIB] {
            let (id, content) = (id(number as u8), content(size, number + piece));
            let stored = store.put(id, pieces(&content, piece), u64::MAX).await;
            assert_eq!(stored, Ok(size as u64), "{size} bytes by {piece}");
            assert!(read(store, id).await.unwrap() == content, "{size} bytes by {piece}");
        }
    }
}

pub async fn a_file_of_the_largest_size_is_stored_and_a_larger_one_leaves_nothing(
    fixture: &impl Fixture,
) {
    let store = fixture.store();
    let content = content(300 * KIB, 1);
    let bytes_max = content.len() as u64 - 1;
    let refused = store.put(id(1), pieces(&content, 64 * KIB), bytes_max).await;
    assert_eq!(refused, Err(FileError::TooLarge { bytes_max }));
    assert_eq!(read(store, id(1)).await, Err(FileError::NotFound));
    assert_empty(fixture).await;
    let stored = store.put(id(1), pieces(&content, 64 * KIB), bytes_max + 1).await;
    assert_eq!(stored, Ok(bytes_max + 1));
    assert!(!fixture.is_empty().await, "the fixture sees what is there");
}

pub async fn an_upload_that_breaks_leaves_nothing(fixture: &impl Fixture) {
    let store = fixture.store();
    for size in [0, 500 * KIB] {
        let error = store.put(id(1), broken(&content(size, 1)), u64::MAX).await.unwrap_err();
        assert_eq!(error, FileError::Interrupted("the line is dead".to_owned()));
        assert_eq!(read(store, id(1)).await, Err(FileError::NotFound));
        assert_empty(fixture).await;
    }
}

pub async fn an_upload_that_is_given_up_leaves_nothing(fixture: &impl Fixture) {
    let store = fixture.store();
    // All but the end has come; then the caller goes away.
    let (gone, mut all_taken) = tokio::sync::mpsc::channel::<()>(1);
    let endless = pieces(&content(500 * KIB, 1), 64 * KIB).chain(stream::once(async move {
        gone.send(()).await.unwrap();
        std::future::pending().await
    }));
    {
        let put = store.put(id(1), endless.boxed(), u64::MAX);
        tokio::select! {
            stored = put => panic!("{stored:?}"),
            _ = all_taken.recv() => {}
        }
    }
    assert_eq!(read(store, id(1)).await, Err(FileError::NotFound));
    assert_empty(fixture).await;
}

pub async fn a_file_is_replaced_in_full_or_not_at_all(fixture: &impl Fixture) {
    let store = fixture.store();
    let (first, second) = (content(200 * KIB, 1), content(150 * KIB, 2));
    store.put(id(1), pieces(&first, 64 * KIB), u64::MAX).await.unwrap();
    store.put(id(1), broken(&second), u64::MAX).await.unwrap_err();
    assert!(read(store, id(1)).await.unwrap() == first);
    store.put(id(1), pieces(&second, 64 * KIB), u64::MAX).await.unwrap();
    assert!(read(store, id(1)).await.unwrap() == second);
    store.delete(id(1)).await.unwrap();
    assert_empty(fixture).await;
}

pub async fn a_deleted_file_is_gone_and_can_be_deleted_again(fixture: &impl Fixture) {
    let store = fixture.store();
    assert_eq!(store.get(id(1)).await.unwrap_err(), FileError::NotFound);
    store.delete(id(1)).await.unwrap();
    store.put(id(1), pieces(&content(200 * KIB, 1), 64 * KIB), u64::MAX).await.unwrap();
    for _ in 0..2 {
        store.delete(id(1)).await.unwrap();
        assert_eq!(store.get(id(1)).await.unwrap_err(), FileError::NotFound);
    }
    assert_empty(fixture).await;
}

pub async fn files_do_not_touch_each_other(fixture: &impl Fixture) {
    let store = fixture.store();
    // Ids that share their beginnings.
    let mut near = [1; 16];
    near[15] = 2;
    let ids = [id(1), FileId::from_random(near), id(2)];
    let contents: Vec<_> = (0..ids.len()).map(|seed| content(200 * KIB + seed, seed)).collect();
    let puts = ids
        .iter()
        .zip(&contents)
        .map(|(id, content)| store.put(*id, pieces(content, 64 * KIB), u64::MAX));
    for stored in futures_util::future::join_all(puts).await {
        stored.unwrap();
    }
    store.delete(id(2)).await.unwrap();
    for (id, content) in ids.iter().zip(&contents).take(2) {
        assert!(&read(store, *id).await.unwrap() == content);
    }
    assert_eq!(read(store, id(2)).await, Err(FileError::NotFound));
}
