//! Who is behind which uplink, and what of it is told.

use super::*;

fn relay(id: &str) -> RelayId {
    id.parse().unwrap()
}

fn identity(id: &str, prefixes: &[&str]) -> RelayIdentity {
    let settings =
        RelaySettings { relay_id: id.to_owned(), relay_name: id.to_uppercase(), ..<_>::default() };
    RelayIdentity {
        settings: Some(settings),
        prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
        ..RelayIdentity::default()
    }
}

/// A child that is attached.
fn attach(relays: &Relays, uplink: u64, id: &str, prefixes: &[&str]) -> Arc<Child> {
    let identity = identity(id, prefixes);
    relays.know(&relay(id), &identity);
    let settings = identity.settings.unwrap();
    let child = Arc::new(Child::new(UplinkId(uplink), relay(id), settings).unwrap());
    child.reach.send_replace(crate::uplink::Reach::Attached(1));
    relays.begin(&child);
    child
}

fn suggested(relays: &Relays, address: &str) -> Vec<String> {
    let suggested = relays.suggested(address.parse().unwrap());
    suggested.into_iter().map(|relay| relay.relay_id).collect()
}

#[test]
fn the_relay_of_the_narrowest_network_is_suggested_first() {
    let relays = Relays::default();
    attach(&relays, 1, "city", &["203.0.113.0/24", "2001:db8::/32"]);
    let office = attach(&relays, 2, "office", &["203.0.113.7/32", "nonsense"]);
    assert_eq!(suggested(&relays, "203.0.113.7"), ["office", "city"]);
    assert_eq!(suggested(&relays, "203.0.113.8"), ["city"]);
    assert_eq!(suggested(&relays, "2001:db8::1"), ["city"]);
    assert!(suggested(&relays, "198.51.100.1").is_empty());
    // Who can't be reached is not suggested.
    office.reach.send_replace(crate::uplink::Reach::Lost(tokio::time::Instant::now()));
    assert_eq!(suggested(&relays, "203.0.113.7"), ["city"]);
}

#[test]
fn a_relay_is_behind_one_uplink_only_and_gone_with_it() {
    let relays = Relays::default();
    let (one, other) = (attach(&relays, 1, "one", &[]), attach(&relays, 2, "other", &[]));
    let leaf = relay("leaf");
    relays.know(&leaf, &identity("leaf", &["192.0.2.0/24"]));
    relays.put_behind(&one, &leaf).unwrap();
    assert!(relays.are_behind(one.uplink, &[relay("one"), leaf.clone()]));
    assert!(!relays.are_behind(other.uplink, std::slice::from_ref(&leaf)));
    relays.put_behind(&other, &leaf).unwrap();
    assert!(!relays.are_behind(one.uplink, std::slice::from_ref(&leaf)));
    assert_eq!(suggested(&relays, "192.0.2.1"), ["leaf"]);
    relays.end(other.uplink);
    assert!(relays.settings(&leaf).is_none() && suggested(&relays, "192.0.2.1").is_empty());
    assert!(relays.put_behind(&other, &leaf).is_err());
}

#[test]
fn a_relay_that_is_known_by_two_ways_has_the_newer_only() {
    let relays = Relays::default();
    let (office, leaf) = (attach(&relays, 1, "office", &[]), attach(&relays, 2, "leaf", &[]));
    // Nothing is over for one that can't be put there.
    let stranger = Child::new(UplinkId(9), relay("stranger"), RelaySettings::default()).unwrap();
    assert!(relays.put_behind(&Arc::new(stranger), &leaf.relay).is_err() && !leaf.is_over());
    assert_eq!(relays.put_behind(&office, &leaf.relay).ok(), Some(true));
    assert!(leaf.is_over() && !office.is_over());
    assert_eq!(relays.put_behind(&office, &leaf.relay).ok(), Some(false));
    assert!(!relays.are_behind(leaf.uplink, std::slice::from_ref(&leaf.relay)));
    // Until its end is known it is looked up, and both ways are known.
    assert_eq!(relays.all(), HashSet::from([relay("office"), relay("leaf")]));
    let by = relays.behind_which(&leaf.relay);
    assert_eq!(by.iter().map(|child| child.uplink).collect::<Vec<_>>(), [office.uplink]);
    assert!(relays.behind_which(&office.relay).is_empty());
    let own = relays.forget(&leaf.relay);
    assert!(relays.behind_which(&leaf.relay).is_empty());
    assert_eq!(own.iter().map(|child| child.uplink).collect::<Vec<_>>(), [leaf.uplink]);
    assert!(!relays.are_behind(office.uplink, std::slice::from_ref(&leaf.relay)));
    // Again directly.
    let again = attach(&relays, 3, "leaf", &[]);
    assert!(relays.are_behind(again.uplink, std::slice::from_ref(&again.relay)));
}

