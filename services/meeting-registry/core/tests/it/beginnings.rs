//! When a meeting runs, and who is invited when.

use proptest::prelude::*;
use tributary_meeting_registry_core::{
    Beginning, Command, Counters, Happening, INVITATION_LIFE, InvalidExpiry, LATE_MAX, Occasion,
    Role, SHARED_LIFE, SHARED_LIFE_MAX, Sender, SetMembers, State, UnixMillis, Update,
    shared_until,
};

use crate::{HOUR, MINUTE, NOW, by, meeting, new_meeting, user};

fn scheduled(starts_at: UnixMillis) -> State {
    let ann = [(user("ann"), Role::Organiser)];
    State::new(meeting(Some(starts_at)), Counters::default(), []).with_members(ann)
}

fn add(name: &str) -> Command {
    let members = [(user(name), Role::Member)].into();
    let by_name = Some("Ann B.".parse().unwrap());
    Command::SetMembers(SetMembers { by: by("ann"), by_name, members })
}

/// The occasion on which somebody who is added now is invited now.
fn occasion_of_added(state: &mut State, name: &str, now: UnixMillis) -> Option<Occasion> {
    let events = state.apply(add(name), now).unwrap();
    let Happening::MembersChanged(change) = &events[0].what else { panic!("{events:?}") };
    change.invitation.as_ref().map(|invitation| invitation.occasion)
}

#[test]
fn a_meeting_without_a_time_runs_from_its_creation_to_its_end() {
    let mut state = new_meeting();
    assert_eq!(meeting(None).begin(NOW), Beginning::NotDue);
    assert!(state.meeting().is_running(NOW));
    assert!(meeting(None).invitation_at_creation().is_some());
    assert_eq!(occasion_of_added(&mut state, "bob", NOW + HOUR), Some(Occasion::Added));
    state.apply(Command::End, NOW + HOUR).unwrap();
    assert!(!state.meeting().is_running(NOW + HOUR));
    assert_eq!(occasion_of_added(&mut state, "cleo", NOW + HOUR), None);
}

#[test]
fn an_invitation_says_who_invites_and_means_something_for_a_day() {
    let events = new_meeting().apply(add("bob"), NOW + 5).unwrap();
    let Happening::MembersChanged(change) = &events[0].what else { panic!("{events:?}") };
    let invitation = change.invitation.as_ref().unwrap();
    assert_eq!((invitation.from.user.as_str(), invitation.from.shown()), ("ann", "Ann B."));
    assert_eq!(invitation.expires_at, NOW + 5 + INVITATION_LIFE);
    assert_eq!(Sender { user: user("ann"), name: None }.shown(), "ann");
}

#[test]
fn a_scheduled_meeting_begins_once() {
    let starts_at = NOW + HOUR;
    let mut meeting = meeting(Some(starts_at));
    assert!(meeting.invitation_at_creation().is_none());
    assert!(!meeting.is_running(starts_at - 1));
    assert_eq!(meeting.begin(starts_at - 1), Beginning::NotDue);
    assert!(meeting.is_running(starts_at));
    let Beginning::Due(invitation) = meeting.begin(starts_at + 700) else { panic!("{meeting:?}") };
    assert_eq!(invitation.occasion, Occasion::Begins { starts_at });
    assert_eq!(invitation.from.shown(), "Ann A.");
    assert_eq!(meeting.begin(starts_at + 800), Beginning::NotDue);
    assert_eq!(meeting.starts_at, Some(starts_at));
}

#[test]
fn a_beginning_that_was_missed_by_more_than_an_hour_invites_nobody() {
    let starts_at = NOW + HOUR;
    let mut late = meeting(Some(starts_at));
    assert!(matches!(late.begin(starts_at + LATE_MAX), Beginning::Due(_)));
    let mut too_late = meeting(Some(starts_at));
    assert_eq!(too_late.begin(starts_at + LATE_MAX + 1), Beginning::Missed);
    assert_eq!(too_late.begin(starts_at + LATE_MAX + 2), Beginning::NotDue);
    assert!(too_late.is_running(starts_at + LATE_MAX));
}

#[test]
fn a_meeting_that_is_over_does_not_begin() {
    let mut state = scheduled(NOW + HOUR);
    state.apply(Command::End, NOW).unwrap();
    assert_eq!(state.meeting().invites_at, None);
    assert_eq!(state.meeting().clone().begin(NOW + HOUR), Beginning::NotDue);
}

