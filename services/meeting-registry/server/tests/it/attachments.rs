//! Files of meetings: all of a file or nothing, within the limits, and gone when nobody wants them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tonic::Status;
use tributary_contracts::event::v1::{MeetingEvent, meeting_event::Body};
use tributary_meeting_registry_core::{Attachment, AttachmentLimits, Caller, Refusal};
use tributary_meeting_registry_server::{
    AttachmentError, Attachments, Files, Intake, NewFile, Remover, StoreError,
};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, on_both};

on_both!(
    a_file_comes_back_as_it_was_attached,
    the_limits_hold_while_the_bytes_come,
    two_files_at_once_do_not_get_over_the_limit,
    who_is_not_a_member_attaches_nothing,
    a_broken_upload_leaves_nothing,
    a_file_that_is_taken_away_is_removed,
    the_files_of_a_deleted_meeting_are_removed,
    what_a_crash_has_left_is_removed_later,
    a_file_that_cannot_be_removed_is_tried_again,
);

const LIMITS: AttachmentLimits =
    AttachmentLimits { bytes_max: 1_000, meeting_bytes_max: 2_500, count_max: 5 };

struct Desk {
    base: Base,
    meeting: MeetingScope,
    attachments: Attachments,
    folder: TempDir,
}

impl Desk {
    async fn at(base: Base) -> Self {
        let meeting = base.meeting().await;
        base.add(&meeting, "bob").await;
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::in_folder(folder.path().join("files")));
        let attachments = Attachments::new(base.store.clone(), files, LIMITS);
        Self { base, meeting, attachments, folder }
    }

    async fn put(&self, by: &str, bytes: &[u8]) -> Result<Attachment, AttachmentError> {
        let pieces: Vec<_> = bytes.chunks(100).map(|piece| Ok(piece.to_vec())).collect();
        self.put_pieces(by, pieces).await
    }

    async fn put_pieces(
        &self,
        by: &str,
        pieces: Vec<Result<Vec<u8>, Status>>,
    ) -> Result<Attachment, AttachmentError> {
        let intake = Intake::new(stream::iter(pieces));
        self.attachments.put(&self.meeting, new_file(by), intake).await
    }

    async fn read(&self, attachment: &Attachment) -> Result<Vec<u8>, AttachmentError> {
        let (_, pieces) = self.attachments.open(&self.meeting, &attachment.id).await?;
        let pieces: Vec<Bytes> = pieces.try_collect().await?;
        Ok(pieces.concat())
    }

    async fn remove(&self, by: &str, attachment: &Attachment) -> Result<(), StoreError> {
        let by = Caller::User(by.parse().unwrap());
        self.attachments.remove(&self.meeting, by, attachment.id.clone()).await
    }

    /// How many attached files there are, by the list, by the events and on the disk.
    async fn count(&self) -> (usize, Option<u32>, usize) {
        let listed = self.attachments.list(&self.meeting).await.unwrap().len();
        let events = self.base.store.events(&self.meeting, 0, 500).await.unwrap();
        let told = events.iter().rev().find_map(|event| {
            match MeetingEvent::decode(event.as_slice()).unwrap().body {
                Some(Body::AttachmentsChanged(change)) => Some(change.attachments),
                _ => None,
            }
        });
        (listed, told, files_under(self.folder.path().join("files")))
    }

    async fn sweep(&self) -> usize {
        Remover::new(self.attachments.clone()).sweep().await.unwrap()
    }
}

fn new_file(by: &str) -> NewFile {
    NewFile {
        by: by.parse().unwrap(),
        name: "plan.pdf".parse().unwrap(),
        media_type: "application/pdf".parse().unwrap(),
    }
}

fn files_under(folder: PathBuf) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| if entry.path().is_dir() { files_under(entry.path()) } else { 1 })
        .sum()
}

fn refusal(error: AttachmentError) -> Refusal {
    match error {
        AttachmentError::Store(StoreError::Refused(refusal)) => refusal,
        other => panic!("{other}"),
    }
}

async fn a_file_comes_back_as_it_was_attached(base: Base) {
    let desk = Desk::at(base).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(1_000).collect();
    let attached = desk.put("bob", &bytes).await.unwrap();
    assert_eq!((attached.size, attached.by.as_str()), (1_000, "bob"));
    let expected: [u8; 32] = Sha256::digest(&bytes).into();
    assert_eq!(attached.sha256, expected);
    let empty = desk.put("ann", &[]).await.unwrap();
    assert_eq!(desk.attachments.list(&desk.meeting).await.unwrap().len(), 2);
    assert!(desk.read(&attached).await.unwrap() == bytes);
    assert_eq!(desk.read(&empty).await.unwrap(), [0; 0]);
    assert_eq!(desk.count().await, (2, Some(2), 2));
    assert_eq!(desk.sweep().await, 0, "nothing is unwanted");
    desk.base.pass(Duration::from_secs(7200));
    assert_eq!(desk.sweep().await, 0, "nor later");

    let other = desk.base.meeting().await;
    let elsewhere = desk.attachments.open(&other, &attached.id).await;
    assert_eq!(elsewhere.err().map(refusal), Some(Refusal::NoSuchAttachment));
}

