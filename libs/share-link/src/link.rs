//! The link: `<public URL>#/m/<meeting id>/<secret>`, to which somebody may add `?relay=<relay id>`: pages
//! attach to that relay then, if they can.

use std::{fmt, str::FromStr};

use tributary_identifiers::MeetingId;
use url::Url;

use crate::{QrCode, QrError, ShareSecret};

/// The longest address of the web client, in bytes: a link with it still fits into a QR code that a
/// phone reads from a screen.
pub const PUBLIC_URL_LENGTH_MAX: usize = 256;

/// Where people find the web client, such as `https://meet.example.org/`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The address, normalised (WHATWG URL).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let url = Url::parse(text).map_err(|_| InvalidPublicUrl)?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let text = String::from(url);
        if !plain || text.len() > PUBLIC_URL_LENGTH_MAX {
            return Err(InvalidPublicUrl);
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = InvalidPublicUrl;

    fn try_from(text: String) -> Result<Self, InvalidPublicUrl> {
        text.parse()
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.0
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text can't be the web client's address; it is not repeated, as it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the public URL must be http:// or https:// with a host, at most {PUBLIC_URL_LENGTH_MAX} bytes, \
     without user, query and fragment"
)]
pub struct InvalidPublicUrl;

/// A meeting's link with the secret of a share.
#[derive(Clone, PartialEq, Eq)]
pub struct ShareLink {
    public_url: PublicUrl,
    meeting: MeetingId,
    secret: ShareSecret,
}

impl ShareLink {
    /// The link to `meeting` below the web client's address.
    #[must_use]
    pub fn new(public_url: &PublicUrl, meeting: MeetingId, secret: &ShareSecret) -> Self {
        Self { public_url: public_url.clone(), meeting, secret: secret.clone() }
    }

    /// The link's text. It holds the secret: keep it out of logs, errors and labels.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}#/m/{}/{}", self.public_url, self.meeting, self.secret.expose())
    }

    /// The web client's address.
    #[must_use]
    pub const fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// The meeting.
    #[must_use]
    pub const fn meeting(&self) -> MeetingId {
        self.meeting
    }

    /// The secret.
    #[must_use]
    pub const fn secret(&self) -> &ShareSecret {
        &self.secret
    }

    /// The link as a QR code.
    ///
    /// # Errors
    /// None that a link can cause: each is short enough for a code.
    pub fn qr_code(&self) -> Result<QrCode, QrError> {
        QrCode::new(self.expose().as_bytes())
    }
}

impl FromStr for ShareLink {
    type Err = NotAShareLink;

    /// Reads a link back; space around it is ignored, and so is which relay pages should attach to.
    fn from_str(text: &str) -> Result<Self, NotAShareLink> {
        let (public_url, fragment) = text.trim().split_once('#').ok_or(NotAShareLink)?;
        let place = fragment.strip_prefix("/m/").ok_or(NotAShareLink)?;
        let place = place.split_once('?').map_or(place, |(place, _)| place);
        let (meeting, secret) = place.split_once('/').ok_or(NotAShareLink)?;
        Ok(Self {
            public_url: public_url.parse().map_err(|_| NotAShareLink)?,
            meeting: meeting.parse().map_err(|_| NotAShareLink)?,
            secret: secret.parse().map_err(|_| NotAShareLink)?,
        })
    }
}

impl fmt::Debug for ShareLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareLink({}#/m/{}/<secret>)", self.public_url, self.meeting)
    }
}

