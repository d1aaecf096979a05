//! Whether this process can do its work now, and if not, what it waits for.
//!
//! **Invariant:** ready means: started, every dependency ready, not draining. Nothing here blocks.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;
use tokio::sync::watch;

/// What a process waits for. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub struct Readiness {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    next_id: AtomicU64,
    state: Mutex<State>,
    changed: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// Dependencies that are not ready, by their order of registration.
    waiting: BTreeMap<u64, Waiting>,
    draining: bool,
}

/// A dependency that is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Its name, as given to [`Readiness::dependency`].
    pub dependency: &'static str,
    /// Why it is not ready, in words for an operator.
    pub reason: String,
}

/// What `/readyz` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether this process can do its work now.
    pub ready: bool,
    /// Whether it is on its way out.
    pub draining: bool,
    /// All that it waits for.
    pub waiting_for: Vec<Waiting>,
}

impl Readiness {
    /// Ready at once, as long as nothing is registered.
    pub fn new() -> Self {
        let readiness = Self::default();
        readiness.publish();
        readiness
    }

    /// Registers something that this process needs. It starts not ready.
    pub fn dependency(&self, name: &'static str) -> Dependency {
        let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed);
        let dependency = Dependency { readiness: self.clone(), id, name };
        dependency.set(Some("not connected yet"));
        dependency
    }

    /// From now on not ready, for good: the process ends.
    pub fn drain(&self) {
        self.change(|state| state.draining = true);
    }

    /// Whether all is ready now.
    pub fn is_ready(&self) -> bool {
        *self.inner.changed.borrow()
    }

    /// What is ready and what is not.
    pub fn report(&self) -> Report {
        let state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        Report {
            ready: state.is_ready(),
            draining: state.draining,
            waiting_for: state.waiting.values().cloned().collect(),
        }
    }

    /// Follows [`Readiness::is_ready`].
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.inner.changed.subscribe()
    }

    fn publish(&self) {
        self.change(|_| ());
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let ready = state.is_ready();
        self.inner.changed.send_if_modified(|current| std::mem::replace(current, ready) != ready);
    }
}

impl State {
    fn is_ready(&self) -> bool {
        self.waiting.is_empty() && !self.draining
    }
}

/// One thing that a process needs. Clones speak for the same thing.
#[derive(Clone)]
pub struct Dependency {
    readiness: Readiness,
    id: u64,
    name: &'static str,
}

impl Dependency {
    /// It is there.
    pub fn ready(&self) {
        self.set(None);
    }

    /// It is not there; `why` is shown to operators, so no secrets in it.
    pub fn not_ready(&self, why: &str) {
        self.set(Some(why));
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn set(&self, why: Option<&str>) {
        self.readiness.change(|state| match why {
            None => {
                state.waiting.remove(&self.id);
            }
            Some(why) => {
                let waiting = Waiting { dependency: self.name, reason: why.to_owned() };
                state.waiting.insert(self.id, waiting);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_dependency_is() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let database = readiness.dependency("database");
        let nats = readiness.dependency("nats");
        assert!(!readiness.is_ready());
        database.ready();
        nats.not_ready("connection refused");
        assert_eq!(
            readiness.report().waiting_for,
            [Waiting { dependency: "nats", reason: "connection refused".into() }]
        );
        nats.clone().ready();
        assert!(readiness.is_ready() && readiness.report().ready);
    }

    #[test]
    fn two_dependencies_of_one_name_do_not_hide_each_other() {
        let readiness = Readiness::new();
        let one = readiness.dependency("database");
        let _other = readiness.dependency("database");
        one.ready();
        assert!(!readiness.is_ready());
    }

    #[test]
    fn draining_is_for_good() {
        let readiness = Readiness::new();
        let mut follower = readiness.subscribe();
        readiness.drain();
        assert!(follower.has_changed().unwrap() && !*follower.borrow_and_update());
        readiness.dependency("late").ready();
        assert!(!readiness.is_ready() && readiness.report().draining);
    }
}
