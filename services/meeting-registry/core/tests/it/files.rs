//! What may be attached, by whom, and how it is called.

use proptest::prelude::*;
use tributary_meeting_registry_core::{
    Attach, Attachment, AttachmentLimits, Caller, Command, Detach, FileName, Happening, MediaType,
    Refusal, Role, State,
};

use crate::{NOW, by, new_meeting, user};

const LIMITS: AttachmentLimits =
    AttachmentLimits { bytes_max: 100, meeting_bytes_max: 250, count_max: 4 };

fn state() -> State {
    new_meeting().with_members([(user("bob"), Role::Member), (user("cleo"), Role::Host)])
}

fn attach(id: &str, by: &str, size: u64) -> Command {
    let attachment = Attachment {
        id: id.parse().unwrap(),
        name: "plan.pdf".parse().unwrap(),
        media_type: "application/pdf".parse().unwrap(),
        size,
        sha256: [7; 32],
        by: user(by),
        at: NOW,
    };
    Command::Attach(Attach { attachment, limits: LIMITS })
}

fn detach(id: &str, by: Caller) -> Command {
    Command::Detach(Detach { by, attachment: id.parse().unwrap() })
}

#[test]
fn members_attach_within_the_limits() {
    let mut state = state();
    assert_eq!(state.apply(attach("x", "eve", 1), NOW), Err(Refusal::NotMember));
    assert_eq!(state.apply(attach("x", "bob", 101), NOW), Err(Refusal::AttachmentTooLarge(100)));
    let events = state.apply(attach("a", "bob", 100), NOW).unwrap();
    let Happening::AttachmentsChanged(change) = &events[0].what else { panic!("{events:?}") };
    assert_eq!((change.attachments, change.added.is_some()), (1, true));
    state.apply(attach("b", "ann", 100), NOW).unwrap();
    assert_eq!(state.apply(attach("c", "ann", 51), NOW), Err(Refusal::AttachmentsTooLarge(250)));
    state.apply(attach("c", "ann", 50), NOW).unwrap();
    state.apply(attach("d", "ann", 0), NOW).unwrap();
    assert_eq!(state.apply(attach("e", "ann", 0), NOW), Err(Refusal::TooManyAttachments(4)));
    assert_eq!((state.counters().attachments, state.counters().attachment_bytes), (4, 250));
    state.apply(detach("a", by("bob")), NOW).unwrap();
    assert_eq!((state.counters().attachments, state.counters().attachment_bytes), (3, 150));
    state.apply(attach("e", "ann", 100), NOW).unwrap();
}

#[test]
fn a_file_is_taken_away_by_who_attached_it_or_who_runs_the_meeting() {
    for (caller, expected) in [
        (by("bob"), Ok(1)),
        (by("ann"), Ok(1)),
        (by("cleo"), Ok(1)),
        (Caller::Platform, Ok(1)),
        (by("dan"), Err(Refusal::NotAttacher)),
        (by("eve"), Err(Refusal::NotAttacher)),
    ] {
        let mut state = state().with_members([(user("dan"), Role::Member)]);
        state.apply(attach("a", "bob", 1), NOW).unwrap();
        let outcome = state.apply(detach("a", caller.clone()), NOW).map(|events| events.len());
        assert_eq!(outcome, expected, "{caller:?}");
        let there = state.attachments().len();
        assert_eq!(there, usize::from(expected.is_err()), "{caller:?}");
    }
}

#[test]
fn who_is_nobody_here_is_not_told_what_is_attached() {
    let mut state = state();
    state.apply(attach("a", "bob", 1), NOW).unwrap();
    for id in ["a", "b"] {
        assert_eq!(state.apply(detach(id, by("eve")), NOW), Err(Refusal::NotAttacher), "{id}");
    }
    assert_eq!(state.apply(detach("b", by("bob")), NOW), Err(Refusal::NoSuchAttachment));
}

#[test]
fn files_can_be_taken_away_after_the_end() {
    let mut state = state();
    state.apply(attach("a", "bob", 1), NOW).unwrap();
    state.apply(Command::End, NOW).unwrap();
    assert_eq!(state.apply(detach("a", by("bob")), NOW).unwrap().len(), 1);
}

#[test]
fn file_names_lose_their_path_and_what_systems_know_otherwise() {
    for (text, expected) in [
        ("plan.pdf", "plan.pdf"),
        (" 季度 Zahlen.xlsx ", "季度 Zahlen.xlsx"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\ann\\plan.pdf", "plan.pdf"),
        ("../../plan.pdf", "plan.pdf"),
        (".profile", ".profile"),
        ("plan.pdf. .", "plan.pdf"),
        ("a\"b?c*.txt", "a_b_c_.txt"),
    ] {
        assert_eq!(text.parse::<FileName>().unwrap().as_str(), expected);
    }
    let long = "x".repeat(201);
    for text in ["", " ", ".", "..", "a/", "a/..", "a\nb", "a\u{202e}fdp.exe", "a\0", &long] {
        assert!(text.parse::<FileName>().is_err(), "{text:?}");
    }
}

#[test]
fn media_types_are_a_type_and_a_subtype() {
    for (text, expected) in [
        ("application/pdf", "application/pdf"),
        ("", "application/octet-stream"),
        ("Text/HTML; charset=utf-8", "text/html"),
        ("image/svg+xml", "image/svg+xml"),
    ] {
        assert_eq!(text.parse::<MediaType>().unwrap().as_str(), expected);
    }
    let long = format!("a/{}", "x".repeat(126));
    for text in ["pdf", "a/b/c", "/b", "a/", "a b/c", "a/b\r\nx: y", "ä/b", &long] {
        assert!(text.parse::<MediaType>().is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_name_is_refused_or_harmless_for_good(text: String) {
        if let Ok(name) = text.parse::<FileName>() {
            let name = name.as_str();
            prop_assert!(!name.contains(['/', '\\', '"', '\n', '\r', '\0']) && name != "..");
            prop_assert!((1..=200).contains(&name.chars().count()));
            let again = name.parse::<FileName>().unwrap();
            prop_assert_eq!(again.as_str(), name);
        }
        if let Ok(media_type) = text.parse::<MediaType>() {
            let again = media_type.as_str().parse::<MediaType>().unwrap();
            prop_assert_eq!(again, media_type);
        }
    }

    #[test]
    fn count_and_bytes_are_those_of_what_is_attached(
        acts in prop::collection::vec((0..6u8, any::<bool>(), 0..120u64), 1..60),
    ) {
        let mut state = state();
        for (number, (file, adds, size)) in acts.into_iter().enumerate() {
            let command = if adds {
                attach(&format!("file-{number}"), "bob", size)
            } else {
                let ids: Vec<_> = state.attachments().map(|one| one.id.to_string()).collect();
                let id = ids.get(usize::from(file)).map_or("none", String::as_str);
                detach(id, by("ann"))
            };
            let before = state.clone();
            if state.apply(command, NOW).is_err() {
                prop_assert_eq!(&state, &before);
            }
            let sizes: Vec<_> = state.attachments().map(|one| one.size).collect();
            prop_assert_eq!(state.counters().attachments as usize, sizes.len());
            prop_assert_eq!(state.counters().attachment_bytes, sizes.iter().sum::<u64>());
            prop_assert!(sizes.len() <= 4 && sizes.iter().sum::<u64>() <= 250);
        }
    }
}