async fn the_limits_hold_while_the_bytes_come(base: Base) {
    let desk = Desk::at(base).await;
    let endless = Intake::new(stream::repeat_with(|| Ok(vec![0; 100])));
    let endless = desk.attachments.put(&desk.meeting, new_file("bob"), endless).await.unwrap_err();
    assert_eq!(refusal(endless), Refusal::AttachmentTooLarge(1_000));
    desk.put("bob", &[1; 1_000]).await.unwrap();
    desk.put("bob", &[2; 1_000]).await.unwrap();
    let full = desk.put("bob", &[3; 501]).await.unwrap_err();
    assert_eq!(refusal(full), Refusal::AttachmentsTooLarge(2_500));
    desk.put("bob", &[3; 500]).await.unwrap();
    desk.put("bob", &[]).await.unwrap();
    desk.put("bob", &[]).await.unwrap();
    let many = desk.put("bob", &[]).await.unwrap_err();
    assert_eq!(refusal(many), Refusal::TooManyAttachments(5));
    desk.sweep().await;
    assert_eq!(desk.count().await, (5, Some(5), 5));
}

/// Each has room when it begins; together they have not.
async fn two_files_at_once_do_not_get_over_the_limit(base: Base) {
    let desk = Desk::at(base).await;
    desk.put("bob", &[1; 1_000]).await.unwrap();
    let (one, two) = tokio::join!(desk.put("bob", &[2; 800]), desk.put("ann", &[3; 800]));
    let refused = one.err().or(two.err()).unwrap();
    assert_eq!(refusal(refused), Refusal::AttachmentsTooLarge(2_500));
    desk.sweep().await;
    assert_eq!(desk.count().await, (2, Some(2), 2));
}

async fn who_is_not_a_member_attaches_nothing(base: Base) {
    let desk = Desk::at(base).await;
    let refused = desk.put("eve", &[1; 10]).await.unwrap_err();
    assert_eq!(refusal(refused), Refusal::NotMember);
    assert_eq!(desk.count().await, (0, None, 0));
    assert!(!desk.folder.path().join("files").exists(), "nothing was needed yet");
}

async fn a_broken_upload_leaves_nothing(base: Base) {
    let desk = Desk::at(base).await;
    let pieces = vec![Ok(vec![1; 100]), Err(Status::cancelled("gone"))];
    let broken = desk.put_pieces("bob", pieces).await.unwrap_err();
    assert!(matches!(broken, AttachmentError::Sender(status) if status.message() == "gone"));
    desk.sweep().await;
    assert_eq!(desk.count().await, (0, None, 0));

    // A caller who goes away in the middle.
    let waiting = stream::iter([Ok(vec![1; 100])]).chain(stream::pending());
    let putting = desk.attachments.put(&desk.meeting, new_file("bob"), Intake::new(waiting));
    assert!(tokio::time::timeout(Duration::from_millis(300), putting).await.is_err());
    desk.base.pass(Duration::from_secs(3600));
    assert_eq!(desk.sweep().await, 1);
    assert_eq!(desk.count().await, (0, None, 0));
}

async fn a_file_that_is_taken_away_is_removed(base: Base) {
    let desk = Desk::at(base).await;
    let attached = desk.put("bob", &[1; 10]).await.unwrap();
    desk.put("ann", &[2; 10]).await.unwrap();
    let refused = desk.remove("eve", &attached).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(Refusal::NotAttacher)));
    desk.remove("bob", &attached).await.unwrap();
    assert_eq!(desk.read(&attached).await.err().map(refusal), Some(Refusal::NoSuchAttachment));
    assert_eq!(desk.sweep().await, 1);
    assert_eq!(desk.count().await, (1, Some(1), 1));
}

async fn the_files_of_a_deleted_meeting_are_removed(base: Base) {
    let desk = Desk::at(base).await;
    for _ in 0..5 {
        desk.put("bob", &[1; 10]).await.unwrap();
    }
    desk.base.registry.delete(&desk.meeting).await.unwrap();
    assert_eq!(files_under(desk.folder.path().join("files")), 5);
    assert_eq!(desk.sweep().await, 5);
    assert_eq!(files_under(desk.folder.path().join("files")), 0);
    assert_eq!(desk.sweep().await, 0);
}

async fn what_a_crash_has_left_is_removed_later(base: Base) {
    let desk = Desk::at(base).await;
    // Its bytes are stored, and the process ends before it belongs to the meeting.
    let attached = desk.put("bob", &[1; 10]).await.unwrap();
    let lost = "00000000000000000000000000000007";
    let store = &desk.base.store;
    store.expect_file(&lost.parse().unwrap(), desk.base.now() + 3600 * 1000).await.unwrap();
    let place = desk.folder.path().join("files/00/00");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join(lost), b"lost").unwrap();
    assert_eq!(desk.sweep().await, 0, "it may still be coming");
    desk.base.pass(Duration::from_secs(3600));
    assert_eq!(desk.sweep().await, 1);
    assert_eq!(desk.count().await, (1, Some(1), 1));
    assert_eq!(desk.read(&attached).await.unwrap(), [1; 10]);
}

async fn a_file_that_cannot_be_removed_is_tried_again(base: Base) {
    let desk = Desk::at(base).await;
    let attached = desk.put("bob", &[1; 10]).await.unwrap();
    let id = attached.id.to_string();
    let place = desk.folder.path().join("files").join(&id[..2]).join(&id[2..4]).join(&id);
    desk.remove("bob", &attached).await.unwrap();
    // A folder in its place can't be removed as a file, not even by root.
    std::fs::rename(&place, desk.folder.path().join("aside")).unwrap();
    std::fs::create_dir(&place).unwrap();
    assert_eq!(desk.sweep().await, 0);
    std::fs::remove_dir(&place).unwrap();
    std::fs::rename(desk.folder.path().join("aside"), &place).unwrap();
    assert_eq!(desk.sweep().await, 0, "not at once");
    desk.base.pass(Duration::from_secs(60));
    assert_eq!(desk.sweep().await, 1);
    assert_eq!(desk.count().await, (0, Some(0), 0));
}