#[test]
fn a_meeting_that_is_moved_begins_again_and_one_that_is_not_does_not() {
    let mut state = scheduled(NOW + HOUR);
    let update = |starts_at| {
        let (subject, lobby) = (Some("Other".parse().unwrap()), None);
        let update = Update { by: by("ann"), subject, starts_at, lobby, password: None };
        Command::Update(update)
    };
    let begin = |state: &State, now| {
        let mut meeting = state.meeting().clone();
        let beginning = meeting.begin(now);
        let members = state.members().map(|(user, role)| (user.clone(), role));
        let begun = State::new(meeting, state.counters(), []).with_members(members);
        (begun, beginning)
    };
    let (mut state_begun, first) = begin(&state, NOW + HOUR);
    assert!(matches!(first, Beginning::Due(_)));
    state_begun.apply(update(None), NOW + HOUR).unwrap();
    assert_eq!(begin(&state_begun, NOW + HOUR).1, Beginning::NotDue);
    state_begun.apply(update(Some(NOW + HOUR)), NOW + HOUR).unwrap();
    assert_eq!(begin(&state_begun, NOW + HOUR).1, Beginning::NotDue);
    state_begun.apply(update(Some(NOW + 2 * HOUR)), NOW + HOUR).unwrap();
    assert_eq!(begin(&state_begun, NOW + HOUR).1, Beginning::NotDue);
    assert!(!state_begun.meeting().is_running(NOW + HOUR));
    assert!(matches!(begin(&state_begun, NOW + 2 * HOUR).1, Beginning::Due(_)));

    state.apply(update(Some(NOW + 3 * HOUR)), NOW).unwrap();
    assert_eq!(begin(&state, NOW + HOUR).1, Beginning::NotDue, "moved before it began");
}

#[test]
fn who_is_added_while_the_beginning_is_about_to_invite_is_invited_by_it() {
    let starts_at = NOW + HOUR;
    let mut state = scheduled(starts_at);
    assert_eq!(occasion_of_added(&mut state, "bob", starts_at - 1), None);
    assert_eq!(occasion_of_added(&mut state, "cleo", starts_at + 1), None);
    let too_late = starts_at + LATE_MAX + 1;
    assert_eq!(occasion_of_added(&mut state, "dan", too_late), Some(Occasion::Added));
}

#[test]
fn a_share_ends_as_said_but_within_a_year() {
    assert_eq!(shared_until(None, NOW), Ok(NOW + SHARED_LIFE));
    assert_eq!(shared_until(Some(NOW + 1), NOW), Ok(NOW + 1));
    assert_eq!(shared_until(Some(u64::MAX), NOW), Ok(NOW + SHARED_LIFE_MAX));
    assert_eq!(shared_until(Some(NOW), NOW), Err(InvalidExpiry));
}

proptest! {
    /// However a meeting is moved and looked at, and whoever is added when: a user is invited at
    /// most once for one beginning, and in time.
    #[test]
    fn everybody_is_invited_once_for_one_beginning(
        steps in prop::collection::vec((0..40u64, 0..3u8, 1..90u64), 1..60),
    ) {
        let mut state = scheduled(NOW + 10 * MINUTE);
        let (mut now, mut begun, mut added) = (NOW, Vec::new(), 0);
        for (minutes, act, argument) in steps {
            now += minutes * MINUTE;
            match act {
                0 => {
                    let mut meeting = state.meeting().clone();
                    let beginning = meeting.begin(now);
                    if let Beginning::Due(invitation) = &beginning {
                        let Occasion::Begins { starts_at } = invitation.occasion else {
                            panic!("{invitation:?}");
                        };
                        prop_assert!(starts_at <= now && now <= starts_at + LATE_MAX);
                        prop_assert!(!begun.contains(&starts_at), "twice");
                        begun.push(starts_at);
                    }
                    let members = state.members().map(|(user, role)| (user.clone(), role));
                    state = State::new(meeting, state.counters(), [])
                        .with_members(members.collect::<Vec<_>>());
                }
                1 => {
                    added += 1;
                    let occasion = occasion_of_added(&mut state, &format!("user-{added}"), now);
                    let running = state.meeting().is_running(now);
                    let waits = state.meeting().invites_at.is_some_and(|at| now <= at + LATE_MAX);
                    prop_assert_eq!(occasion.is_some(), running && !waits);
                }
                _ => {
                    let starts_at = Some(now + argument * MINUTE);
                    let (subject, lobby, password) = (None, None, None);
                    let update = Update { by: by("ann"), subject, starts_at, lobby, password };
                    state.apply(Command::Update(update), now).unwrap();
                    begun.retain(|at| Some(*at) != starts_at);
                }
            }
        }
    }
}