#[tokio::test]
async fn a_relay_is_known_although_another_session_ends_while_it_is_being_let_in() {
    let relays = Relays::default();
    let other = attach(&relays, 1, "other", &[]);
    let settings = identity("office", &[]).settings.unwrap();
    relays.know(&relay("office"), &identity("office", &["192.0.2.0/24"]));
    relays.end(other.uplink);
    let child = Child::new(UplinkId(2), relay("office"), settings.clone()).unwrap();
    child.reach.send_replace(crate::uplink::Reach::Attached(1));
    assert!(relays.begin(&Arc::new(child)));
    assert_eq!(relays.settings(&relay("office")), Some(settings));
    // Its networks are asked for, at once.
    let incomplete = timeout(Duration::from_secs(5), relays.incomplete()).await;
    assert_eq!(incomplete.unwrap(), [relay("office")]);
    assert!(suggested(&relays, "192.0.2.1").is_empty());
    relays.know(&relay("office"), &identity("office", &["192.0.2.0/24"]));
    assert_eq!(suggested(&relays, "192.0.2.1"), ["office"]);
}

#[test]
fn a_session_that_was_replaced_before_it_began_takes_nothing_away() {
    let relays = Relays::default();
    let late = Child::new(UplinkId(1), relay("office"), RelaySettings::default()).unwrap();
    late.end(replaced());
    let newer = attach(&relays, 2, "office", &[]);
    assert!(!relays.begin(&Arc::new(late)));
    assert!(relays.are_behind(newer.uplink, std::slice::from_ref(&newer.relay)));
}

#[tokio::test(start_paused = true)]
async fn introductions_do_not_pile_up_for_a_relay() {
    let relays = Relays::default();
    let (silent, other) = (attach(&relays, 1, "silent", &[]), attach(&relays, 2, "other", &[]));
    let address = "192.0.2.1".parse().unwrap();
    let introduce = |id: &str| {
        let id = relay(id);
        let relays = &relays;
        async move { relays.introduce(&id, "x".repeat(16 << 10), address).await }
    };
    let count = INTRODUCTIONS_OF_UPLINK_MAX + 1;
    let all = futures_util::future::join_all((0..count).map(|_| introduce("silent")));
    let asked = async {
        tokio::task::yield_now().await;
        let waiting = relays.state().introductions.len();
        assert_eq!(waiting, INTRODUCTIONS_OF_UPLINK_MAX);
    };
    let (answers, ()) = tokio::join!(all, asked);
    assert!(answers.iter().all(|answer| *answer == Err(IntroductionError::NotNow)));
    // They are given up, and wait in its queue still: more come until that is too long.
    for _ in 0..count {
        futures_util::future::join_all((0..count).map(|_| introduce("silent"))).await;
    }
    assert!(!silent.is_over() && silent.queue.bytes() < 2 << 20);
    assert!(other.queue.is_empty());
}

#[tokio::test]
async fn only_the_relay_that_was_asked_answers_an_introduction() {
    let relays = Relays::default();
    let (asked, other) = (attach(&relays, 1, "asked", &[]), attach(&relays, 2, "other", &[]));
    let address = "192.0.2.1".parse().unwrap();
    let id = relay("asked");
    let introducing = relays.introduce(&id, "offer".to_owned(), address);
    let answering = async {
        tokio::task::yield_now().await;
        let answer = |sdp: &str| IntroductionAnswer {
            introduction_id: 1,
            sdp: sdp.to_owned(),
            reason: String::new(),
        };
        relays.introduced(other.uplink, answer("forged"));
        relays.introduced(asked.uplink, answer("answer"));
        // Once.
        relays.introduced(asked.uplink, answer("again"));
    };
    let (introduced, ()) = tokio::join!(introducing, answering);
    assert_eq!(introduced.as_deref(), Ok("answer"));
    let unknown = relays.introduce(&relay("nobody"), "offer".to_owned(), address).await;
    assert_eq!(unknown, Err(IntroductionError::Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_refuses_or_is_silent_is_not_waited_for() {
    let relays = Relays::default();
    let child = attach(&relays, 1, "silent", &[]);
    let id = relay("silent");
    let address = "192.0.2.1".parse().unwrap();
    let silent = relays.introduce(&id, "offer".to_owned(), address).await;
    assert_eq!(silent, Err(IntroductionError::NotNow));
    let refusing = async {
        tokio::task::yield_now().await;
        let refusal = IntroductionAnswer {
            introduction_id: 2,
            reason: "no".to_owned(),
            ..IntroductionAnswer::default()
        };
        relays.introduced(child.uplink, refusal);
    };
    let (refused, ()) = tokio::join!(relays.introduce(&id, "offer".to_owned(), address), refusing);
    assert_eq!(refused, Err(IntroductionError::NotNow));
    child.reach.send_replace(crate::uplink::Reach::Lost(tokio::time::Instant::now()));
    let lost = relays.introduce(&id, "offer".to_owned(), address).await;
    assert_eq!(lost, Err(IntroductionError::NotNow));
    assert!(relays.state().introductions.is_empty());
}
