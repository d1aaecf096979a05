//! Files that belong to a meeting: what they are called, and how many and how large they may be.

use std::{fmt, str::FromStr};

use tributary_identifiers::{AttachmentId, UserId};

use crate::{Caller, Subject, UnixMillis};

/// The longest file name, in characters: that of a [`Subject`], whose rule it follows.
pub const FILE_NAME_LENGTH_MAX: usize = crate::SUBJECT_LENGTH_MAX;

/// The longest media type, in bytes (RFC 6838 section 4.2 allows twice 127).
const MEDIA_TYPE_LENGTH_MAX: usize = 127;

/// A file's name: 1 to 200 characters, without path, without what a file system or a header line
/// takes for something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

/// The text can't be made a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a file name of 1 to {FILE_NAME_LENGTH_MAX} characters, without control characters"
)]
pub struct InvalidFileName;

impl FromStr for FileName {
    type Err = InvalidFileName;

    /// Cuts off the path, and replaces characters that Windows and quoted strings know otherwise.
    fn from_str(text: &str) -> Result<Self, InvalidFileName> {
        let name = text.rsplit(['/', '\\']).next().unwrap_or_default();
        // Windows does not keep dots and spaces at the end.
        let name = name.trim().trim_end_matches(['.', ' ']);
        let name = name.replace(['<', '>', ':', '"', '|', '?', '*'], "_");
        // The rule of texts that people see.
        let name = name.parse::<Subject>().map_err(|_| InvalidFileName)?;
        Ok(Self(name.into()))
    }
}

impl FileName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of file it is, such as `application/pdf`; in lower case and without parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType(String);

/// The text is no media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a media type such as application/pdf, or empty")]
pub struct InvalidMediaType;

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    /// Cuts off parameters; nothing at all is a file of unknown kind.
    fn from_str(text: &str) -> Result<Self, InvalidMediaType> {
        let kind = text.split(';').next().unwrap_or_default().trim();
        if kind.is_empty() {
            return Ok(Self("application/octet-stream".to_owned()));
        }
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_alphanumeric())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        match kind.split_once('/') {
            Some((kind_of, name))
                if kind.len() <= MEDIA_TYPE_LENGTH_MAX && is_name(kind_of) && is_name(name) =>
            {
                Ok(Self(kind.to_ascii_lowercase()))
            }
            _ => Err(InvalidMediaType),
        }
    }
}

impl MediaType {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file that belongs to a meeting. Its bytes are kept elsewhere, by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// Its name.
    pub name: FileName,
    /// What kind of file it is.
    pub media_type: MediaType,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Who attached it.
    pub by: UserId,
    /// When.
    pub at: UnixMillis,
}

/// How much may be attached to a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachmentLimits {
    /// The largest file, in bytes.
    pub bytes_max: u64,
    /// All files of a meeting together, in bytes.
    pub meeting_bytes_max: u64,
    /// How many files.
    pub count_max: u32,
}

/// A file is attached, by who is named in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attach {
    /// What.
    pub attachment: Attachment,
    /// What is allowed.
    pub limits: AttachmentLimits,
}

/// A file is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detach {
    /// Who does it.
    pub by: Caller,
    /// Which.
    pub attachment: AttachmentId,
}

/// How what is attached has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentsChange {
    /// How many files there are now.
    pub attachments: u32,
    /// What has been attached.
    pub added: Option<Attachment>,
    /// What has been taken away.
    pub removed: Option<AttachmentId>,
}
