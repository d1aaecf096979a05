//! The name of a file: 128 bits that say nothing.

/// Names a file. In text it has 32 hexadecimal digits in lower case, and cannot be anything that
/// means something to a file system or in a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u128);

/// Not a file's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a file id has 32 hexadecimal digits in lower case")]
pub struct InvalidFileId;

impl FileId {
    /// The id made of 16 random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    pub(crate) const fn number(self) -> u128 {
        self.0
    }
}

impl std::fmt::Display for FileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::str::FromStr for FileId {
    type Err = InvalidFileId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !digits {
            return Err(InvalidFileId);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| InvalidFileId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_text() {
        for bytes in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            let id = FileId::from_random(bytes);
            assert_eq!(id.to_string().len(), 32);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn nothing_else_is_an_id() {
        let long = "a".repeat(33);
        for text in [
            "",
            "..",
            "../../../../../../etc/passwd-----",
            "A0000000000000000000000000000000",
            "+0000000000000000000000000000000",
            &long,
        ] {
            assert_eq!(text.parse::<FileId>(), Err(InvalidFileId), "{text}");
        }
    }
}
