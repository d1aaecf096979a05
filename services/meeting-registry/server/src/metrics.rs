//! Names, units and help of the service's metrics.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tributary_meeting_registry_core::{Event, Happening, NoticeKind, Occasion};

use crate::store::Outbox;

const EVENTS: &str = "tributary.registry.events";
const PUBLISHED: &str = "tributary.registry.events_published";
const PUBLISH_FAILURES: &str = "tributary.registry.publish_failures";
const PUBLISH_DELAY: &str = "tributary.registry.publish_delay";
const NOTICES: &str = "tributary.registry.notices";
const NOTICES_PUBLISHED: &str = "tributary.registry.notices_published";
const NOTICE_PUBLISH_FAILURES: &str = "tributary.registry.notice_publish_failures";
const NOTICE_PUBLISH_DELAY: &str = "tributary.registry.notice_publish_delay";
const BEGINNINGS_MISSED: &str = "tributary.registry.beginnings_missed";
const RELAYS_LOST: &str = "tributary.registry.relays_lost";
const ATTACHED_BYTES: &str = "tributary.registry.attached_bytes";
const FILES_REMOVED: &str = "tributary.registry.files_removed";
const FILE_REMOVAL_FAILURES: &str = "tributary.registry.file_removal_failures";

/// Says what the metrics mean; before their first use.
pub fn describe() {
    describe_counter!(EVENTS, Unit::Count, "Events applied, by kind");
    describe_counter!(PUBLISHED, Unit::Count, "Events that JetStream has stored");
    describe_counter!(PUBLISH_FAILURES, Unit::Count, "Events that could not be published yet");
    describe_histogram!(PUBLISH_DELAY, Unit::Seconds, "From applying an event to its storage");
    describe_counter!(NOTICES, Unit::Count, "Notices made for users, by kind");
    describe_counter!(NOTICES_PUBLISHED, Unit::Count, "Notices that JetStream has stored");
    let failures = "Notices that could not be published yet";
    describe_counter!(NOTICE_PUBLISH_FAILURES, Unit::Count, failures);
    describe_histogram!(NOTICE_PUBLISH_DELAY, Unit::Seconds, "From making a notice to its storage");
    let missed = "Meetings that began too long ago to invite to them";
    describe_counter!(BEGINNINGS_MISSED, Unit::Count, missed);
    describe_counter!(RELAYS_LOST, Unit::Count, "Relay sessions lost, per meeting they were in");
    describe_counter!(ATTACHED_BYTES, Unit::Bytes, "Bytes of files that were attached");
    describe_counter!(FILES_REMOVED, Unit::Count, "Unwanted files removed from the file store");
    let failures = "Unwanted files that could not be removed yet";
    describe_counter!(FILE_REMOVAL_FAILURES, Unit::Count, failures);
}

/// Counts events that have been committed.
pub fn applied(events: &[Event]) {
    for event in events {
        if let Happening::AttachmentsChanged(change) = &event.what {
            let bytes = change.added.as_ref().map_or(0, |attachment| attachment.size);
            counter!(ATTACHED_BYTES).increment(bytes);
        }
        counter!(EVENTS, "kind" => kind(&event.what)).increment(1);
    }
}

const fn kind(what: &Happening) -> &'static str {
    match what {
        Happening::Joined(_) => "joined",
        Happening::Left { .. } => "left",
        Happening::Muted { .. } => "muted",
        Happening::Ended => "ended",
        Happening::MembersChanged(_) => "members_changed",
        Happening::MeetingChanged => "meeting_changed",
        Happening::AttachmentsChanged(_) => "attachments_changed",
        Happening::PresenceChanged { .. } => "presence_changed",
        Happening::HandChanged { .. } => "hand_changed",
        Happening::CheckedIn { .. } => "checked_in",
        Happening::ChatMessage(_) => "chat_message",
        Happening::TalkChanged { .. } => "talk_changed",
        Happening::AskedToUnmute { .. } => "asked_to_unmute",
        Happening::LockChanged { .. } => "lock_changed",
        Happening::HostChanged { .. } => "host_changed",
        Happening::SpotlightChanged { .. } => "spotlight_changed",
        Happening::NameChanged { .. } => "name_changed",
        Happening::OperationRefused { .. } => "operation_refused",
        Happening::OperationDone => "operation_done",
        Happening::Announcement(_) => "announcement",
    }
}

/// Counts notices that are being committed.
pub fn notices_made(kind: &NoticeKind, count: usize) {
    let kind = match kind {
        NoticeKind::Invitation(Occasion::Begins { .. }) => "begins",
        NoticeKind::Invitation(Occasion::Added) => "added",
        NoticeKind::Shared { .. } => "shared",
    };
    counter!(NOTICES, "kind" => kind).increment(count as u64);
}

/// Something has been published, so long after it happened.
pub fn published(outbox: Outbox, delay: Duration) {
    let (count, delays) = match outbox {
        Outbox::Events => (PUBLISHED, PUBLISH_DELAY),
        Outbox::Notices => (NOTICES_PUBLISHED, NOTICE_PUBLISH_DELAY),
    };
    counter!(count).increment(1);
    histogram!(delays).record(delay);
}

/// Something could not be published.
pub fn publish_failed(outbox: Outbox) {
    match outbox {
        Outbox::Events => counter!(PUBLISH_FAILURES),
        Outbox::Notices => counter!(NOTICE_PUBLISH_FAILURES),
    }
    .increment(1);
}

/// A meeting began too long ago to invite to it.
pub fn beginning_missed() {
    counter!(BEGINNINGS_MISSED).increment(1);
}

/// A relay session has been taken out of a meeting.
pub fn relay_lost() {
    counter!(RELAYS_LOST).increment(1);
}

/// An unwanted file is gone.
pub fn file_removed() {
    counter!(FILES_REMOVED).increment(1);
}

/// An unwanted file could not be removed.
pub fn file_not_removed() {
    counter!(FILE_REMOVAL_FAILURES).increment(1);
}
