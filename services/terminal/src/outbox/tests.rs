//! Whatever relay and network do: in order, and nothing forgotten or doubled.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn id(number: u64) -> OperationId {
    format!("op-{number}").parse().unwrap()
}

fn filled(count: u64) -> Outbox<u64> {
    let mut outbox = Outbox::new(Instant::now());
    for number in 1..=count {
        outbox.push(id(number), number).unwrap();
    }
    outbox
}

fn sent(outbox: &mut Outbox<u64>, now: Instant) -> Vec<u64> {
    std::iter::from_fn(|| outbox.next(now).map(|entry| entry.sequence)).collect()
}

#[test]
fn only_so_many_are_on_their_way_and_the_rest_follows_as_results_come() {
    let now = Instant::now();
    let mut outbox = filled(40);
    assert!(outbox.due().unwrap() <= Instant::now());
    assert_eq!(sent(&mut outbox, now), (1..=32).collect::<Vec<_>>());
    assert!(outbox.received(&id(1)) && !outbox.received(&id(1)));
    assert_eq!(sent(&mut outbox, now), [0; 0], "received is not answered");
    assert_eq!(outbox.due(), None);
    assert!(outbox.answered(&id(1)) && outbox.answered(&id(7)) && !outbox.answered(&id(7)));
    assert_eq!(sent(&mut outbox, now), [33, 34]);
    assert_eq!(outbox.len(), 38);
}

#[test]
fn after_a_loss_all_go_again_in_order_also_those_that_were_received() {
    let now = Instant::now();
    let mut outbox = filled(4);
    sent(&mut outbox, now);
    outbox.received(&id(1));
    outbox.answered(&id(2));
    outbox.lost();
    assert_eq!(sent(&mut outbox, now), [1, 3, 4]);
    assert_eq!(outbox.next_sequence(), 5);
}

#[test]
fn what_the_relay_can_not_take_for_now_goes_again_first_and_not_at_once() {
    let now = Instant::now();
    let mut outbox = filled(3);
    sent(&mut outbox, now);
    outbox.push(id(4), 4).unwrap();
    outbox.put_back(&id(2), now);
    outbox.put_back(&id(3), now);
    assert_eq!(sent(&mut outbox, now), [0; 0]);
    let due = outbox.due().unwrap();
    assert_eq!(due, now + PAUSE_MIN);
    assert_eq!(sent(&mut outbox, due), [2, 3, 4]);
    outbox.put_back(&id(2), due);
    assert_eq!(outbox.due(), Some(due + PAUSE_MIN * 2), "longer each time");
    for _ in 0..20 {
        let due = outbox.due().unwrap();
        assert_eq!(sent(&mut outbox, due), [2]);
        outbox.put_back(&id(2), due);
        assert!(outbox.due().unwrap() <= due + PAUSE_MAX);
    }
    assert!(outbox.answered(&id(3)));
    assert_eq!(sent(&mut outbox, now), [2], "there is room again");
}

#[test]
fn a_number_that_was_not_taken_is_given_to_the_next_if_none_has_a_later_one() {
    let now = Instant::now();
    let mut outbox = filled(3);
    sent(&mut outbox, now);
    assert!(outbox.not_taken(&id(3)) && !outbox.not_taken(&id(3)));
    assert_eq!(outbox.next_sequence(), 3);
    // The registry waits for 1 before it goes on.
    assert!(outbox.not_taken(&id(1)));
    assert_eq!(outbox.next_sequence(), 3);
    assert!(!outbox.wants_new_session(), "2 is on its way");
    assert!(outbox.not_taken(&id(2)));
    assert_eq!(outbox.next_sequence(), 1);
    assert!(!outbox.wants_new_session());
}

#[test]
fn a_number_that_may_be_used_up_is_not_given_again() {
    let now = Instant::now();
    let mut outbox = filled(1);
    sent(&mut outbox, now);
    outbox.lost();
    sent(&mut outbox, now);
    outbox.not_taken(&id(1));
    assert_eq!(outbox.next_sequence(), 2);
    assert!(outbox.wants_new_session());
    outbox.push(id(2), 2).unwrap();
    assert!(!outbox.wants_new_session(), "it would have to be signed anew");
    outbox.answered(&id(2));
    assert!(!outbox.wants_new_session(), "the registry waits no longer");
}

#[test]
fn no_more_than_so_many_are_kept() {
    let mut outbox = filled(PENDING_MAX as u64);
    assert_eq!(outbox.push(id(0), 0), Err(Full));
    assert!(outbox.answered(&id(9)));
    assert_eq!(outbox.push(id(0), 0), Ok(()));
    assert_eq!(outbox.entries().last().unwrap().sequence, PENDING_MAX as u64 + 1);
}

