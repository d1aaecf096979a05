//! A message, and how it becomes MIME (RFC 2045 to 2049).

use std::fmt;

use lettre::{
    Message as Mail,
    message::{
        Attachment, Mailbox, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0},
    },
};

use crate::EmailAddress;

/// The longest subject, in bytes.
pub const SUBJECT_LENGTH_MAX: usize = 1_000;

/// The longest text and the longest page, in bytes.
pub const BODY_LENGTH_MAX: usize = 64 * 1024;

/// The largest image, in bytes.
pub const IMAGE_LENGTH_MAX: usize = 512 * 1024;

/// The longest Content-ID and the longest name of a file, in bytes.
const NAME_LENGTH_MAX: usize = 64;

/// A message to one person.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// To whom.
    pub to: EmailAddress,
    /// One line, at most [`SUBJECT_LENGTH_MAX`] bytes.
    pub subject: String,
    /// Plain text, at most [`BODY_LENGTH_MAX`] bytes.
    pub text: String,
    /// The same as an HTML page, which mail programs prefer; at most [`BODY_LENGTH_MAX`] bytes.
    pub html: Option<String>,
    /// An image that the page shows.
    pub image: Option<InlineImage>,
}

impl fmt::Debug for Message {
    /// Invitations hold secrets: neither text nor page nor image shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("to", &self.to).finish_non_exhaustive()
    }
}

/// A PNG image within a message.
#[derive(Clone, PartialEq, Eq)]
pub struct InlineImage {
    /// What the page calls it, in `cid:…` (RFC 2392): 1 to 64 of the characters a-z, A-Z, 0-9, `-`,
    /// `_`, `.` and `@`.
    pub content_id: String,
    /// What it is called when it is saved; the same characters.
    pub file_name: String,
    /// The PNG file, at most [`IMAGE_LENGTH_MAX`] bytes.
    pub png: Vec<u8>,
}

impl fmt::Debug for InlineImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InlineImage({}, {} bytes)", self.content_id, self.png.len())
    }
}

/// Why something is no message. What it holds is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// The subject could end its header, or is too long or empty.
    #[error("a subject must be one line of 1 to {SUBJECT_LENGTH_MAX} bytes")]
    Subject,
    /// Text or page is too long.
    #[error("text and page of a message must have at most {BODY_LENGTH_MAX} bytes each")]
    Body,
    /// The image is none, or too large, or badly named.
    #[error("an image must be a PNG of at most {IMAGE_LENGTH_MAX} bytes, with plain names")]
    Image,
    /// An image without a page that shows it.
    #[error("an image needs a page that shows it")]
    ImageAlone,
    /// The parts do not make a message.
    #[error("the message can't be written")]
    Parts,
}

impl Message {
    /// # Errors
    /// If a part of the message is not as its field says.
    pub(crate) fn check(&self) -> Result<(), InvalidMessage> {
        let subject = self.subject.trim();
        if subject.is_empty()
            || self.subject.len() > SUBJECT_LENGTH_MAX
            || self.subject.chars().any(ends_a_line)
        {
            return Err(InvalidMessage::Subject);
        }
        let page = self.html.as_ref().map_or(0, String::len);
        if self.text.len() > BODY_LENGTH_MAX || page > BODY_LENGTH_MAX {
            return Err(InvalidMessage::Body);
        }
        let Some(image) = &self.image else { return Ok(()) };
        if !is_plain_name(&image.content_id)
            || !is_plain_name(&image.file_name)
            || image.png.len() > IMAGE_LENGTH_MAX
            || !image.png.starts_with(PNG_SIGNATURE)
        {
            return Err(InvalidMessage::Image);
        }
        if self.html.is_none() {
            return Err(InvalidMessage::ImageAlone);
        }
        Ok(())
    }

    /// Puts the message together: text, or text and page as alternatives, the page with its image.
    pub(crate) fn assemble(&self, from: &Mailbox, id: String) -> Result<Mail, InvalidMessage> {
        self.check()?;
        let to = self.to.to_lettre().map_err(|_| InvalidMessage::Parts)?;
        let mut mail = Mail::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(self.subject.trim())
            .message_id(Some(id))
            .header(MIME_VERSION_1_0);
        // No absence notes in answer to a machine (RFC 3834).
        let name = HeaderName::new_from_ascii("Auto-Submitted".into());
        let name = name.map_err(|_| InvalidMessage::Parts)?;
        mail = mail.raw_header(HeaderValue::new(name, "auto-generated".into()));
        let text = SinglePart::plain(self.text.clone());
        let mail = match (&self.html, &self.image) {
            (None, _) => mail.singlepart(text),
            (Some(html), None) => mail.multipart(
                MultiPart::alternative()
                    .singlepart(text)
                    .singlepart(SinglePart::html(html.clone())),
            ),
            (Some(html), Some(image)) => {
                let page = MultiPart::related()
                    .singlepart(SinglePart::html(html.clone()))
                    .singlepart(image.part()?);
                mail.multipart(MultiPart::alternative().singlepart(text).multipart(page))
            }
        };
        mail.map_err(|_| InvalidMessage::Parts)
    }
}

