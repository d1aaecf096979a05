//! The relays that a terminal may come by: it stays with one as long as that answers, and goes on to the
//! next when it does not.

use std::time::{Duration, Instant};

/// A relay that has let nobody in for so long is left for the next one.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Addresses of relays, and which one is in use.
pub(crate) struct Relays {
    urls: Vec<String>,
    at: usize,
    failing_since: Option<Instant>,
}

impl Relays {
    /// The first one is tried first.
    pub(crate) fn new(first: String, others: Vec<String>) -> Self {
        let urls = std::iter::once(first).chain(others).collect();
        Self { urls, at: 0, failing_since: None }
    }

    /// Where to connect to.
    pub(crate) fn current(&self) -> &str {
        self.urls.get(self.at).map(String::as_str).unwrap_or_default()
    }

    /// All but the one in use, in the order in which they are tried.
    pub(super) fn others(&self) -> Vec<String> {
        let (before, rest) = self.urls.split_at(self.at.min(self.urls.len()));
        rest.iter().skip(1).chain(before).cloned().collect()
    }

    /// Goes on to that one.
    pub(super) fn go_to(&mut self, url: &str) {
        if let Some(at) = self.urls.iter().position(|known| known == url) {
            self.at = at;
            self.failing_since = None;
        }
    }

    /// How long one may take to say welcome; `None`: as long as it likes, for there is no other.
    pub(super) fn patience(&self) -> Option<Duration> {
        (self.urls.len() > 1).then_some(PATIENCE)
    }

    /// The one in use has let the terminal in.
    pub(super) fn succeeded(&mut self) {
        self.failing_since = None;
    }

    /// An attempt that began then did not succeed.
    pub(super) fn failed(&mut self, began: Instant, now: Instant) {
        let since = *self.failing_since.get_or_insert(began);
        if self.urls.len() > 1 && now.saturating_duration_since(since) >= PATIENCE {
            self.at = (self.at + 1) % self.urls.len();
            self.failing_since = None;
        }
    }

    /// A wait before the next attempt, so that patience with the one in use does not end in it.
    pub(super) fn shortened(&self, wait: Duration, now: Instant) -> Duration {
        match self.failing_since {
            Some(since) if self.urls.len() > 1 => {
                wait.min(PATIENCE.saturating_sub(now.saturating_duration_since(since)))
            }
            _ => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn relays(urls: &[&str]) -> Relays {
        let mut urls = urls.iter().map(|url| (*url).to_owned());
        Relays::new(urls.next().unwrap(), urls.collect())
    }

    #[test]
    fn a_relay_is_left_after_three_seconds_and_the_last_one_for_the_first() {
        let mut relays = relays(&["a", "b"]);
        let start = Instant::now();
        relays.failed(start, start + SECOND);
        relays.failed(start + 2 * SECOND, start + 2 * SECOND);
        assert_eq!(relays.current(), "a");
        assert_eq!(relays.shortened(2 * SECOND, start + 2 * SECOND), SECOND);
        relays.failed(start + 3 * SECOND, start + 3 * SECOND);
        assert_eq!(relays.current(), "b");
        relays.failed(start + 3 * SECOND, start + 6 * SECOND);
        assert_eq!(relays.current(), "a");
    }

    #[test]
    fn the_others_are_tried_from_the_one_in_use_on() {
        let mut relays = relays(&["a", "b", "c"]);
        assert_eq!(relays.others(), ["b", "c"]);
        relays.go_to("b");
        assert_eq!((relays.current(), relays.others()), ("b", vec!["c".into(), "a".into()]));
        relays.go_to("nowhere");
        assert_eq!(relays.current(), "b");
    }

    #[test]
    fn patience_begins_anew_with_every_loss_and_one_relay_is_never_left() {
        let mut two = relays(&["a", "b"]);
        let start = Instant::now();
        two.failed(start, start);
        two.succeeded();
        two.failed(start + 10 * SECOND, start + 11 * SECOND);
        assert_eq!(two.current(), "a");
        let mut one = relays(&["a"]);
        one.failed(start, start + 60 * SECOND);
        assert_eq!((one.current(), one.patience()), ("a", None));
        assert_eq!(one.shortened(2 * SECOND, start + 61 * SECOND), 2 * SECOND);
    }
}
