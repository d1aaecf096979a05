//! Names, units and help of the service's metrics.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tributary_meeting_registry_core::{Event, Happening};

const EVENTS: &str = "tributary.registry.events";
const PUBLISHED: &str = "tributary.registry.events_published";
const PUBLISH_FAILURES: &str = "tributary.registry.publish_failures";
const PUBLISH_DELAY: &str = "tributary.registry.publish_delay";
const RELAYS_LOST: &str = "tributary.registry.relays_lost";

/// Says what the metrics mean; before their first use.
pub fn describe() {
    describe_counter!(EVENTS, Unit::Count, "Events applied, by kind");
    describe_counter!(PUBLISHED, Unit::Count, "Events that JetStream has stored");
    describe_counter!(PUBLISH_FAILURES, Unit::Count, "Events that could not be published yet");
    describe_histogram!(PUBLISH_DELAY, Unit::Seconds, "From applying an event to its storage");
    describe_counter!(RELAYS_LOST, Unit::Count, "Relay sessions lost, per meeting they were in");
}

/// Counts events that have been committed.
pub fn applied(events: &[Event]) {
    for event in events {
        let kind = match event.what {
            Happening::Joined(_) => "joined",
            Happening::Left { .. } => "left",
            Happening::Muted { .. } => "muted",
            Happening::Ended => "ended",
        };
        counter!(EVENTS, "kind" => kind).increment(1);
    }
}

/// An event has been published, so long after it was applied.
pub fn published(delay: Duration) {
    counter!(PUBLISHED).increment(1);
    histogram!(PUBLISH_DELAY).record(delay);
}

/// An event could not be published.
pub fn publish_failed() {
    counter!(PUBLISH_FAILURES).increment(1);
}

/// A relay session has been taken out of a meeting.
pub fn relay_lost() {
    counter!(RELAYS_LOST).increment(1);
}
