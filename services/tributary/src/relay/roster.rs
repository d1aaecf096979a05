//! Who is in the meeting that the relay itself is in, as its status page shows it.

use tributary_relay_gateway_server::edge::status::{
    Group, OwnMeeting, PEOPLE_SHOWN_MAX, Someone, Standing,
};
use tributary_terminal::{Person, Presence, Snapshot};

/// What is to be seen of a meeting that the relay with this id is in.
pub fn shown(snapshot: &Snapshot, relay_id: &str) -> OwnMeeting {
    let standing = match (snapshot.waiting, snapshot.connected) {
        (true, _) => return OwnMeeting::at(Standing::Lobby),
        (false, true) => Standing::In,
        (false, false) => Standing::Lost,
    };
    let mut people: Vec<&Person> =
        snapshot.roster.values().filter(|who| who.presence != Presence::Waiting).collect();
    let mut hands: Vec<u64> =
        people.iter().map(|who| who.hand_raised).filter(|hand| *hand > 0).collect();
    hands.sort_unstable();
    let (all, relays) = (people.len(), people.iter().filter(|who| who.relay_itself).count());
    people.sort_by_cached_key(|who| {
        let group = (who.relay_id != relay_id, who.relay_name.to_lowercase(), who.relay_id.clone());
        (group, !who.relay_itself, who.display_name.to_lowercase(), who.participant_id)
    });
    keep_some(&mut people, snapshot);
    OwnMeeting {
        subject: snapshot.subject.clone(),
        people: (all - relays) as u64,
        not_shown: (all - people.len()) as u64,
        groups: groups(&people, snapshot, &hands, relay_id),
        ..OwnMeeting::at(standing)
    }
}

/// As many as are shown: of too many, those who speak or want to, then the first ones.
fn keep_some(people: &mut Vec<&Person>, snapshot: &Snapshot) {
    let is_heard =
        |who: &Person| who.hand_raised > 0 || snapshot.speakers.contains(&who.participant_id);
    let heard = people.iter().filter(|who| is_heard(who)).count();
    let mut others = PEOPLE_SHOWN_MAX.saturating_sub(heard);
    people.retain(|who| {
        let fits = others > 0;
        is_heard(who) || {
            others = others.saturating_sub(1);
            fits
        }
    });
    people.truncate(PEOPLE_SHOWN_MAX);
}

/// Those who stand beside each other and are at one relay.
fn groups(people: &[&Person], snapshot: &Snapshot, hands: &[u64], relay_id: &str) -> Vec<Group> {
    let chunks = people.chunk_by(|one, next| one.relay_id == next.relay_id);
    let group = |people: &[&Person]| {
        let first = people.first()?;
        Some(Group {
            relay_id: first.relay_id.clone(),
            relay_name: first.relay_name.clone(),
            own: first.relay_id == relay_id,
            people: people.iter().map(|who| someone(who, snapshot, hands)).collect(),
        })
    };
    chunks.filter_map(group).collect()
}

fn someone(who: &Person, snapshot: &Snapshot, hands: &[u64]) -> Someone {
    let place = hands.binary_search(&who.hand_raised).map_or(0, |before| before + 1);
    Someone {
        name: who.display_name.clone(),
        itself: who.relay_itself,
        host: who.host,
        muted: who.muted,
        speaking: snapshot.speakers.contains(&who.participant_id),
        hand: u32::try_from(place).unwrap_or(u32::MAX),
        away: !who.is_online(),
    }
}

#[cfg(test)]
mod tests {
    use tributary_contracts::event::v1::Participant;

    use super::*;

    fn person(number: u32, name: &str, relay: &str) -> Participant {
        Participant {
            participant_id: number,
            display_name: name.to_owned(),
            relay_id: relay.to_owned(),
            relay_name: relay.to_uppercase(),
            ..Participant::default()
        }
    }

    fn meeting(people: Vec<Participant>, speakers: &[u32]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.subject = "Weekly".to_owned();
        snapshot.connected = true;
        let people = people.into_iter().map(Person::from);
        snapshot.roster = people.map(|who| (who.participant_id, who)).collect();
        let named = |number: &u32| snapshot.roster.keys().find(|id| id.0 == *number).copied();
        snapshot.speakers = speakers.iter().filter_map(named).collect();
        snapshot
    }

    #[test]
    fn people_stand_by_their_relays_the_own_one_first_with_the_relay_at_its_head() {
        let people = vec![
            person(1, "Zoe", "cloud"),
            Participant { hand_raised: 40, ..person(2, "Ada", "office") },
            Participant { relay_itself: true, muted: true, ..person(3, "Office", "office") },
            Participant { hand_raised: 30, ..person(4, "alan", "cloud") },
            Participant { presence: Presence::Waiting.into(), ..person(5, "Eve", "cloud") },
            Participant { unreachable: true, ..person(6, "Bob", "annex") },
        ];
        let shown = shown(&meeting(people, &[2]), "office");
        assert_eq!((shown.standing, shown.subject.as_str()), (Standing::In, "Weekly"));
        assert_eq!((shown.people, shown.not_shown), (4, 0), "neither the relay nor who waits");
        let names = |group: &Group| -> Vec<String> {
            group.people.iter().map(|who| who.name.clone()).collect()
        };
        let groups: Vec<_> =
            shown.groups.iter().map(|g| (g.relay_name.as_str(), g.own, names(g))).collect();
        let expected: [(&str, bool, &[&str]); 3] = [
            ("OFFICE", true, &["Office", "Ada"]),
            ("ANNEX", false, &["Bob"]),
            ("CLOUD", false, &["alan", "Zoe"]),
        ];
        let expected = expected.map(|(name, own, people)| {
            (name, own, people.iter().map(ToString::to_string).collect::<Vec<_>>())
        });
        assert_eq!(groups, expected);
        let [head, ada] = &shown.groups[0].people[..] else { panic!("{shown:?}") };
        assert!(head.itself && head.muted && !head.speaking);
        assert_eq!((ada.speaking, ada.hand, ada.away), (true, 2, false));
        assert!(shown.groups[1].people[0].away);
        assert_eq!(shown.groups[2].people[0].hand, 1, "who was first");
    }

    #[test]
    fn in_the_lobby_nobody_is_seen_and_after_a_loss_who_was_there() {
        let mut snapshot = meeting(vec![person(1, "Ada", "office")], &[]);
        snapshot.connected = false;
        let lost = shown(&snapshot, "office");
        assert_eq!((lost.standing, lost.groups.len()), (Standing::Lost, 1));
        snapshot.waiting = true;
        let waiting = shown(&snapshot, "office");
        assert_eq!((waiting.standing, waiting.people), (Standing::Lobby, 0));
        assert!(waiting.groups.is_empty() && waiting.words.contains("lobby"));
    }

    #[test]
    fn of_too_many_those_are_shown_who_have_something_to_say() {
        let last = PEOPLE_SHOWN_MAX as u32 + 20;
        let mut people: Vec<_> =
            (1..=last).map(|number| person(number, &format!("{number:05}"), "cloud")).collect();
        people.last_mut().unwrap().hand_raised = 7;
        let shown = shown(&meeting(people, &[last - 1]), "office");
        assert_eq!((shown.people, shown.not_shown), (u64::from(last), 20));
        let [cloud] = &shown.groups[..] else { panic!("{} groups", shown.groups.len()) };
        assert_eq!(cloud.people.len(), PEOPLE_SHOWN_MAX);
        let [.., before, end] = &cloud.people[..] else { panic!("nobody") };
        assert!(before.speaking && end.hand == 1);
    }
}
