//! The words that go with a link: as plain text, as the lines of a message.

use std::str::FromStr;

use tributary_shown_text::{DisplayName, Subject};

use crate::{MeetingTime, ShareLink, page};

/// The language of an invitation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`
    #[default]
    English,
    /// `zh-CN`
    Chinese,
}

impl Language {
    /// As BCP 47 writes it.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

impl FromStr for Language {
    type Err = InvalidLanguage;

    /// Reads `en` or `zh-CN`; nothing at all is `en`.
    fn from_str(text: &str) -> Result<Self, InvalidLanguage> {
        match text {
            "" | "en" => Ok(Self::English),
            "zh-CN" => Ok(Self::Chinese),
            _ => Err(InvalidLanguage),
        }
    }
}

/// The language is not one of those that invitations are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the language must be en or zh-CN")]
pub struct InvalidLanguage;

/// All that an invitation says. What it gives out holds the link and with it the secret.
#[derive(Clone, Debug)]
pub struct Invitation<'a> {
    /// What the meeting is about.
    pub subject: &'a Subject,
    /// The name of who invites.
    pub organiser: &'a DisplayName,
    /// When it begins; none if it is not scheduled.
    pub starts_at: Option<MeetingTime>,
    /// When the link ends by itself; none if it does not.
    pub expires_at: Option<MeetingTime>,
    /// The link.
    pub link: &'a ShareLink,
}

/// The words of one language.
pub(crate) struct Words {
    pub opening: String,
    /// Labels and what they label, without the link.
    pub facts: Vec<(&'static str, String)>,
    pub link_label: &'static str,
    pub colon: &'static str,
    pub advice: Vec<String>,
    pub qr_alternative: &'static str,
}

impl Invitation<'_> {
    /// The subject line of a message.
    #[must_use]
    pub fn title(&self, language: Language) -> String {
        match language {
            Language::English => format!("Invitation: {}", self.subject),
            Language::Chinese => format!("会议邀请：{}", self.subject),
        }
    }

    /// Plain text, some lines; the link stands on a line of its own.
    #[must_use]
    pub fn plain_text(&self, language: Language) -> String {
        let words = self.words(language);
        let colon = words.colon;
        let mut lines = vec![words.opening, String::new()];
        lines.extend(words.facts.iter().map(|(label, fact)| format!("{label}{colon}{fact}")));
        lines.extend([String::new(), format!("{}{}", words.link_label, colon.trim_end())]);
        lines.extend([self.link.expose(), String::new()]);
        lines.extend(words.advice);
        lines.push(String::new());
        lines.join("\n")
    }

    /// The same as an HTML page without scripts and references to elsewhere, for the alternative
    /// part of a message. With `qr_content_id` the page shows the image that the message carries
    /// under this Content-ID (RFC 2392).
    #[must_use]
    pub fn html(&self, language: Language, qr_content_id: Option<&str>) -> String {
        page::html(&self.words(language), &self.link.expose(), language, qr_content_id)
    }

    fn words(&self, language: Language) -> Words {
        match language {
            Language::English => self.english(),
            Language::Chinese => self.chinese(),
        }
    }

    fn english(&self) -> Words {
        let organiser = self.organiser;
        let mut facts = vec![("Subject", self.subject.to_string())];
        if let Some(time) = self.starts_at {
            facts.push(("Time", time.words(Language::English)));
        }
        facts.push(("Meeting id", self.link.meeting().to_string()));
        let mut advice = vec![
            "Open the link in a browser to join. Pass it on only to whom the meeting is meant for."
                .to_owned(),
            format!("If the meeting asks for a password, {organiser} tells you."),
        ];
        if let Some(time) = self.expires_at {
            advice.push(format!("The link holds until {}.", time.words(Language::English)));
        }
        Words {
            opening: format!("{organiser} invites you to a meeting."),
            facts,
            link_label: "Link",
            colon: ": ",
            advice,
            qr_alternative: "The link as a QR code",
        }
    }

    fn chinese(&self) -> Words {
        let organiser = self.organiser;
        let mut facts = vec![("主题", self.subject.to_string())];
        if let Some(time) = self.starts_at {
            facts.push(("时间", time.words(Language::Chinese)));
        }
        facts.push(("会议号", self.link.meeting().to_string()));
        let mut advice = vec![
            "在浏览器中打开链接即可加入会议。请勿将链接转发给无关人员。".to_owned(),
            format!("如果会议需要密码，请向{organiser}索取。"),
        ];
        if let Some(time) = self.expires_at {
            advice.push(format!("链接有效期至{}。", time.words(Language::Chinese)));
        }
        Words {
            opening: format!("{organiser}邀请您参加会议。"),
            facts,
            link_label: "链接",
            colon: "：",
            advice,
            qr_alternative: "链接的二维码",
        }
    }
}
