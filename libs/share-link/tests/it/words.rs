//! Invitations in both languages, as text and as page.

use proptest::prelude::*;
use tributary_share_link::{InvalidLanguage, Invitation, Language, MeetingTime, ShareLink};
use tributary_shown_text::{DisplayName, Subject};

use crate::link;

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

fn with_invitation<T>(
    subject: &str,
    organiser: &str,
    link: &ShareLink,
    then: impl FnOnce(&Invitation<'_>) -> T,
) -> T {
    let subject: Subject = subject.parse().unwrap();
    let organiser: DisplayName = organiser.parse().unwrap();
    then(&Invitation {
        subject: &subject,
        organiser: &organiser,
        starts_at: Some(MeetingTime::new(1_898_922_600, 480).unwrap()),
        expires_at: Some(MeetingTime::new(1_899_000_000, 0).unwrap()),
        link,
    })
}

#[test]
fn in_english() {
    let link = link([0; 16]);
    let text = with_invitation("Plans", "Ada", &link, |i| i.plain_text(Language::English));
    let expected = "\
Ada invites you to a meeting.

Subject: Plans
Time: 2030-03-05 Tuesday 14:30 (UTC+08:00), 2030-03-05 Tuesday 06:30 (UTC)
Meeting id: 1234567890123456789

Link:
https://meet.example.org/talk/#/m/1234567890123456789/AAAAAAAAAAAAAAAAAAAAAA

Open the link in a browser to join. Pass it on only to whom the meeting is meant for.
If the meeting asks for a password, Ada tells you.
The link holds until 2030-03-06 Wednesday 04:00 (UTC).
";
    assert_eq!(text, expected);
    let title = with_invitation("Plans", "Ada", &link, |i| i.title(Language::English));
    assert_eq!(title, "Invitation: Plans");
}

#[test]
fn in_chinese() {
    let link = link([0; 16]);
    let text = with_invitation("计划", "李雷", &link, |i| i.plain_text(Language::Chinese));
    let expected = "\
李雷邀请您参加会议。

主题：计划
时间：2030-03-05 星期二 14:30（UTC+08:00），2030-03-05 星期二 06:30（UTC）
会议号：1234567890123456789

链接：
https://meet.example.org/talk/#/m/1234567890123456789/AAAAAAAAAAAAAAAAAAAAAA

在浏览器中打开链接即可加入会议。请勿将链接转发给无关人员。
如果会议需要密码，请向李雷索取。
链接有效期至2030-03-06 星期三 04:00（UTC）。
";
    assert_eq!(text, expected);
    let title = with_invitation("计划", "李雷", &link, |i| i.title(Language::Chinese));
    assert_eq!(title, "会议邀请：计划");
}

#[test]
fn what_is_not_known_is_not_mentioned() {
    let link = link([0; 16]);
    let (subject, organiser) = ("Plans".parse().unwrap(), "Ada".parse().unwrap());
    let invitation = Invitation {
        subject: &subject,
        organiser: &organiser,
        starts_at: None,
        expires_at: None,
        link: &link,
    };
    let english = invitation.plain_text(Language::English);
    assert!(!english.contains("Time") && !english.contains("until"), "{english}");
    let chinese = invitation.plain_text(Language::Chinese);
    assert!(!chinese.contains("时间") && !chinese.contains("有效期"), "{chinese}");
    assert!(!invitation.html(Language::English, None).contains("<img"));
    assert!(!format!("{invitation:?}").contains(&link.secret().expose()));
}

#[test]
fn languages_are_read_by_their_tags() {
    for language in LANGUAGES {
        assert_eq!(language.tag().parse(), Ok(language));
    }
    assert_eq!("".parse(), Ok(Language::English));
    for text in ["EN", "de", "zh", "zh-cn", "en "] {
        assert_eq!(text.parse::<Language>(), Err(InvalidLanguage), "{text}");
    }
}

proptest! {
    /// Whatever subject and name say, text and page have the same lines and tags.
    #[test]
    fn subject_and_name_are_nothing_but_text(
        subject in "[<>&\"'a-z/=中 -]{1,40}",
        organiser in "[<>&\"'a-z/=文 -]{1,40}",
        secret: [u8; 16],
    ) {
        prop_assume!(!subject.trim().is_empty() && !organiser.trim().is_empty());
        let link = link(secret);
        for language in LANGUAGES {
            let made = |subject: &str, organiser: &str| {
                with_invitation(subject, organiser, &link, |invitation| {
                    (invitation.plain_text(language), invitation.html(language, Some("qr@h")))
                })
            };
            let (text, page) = made(&subject, &organiser);
            let (plain_text, plain_page) = made("s", "o");
            prop_assert_eq!(text.lines().count(), plain_text.lines().count());
            prop_assert!(text.lines().any(|line| line == link.expose()));
            prop_assert!(text.contains(subject.trim()) && text.contains(organiser.trim()));
            for mark in ['<', '>', '"', '\''] {
                let expected = plain_page.matches(mark).count();
                prop_assert_eq!(page.matches(mark).count(), expected, "{}", page);
            }
            let href = format!("<a href=\"{0}\">{0}</a>", link.expose());
            prop_assert!(page.contains(&href) && page.contains("src=\"cid:qr@h\""));
        }
    }
}