/// What can happen to an outbox; numbers choose one of the operations.
#[derive(Debug, Clone)]
enum Step {
    Push,
    Send(u64),
    Receive(u64),
    PutBack(u64),
    Answer(u64),
    Refuse(u64),
    Lose,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Push),
        4 => (0..40_u64).prop_map(Step::Send),
        3 => any::<u64>().prop_map(Step::Receive),
        2 => any::<u64>().prop_map(Step::PutBack),
        3 => any::<u64>().prop_map(Step::Answer),
        1 => any::<u64>().prop_map(Step::Refuse),
        1 => Just(Step::Lose),
    ]
}

/// The same, told simply: what has no result, and what of it is on its way.
#[derive(Default)]
struct Model {
    pushed: u64,
    pending: BTreeSet<u64>,
    on_the_way: BTreeMap<u64, bool>,
    /// What was on its way on an earlier connection.
    may_be_stored: BTreeSet<u64>,
    /// The highest number that is or may be used up.
    used: u64,
}

impl Model {
    fn choose(&self, number: u64) -> Option<u64> {
        (self.pushed > 0).then(|| number % self.pushed + 1)
    }

    fn to_be_sent(&self) -> Option<u64> {
        let first = self.pending.iter().find(|number| !self.on_the_way.contains_key(number));
        first.copied().filter(|_| self.on_the_way.len() < IN_FLIGHT_MAX)
    }
}

proptest! {
    #[test]
    fn it_is_as_the_simple_model_says(steps in prop::collection::vec(step(), 1..400)) {
        let mut now = Instant::now();
        let (mut outbox, mut model) = (Outbox::new(now), Model::default());
        for step in steps {
            // Pauses are over at each step.
            now += PAUSE_MAX;
            match step {
                Step::Push => {
                    model.pushed += 1;
                    prop_assert_eq!(outbox.next_sequence(), model.pushed);
                    outbox.push(id(model.pushed), model.pushed).unwrap();
                    model.pending.insert(model.pushed);
                }
                Step::Send(count) => for _ in 0..count {
                    let expected = model.to_be_sent();
                    let sent = outbox.next(now).map(|entry| (entry.sequence, entry.payload));
                    prop_assert_eq!(sent, expected.map(|number| (number, number)));
                    model.on_the_way.extend(expected.map(|number| (number, false)));
                },
                Step::Receive(any) => if let Some(number) = model.choose(any) {
                    let news = model.on_the_way.get_mut(&number).is_some_and(|received| {
                        !std::mem::replace(received, true)
                    });
                    prop_assert_eq!(outbox.received(&id(number)), news);
                },
                Step::PutBack(any) => if let Some(number) = model.choose(any) {
                    if model.on_the_way.get(&number) == Some(&false) {
                        model.on_the_way.remove(&number);
                    }
                    outbox.put_back(&id(number), now);
                },
                Step::Answer(any) => if let Some(number) = model.choose(any) {
                    model.on_the_way.remove(&number);
                    let news = model.pending.remove(&number);
                    model.used = model.used.max(if news { number } else { 0 });
                    prop_assert_eq!(outbox.answered(&id(number)), news);
                },
                Step::Refuse(any) => if let Some(number) = model.choose(any) {
                    model.on_the_way.remove(&number);
                    let news = model.pending.remove(&number);
                    if news && model.may_be_stored.contains(&number) {
                        model.used = model.used.max(number);
                    }
                    if news {
                        model.pushed = model.used.max(model.pending.last().copied().unwrap_or(0));
                    }
                    prop_assert_eq!(outbox.not_taken(&id(number)), news);
                },
                Step::Lose => {
                    model.may_be_stored.extend(model.on_the_way.keys());
                    model.on_the_way.clear();
                    outbox.lost();
                }
            }
            let pending: Vec<u64> = outbox.entries().map(|entry| entry.sequence).collect();
            prop_assert_eq!(pending, model.pending.iter().copied().collect::<Vec<_>>());
        }
        // A patient relay gets all of them, each once, in order.
        outbox.lost();
        let mut taken = Vec::new();
        while let Some(entry) = outbox.next(now) {
            let id = entry.id.clone();
            taken.push(entry.sequence);
            prop_assert!(outbox.answered(&id));
        }
        prop_assert_eq!(taken, model.pending.into_iter().collect::<Vec<_>>());
    }
}
