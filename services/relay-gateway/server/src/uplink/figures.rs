//! What one uplink carries, in numbers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use tokio::time::{MissedTickBehavior, interval};

use super::child::Child;

const INTERVAL: Duration = Duration::from_secs(5);

/// Plain numbers of one uplink since they were handed over last.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    messages_up: AtomicU64,
    messages_down: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    messages_late: AtomicU64,
}

impl Counts {
    pub(super) fn up(&self, bytes: usize) {
        self.messages_up.fetch_add(1, Ordering::Relaxed);
        self.bytes_up.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn down(&self, bytes: usize) {
        self.messages_down.fetch_add(1, Ordering::Relaxed);
        self.bytes_down.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A message for a link that was closed already.
    pub(super) fn late(&self) {
        self.messages_late.fetch_add(1, Ordering::Relaxed);
    }
}

/// Describes the metrics of uplinks.
pub(crate) fn describe() {
    describe_gauge!("tributary_relay_uplinks", Unit::Count, "Relays that are attached here.");
    describe_gauge!(
        "tributary_relay_uplink_links",
        Unit::Count,
        "Terminals behind a relay that is attached here."
    );
    describe_gauge!(
        "tributary_relay_uplink_round_trip_seconds",
        Unit::Seconds,
        "To a relay that is attached here and back."
    );
    describe_gauge!(
        "tributary_relay_uplink_unacknowledged_bytes",
        Unit::Bytes,
        "Control messages that a relay that is attached here has not taken yet."
    );
    describe_counter!(
        "tributary_relay_uplink_messages_total",
        Unit::Count,
        "Messages on uplinks, control and media, by direction as the relay that is attached sees it."
    );
    describe_counter!(
        "tributary_relay_uplink_bytes_total",
        Unit::Bytes,
        "The same in bytes, without HTTP/2 and TLS."
    );
    describe_counter!(
        "tributary_relay_uplink_messages_late_total",
        Unit::Count,
        "Messages for links that were closed while they were on their way."
    );
    describe_counter!(
        "tributary_relay_uplink_violations_total",
        Unit::Count,
        "Uplinks closed because a relay did not keep to the protocol."
    );
    describe_counter!(
        "tributary_relay_uplink_links_refused_total",
        Unit::Count,
        "Links closed at once because they came from a relay that is not known to be there."
    );
    describe_connections();
}

fn describe_connections() {
    describe_gauge!(
        "tributary_relay_uplink_connections",
        Unit::Count,
        "TCP connections of relays, attached or not."
    );
    describe_counter!(
        "tributary_relay_uplink_connections_closed_total",
        Unit::Count,
        "TCP connections closed because there were too many (reason all), too many from one address \
         (address), or because nobody attached by them in time (late)."
    );
    describe_counter!(
        "tributary_relay_uplink_wrong_sessions_total",
        Unit::Count,
        "Requests of relays without the token of a session that there is."
    );
}

/// Hands over what one uplink has counted, until its session is over.
pub(super) async fn report(child: Arc<Child>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_over = tokio::select! {
            () = child.over() => true,
            _ = ticks.tick() => false,
        };
        hand_over(&child);
        if is_over {
            let relay = child.relay.to_string();
            gauge!("tributary_relay_uplink_links", "relay" => relay.clone()).set(0.0);
            gauge!("tributary_relay_uplink_unacknowledged_bytes", "relay" => relay).set(0.0);
            return;
        }
    }
}

fn hand_over(child: &Child) {
    let relay = child.relay.to_string();
    let counts = &child.counts;
    for (name, up, down) in [
        ("tributary_relay_uplink_messages_total", &counts.messages_up, &counts.messages_down),
        ("tributary_relay_uplink_bytes_total", &counts.bytes_up, &counts.bytes_down),
    ] {
        for (direction, count) in [("up", up), ("down", down)] {
            let count = count.swap(0, Ordering::Relaxed);
            counter!(name, "relay" => relay.clone(), "direction" => direction).increment(count);
        }
    }
    let late = counts.messages_late.swap(0, Ordering::Relaxed);
    counter!("tributary_relay_uplink_messages_late_total", "relay" => relay.clone())
        .increment(late);
    gauge!("tributary_relay_uplink_links", "relay" => relay.clone())
        .set(child.links().len() as f64);
    let waiting = child.queue.bytes();
    gauge!("tributary_relay_uplink_unacknowledged_bytes", "relay" => relay.clone())
        .set(waiting as f64);
    let rtt_us = child.rtt_us.load(Ordering::Relaxed);
    if rtt_us > 0 {
        gauge!("tributary_relay_uplink_round_trip_seconds", "relay" => relay)
            .set(Duration::from_micros(rtt_us).as_secs_f64());
    }
}