/// The text is no link with a share's secret; it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a share link looks like https://host/#/m/<meeting id>/<secret>")]
pub struct NotAShareLink;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn public_url() -> impl Strategy<Value = PublicUrl> {
        "https?://[a-z]{1,20}(\\.[a-z]{2,10})?(:[1-9][0-9]{3})?(/[a-z0-9_-]{1,9}){0,3}/?"
            .prop_map(|url| url.parse().unwrap())
    }

    proptest! {
        #[test]
        fn a_link_gives_back_what_it_was_made_of(
            url in public_url(),
            meeting in 0..1_u64 << 63,
            secret: [u8; 16],
        ) {
            let meeting = MeetingId::try_from(meeting).unwrap();
            let link = ShareLink::new(&url, meeting, &ShareSecret::new(secret));
            let text = link.expose();
            prop_assert_eq!(&text.parse::<ShareLink>().unwrap(), &link);
            prop_assert_eq!(&format!(" {text}\n").parse::<ShareLink>().unwrap(), &link);
            prop_assert_eq!(&format!("{text}?relay=office-a").parse::<ShareLink>().unwrap(), &link);
            // Nothing of it reaches a server.
            let sent = Url::parse(&text).unwrap();
            prop_assert_eq!(&text[..url::Position::AfterQuery.of(&sent)], url.as_str());
            let shown = format!("{link:?}");
            prop_assert!(!shown.contains(&link.secret().expose()), "{}", shown);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(https?://h/)?#?(/m/)?[0-9]{0,20}/?.{0,24}") {
            if let Ok(link) = text.parse::<ShareLink>() {
                prop_assert_eq!(link.expose().parse::<ShareLink>().unwrap(), link);
            }
            let _ = text.parse::<PublicUrl>();
        }
    }

    /// Slicing by the parts of a parsed URL.
    trait Of {
        fn of(self, url: &Url) -> usize;
    }

    impl Of for url::Position {
        fn of(self, url: &Url) -> usize {
            url[..self].len()
        }
    }

    #[test]
    fn a_link_looks_like_this() {
        let url = "https://Meet.Example.org/talk".parse().unwrap();
        let meeting = MeetingId::try_from(1_234).unwrap();
        let link = ShareLink::new(&url, meeting, &ShareSecret::new([0; 16]));
        assert_eq!(link.expose(), "https://meet.example.org/talk#/m/1234/AAAAAAAAAAAAAAAAAAAAAA");
        let url = "https://meet.example.org".parse().unwrap();
        let link = ShareLink::new(&url, meeting, &ShareSecret::new([0; 16]));
        assert_eq!(link.expose(), "https://meet.example.org/#/m/1234/AAAAAAAAAAAAAAAAAAAAAA");
    }

    #[test]
    fn addresses_that_would_leak_or_break_a_link_are_refused() {
        let long = format!("https://h/{}", "a".repeat(PUBLIC_URL_LENGTH_MAX));
        for text in [
            "",
            "meet.example.org",
            "ftp://h/",
            "javascript:alert(1)",
            "https://",
            "https://user@h/",
            "https://user:canary@h/",
            "https://h/?q",
            "https://h/#f",
            &long,
        ] {
            let error = text.parse::<PublicUrl>().expect_err(text);
            assert!(!error.to_string().contains("canary"));
        }
        let json = serde_json::to_string(&"https://h".parse::<PublicUrl>().unwrap()).unwrap();
        assert_eq!(json, "\"https://h/\"");
        assert_eq!(serde_json::from_str::<PublicUrl>(&json).unwrap().as_str(), "https://h/");
        serde_json::from_str::<PublicUrl>("\"h\"").unwrap_err();
    }

    #[test]
    fn links_without_a_secret_or_with_more_than_one_are_refused() {
        for text in [
            "https://h/#/m/1234",
            "https://h/#/m/1234/",
            "https://h/#/m/1234/AAAAAAAAAAAAAAAAAAAAA",
            "https://h/#/m/1234/AAAAAAAAAAAAAAAAAAAAAA/",
            "https://h/#/m/01234/AAAAAAAAAAAAAAAAAAAAAA",
            "https://h/?x#/m/1234/AAAAAAAAAAAAAAAAAAAAAA",
            "https://h/#/n/1234/AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            text.parse::<ShareLink>().expect_err(text);
        }
    }
}