impl InlineImage {
    fn part(&self) -> Result<SinglePart, InvalidMessage> {
        let png = ContentType::parse("image/png").map_err(|_| InvalidMessage::Parts)?;
        Ok(Attachment::new_inline_with_name(self.content_id.clone(), self.file_name.clone())
            .body(self.png.clone(), png))
    }
}

/// How every PNG file begins (RFC 2083).
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

fn ends_a_line(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    !name.is_empty() && name.len() <= NAME_LENGTH_MAX && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(subject: &str, text: &str, html: Option<&str>) -> Message {
        Message {
            to: "ada@example.org".parse().unwrap(),
            subject: subject.into(),
            text: text.into(),
            html: html.map(Into::into),
            image: None,
        }
    }

    fn image(content_id: &str, file_name: &str, png: &[u8]) -> InlineImage {
        InlineImage { content_id: content_id.into(), file_name: file_name.into(), png: png.into() }
    }

    #[test]
    fn messages_that_are_none_are_refused() {
        let long = "x".repeat(BODY_LENGTH_MAX + 1);
        for subject in
            ["", " ", "a\r\nBcc: eve@example.org", "a\n", "a\rb", "a\u{2028}b", "a\0", &long]
        {
            assert_eq!(message(subject, "", None).check(), Err(InvalidMessage::Subject));
        }
        assert_eq!(message("s", &long, None).check(), Err(InvalidMessage::Body));
        assert_eq!(message("s", "", Some(&long)).check(), Err(InvalidMessage::Body));
        message(&"s".repeat(SUBJECT_LENGTH_MAX), &long[1..], Some(&long[1..])).check().unwrap();
        let large = [PNG_SIGNATURE, &vec![0; IMAGE_LENGTH_MAX]].concat();
        for bad in [
            image("", "qr.png", PNG_SIGNATURE),
            image("qr>\r\nX: y", "qr.png", PNG_SIGNATURE),
            image("qr", "q\"r.png", PNG_SIGNATURE),
            image("qr", &"q".repeat(NAME_LENGTH_MAX + 1), PNG_SIGNATURE),
            image("qr", "qr.png", b"<svg>"),
            image("qr", "qr.png", &large),
        ] {
            let message = Message { image: Some(bad), ..message("s", "", Some("")) };
            assert_eq!(message.check(), Err(InvalidMessage::Image));
        }
        let alone = image("qr", "qr.png", PNG_SIGNATURE);
        let alone = Message { image: Some(alone), ..message("s", "", None) };
        assert_eq!(alone.check(), Err(InvalidMessage::ImageAlone));
    }

    #[test]
    fn nothing_secret_shows() {
        let png = [PNG_SIGNATURE, b"canary"].concat();
        let message = Message {
            image: Some(image("qr", "qr.png", &png)),
            ..message("canary", "canary", Some("canary"))
        };
        assert!(!format!("{message:?} {:?}", message.image).contains("canary"));
    }

    proptest! {
        /// Whatever the fields say, the message has the headers that it is to have, each once, and
        /// one recipient.
        #[test]
        fn no_content_becomes_a_header(
            subject in "([A-Za-z]{1,12}: |\r\n|[\\PC]{0,80}|=\\?utf-8\\?q\\?=0D=0A\\?=){1,5}",
            text in "(Bcc: eve@h|\r\n|\n|\\.|[\\PC]{0,40}){0,9}",
            html: Option<String>,
            sender in "[A-Za-z,;:<>()@\"\\\\ é中]{0,60}",
        ) {
            let email = "no-reply@example.org".parse().unwrap();
            let from = Mailbox::new(Some(sender), email);
            let message = message(&subject, &text, html.as_deref());
            let Ok(mail) = message.assemble(&from, "<id@example.org>".into()) else {
                prop_assert!(message.check().is_err());
                return Ok(());
            };
            prop_assert_eq!(mail.envelope().to().len(), 1);
            let bytes = mail.formatted();
            let wire = String::from_utf8(bytes).unwrap();
            prop_assert!(wire.is_ascii());
            prop_assert!(!wire.replace("\r\n", "").contains(['\r', '\n']));
            let (head, _) = wire.split_once("\r\n\r\n").unwrap();
            let folded = |line: &&str| !line.starts_with([' ', '\t']);
            let mut names: Vec<&str> = head
                .split("\r\n")
                .filter(folded)
                .map(|line| line.split(':').next().unwrap())
                .collect();
            names.sort_unstable();
            let mut expected = vec![
                "Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID",
                "Subject", "To",
            ];
            if message.html.is_none() {
                expected.push("Content-Transfer-Encoding");
                expected.sort_unstable();
            }
            prop_assert_eq!(names, expected);
        }
    }
}
