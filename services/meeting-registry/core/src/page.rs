//! Pages of the list of meetings, newest first, and of a member list, by user id. A page token says
//! after whom or what to go on, so that it stays good while meetings and members come and go.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tributary_identifiers::{MeetingId, ParticipantId, UserId};

use crate::UnixMillis;

/// The size of a page if none is asked for.
pub const PAGE_SIZE_DEFAULT: u32 = 50;

/// The largest page.
pub const PAGE_SIZE_MAX: u32 = 500;

/// The place of a meeting in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When it was created.
    pub created_at: UnixMillis,
    /// Which it is, among those created at the same time.
    pub id: MeetingId,
}

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// At most so many, 1 to [`PAGE_SIZE_MAX`].
    pub size: u32,
    /// Meetings after this one; from the newest if absent.
    pub after: Option<Cursor>,
}

/// The request asks for no page that could exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPage {
    /// Below zero.
    #[error("must not be negative")]
    Size,
    /// Not from an answer.
    #[error("must be the next_page_token of an answer, or empty")]
    Token,
}

impl InvalidPage {
    /// The field of the request.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Size => "page_size",
            Self::Token => "page_token",
        }
    }
}

impl PageRequest {
    /// Reads a request: size 0 means the default, a size above the largest means the largest, an
    /// empty token means the start.
    ///
    /// # Errors
    /// The size is negative, or the token is not one that [`page_token`] made.
    pub fn read(size: i32, token: &str) -> Result<Self, InvalidPage> {
        let size = read_size(size, PAGE_SIZE_DEFAULT)?;
        let after = if token.is_empty() { None } else { Some(read_token(token)?) };
        Ok(Self { size, after })
    }
}

/// Which page of a member list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPageRequest {
    /// At most so many, 1 to [`PAGE_SIZE_MAX`].
    pub size: u32,
    /// Members after this one; from the first if absent.
    pub after: Option<UserId>,
}

impl MemberPageRequest {
    /// Reads a request: size 0 means `default`, a size above the largest means the largest, an empty
    /// token means the start.
    ///
    /// # Errors
    /// The size is negative, or the token is not one that [`member_page_token`] made.
    pub fn read(size: i32, default: u32, token: &str) -> Result<Self, InvalidPage> {
        let size = read_size(size, default)?;
        if token.is_empty() {
            return Ok(Self { size, after: None });
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidPage::Token)?;
        let user = str::from_utf8(&bytes).map_err(|_| InvalidPage::Token)?;
        Ok(Self { size, after: Some(user.parse().map_err(|_| InvalidPage::Token)?) })
    }
}

/// Which page of an attendance report is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttendancePageRequest {
    /// At most so many, 1 to [`PAGE_SIZE_MAX`].
    pub size: u32,
    /// Participants after this one; from the first if absent.
    pub after: Option<ParticipantId>,
}

impl AttendancePageRequest {
    /// Reads a request: size 0 means the default, a size above the largest means the largest, an
    /// empty token means the start.
    ///
    /// # Errors
    /// The size is negative, or the token is not one that [`attendance_page_token`] made.
    pub fn read(size: i32, token: &str) -> Result<Self, InvalidPage> {
        let size = read_size(size, PAGE_SIZE_DEFAULT)?;
        if token.is_empty() {
            return Ok(Self { size, after: None });
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidPage::Token)?;
        let bytes = <[u8; 4]>::try_from(bytes).map_err(|_| InvalidPage::Token)?;
        Ok(Self { size, after: Some(ParticipantId(u32::from_be_bytes(bytes))) })
    }
}

/// The token of the page after the one that ends with `last`.
#[must_use]
pub fn attendance_page_token(last: ParticipantId) -> String {
    URL_SAFE_NO_PAD.encode(last.0.to_be_bytes())
}

/// The token of the page after the one that ends with `last`.
#[must_use]
pub fn member_page_token(last: &UserId) -> String {
    URL_SAFE_NO_PAD.encode(last.as_str())
}

fn read_size(size: i32, default: u32) -> Result<u32, InvalidPage> {
    match u32::try_from(size).map_err(|_| InvalidPage::Size)? {
        0 => Ok(default),
        size => Ok(size.min(PAGE_SIZE_MAX)),
    }
}

/// The token of the page after the one that ends with `last`.
#[must_use]
pub fn page_token(last: Cursor) -> String {
    let mut bytes = [0; 16];
    let (time, id) = bytes.split_at_mut(8);
    time.copy_from_slice(&last.created_at.to_be_bytes());
    id.copy_from_slice(&last.id.to_u64().to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_token(token: &str) -> Result<Cursor, InvalidPage> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidPage::Token)?;
    let (time, id) = bytes.split_first_chunk::<8>().ok_or(InvalidPage::Token)?;
    let id: &[u8; 8] = id.try_into().map_err(|_| InvalidPage::Token)?;
    let created_at = u64::from_be_bytes(*time);
    // A database counts in signed numbers.
    i64::try_from(created_at).map_err(|_| InvalidPage::Token)?;
    let id = MeetingId::try_from(u64::from_be_bytes(*id)).map_err(|_| InvalidPage::Token)?;
    Ok(Cursor { created_at, id })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_kept_in_bounds() {
        let check = |size, expected| {
            assert_eq!(PageRequest::read(size, "").map(|page| page.size), expected, "{size}");
        };
        check(0, Ok(50));
        check(1, Ok(1));
        check(500, Ok(500));
        check(i32::MAX, Ok(500));
        check(-1, Err(InvalidPage::Size));
    }

    #[test]
    fn tokens_that_no_answer_had_are_refused() {
        for token in ["!", "QQ", "AAAA", &"A".repeat(64), &"_".repeat(22)] {
            assert_eq!(PageRequest::read(0, token), Err(InvalidPage::Token), "{token}");
        }
    }

    proptest! {
        #[test]
        fn a_token_leads_on_after_its_meeting(time in 0..1u64 << 63, id in 0..1u64 << 63) {
            let last = Cursor { created_at: time, id: MeetingId::try_from(id).unwrap() };
            let page = PageRequest::read(0, &page_token(last)).unwrap();
            prop_assert_eq!(page.after, Some(last));
        }

        #[test]
        fn a_token_of_somebodys_own_making_is_read_or_refused_without_panic(token: String) {
            let _ = PageRequest::read(0, &token);
            let _ = MemberPageRequest::read(0, 500, &token);
            let _ = AttendancePageRequest::read(0, &token);
        }

        #[test]
        fn a_token_leads_on_after_its_participant(id: u32) {
            let token = attendance_page_token(ParticipantId(id));
            let page = AttendancePageRequest::read(0, &token).unwrap();
            prop_assert_eq!(page.after, Some(ParticipantId(id)));
        }

        #[test]
        fn a_token_leads_on_after_its_member(user in "[a-zA-Z0-9_-]{1,64}", size in 0..1_000i32) {
            let last: UserId = user.parse().unwrap();
            let page = MemberPageRequest::read(size, 500, &member_page_token(&last)).unwrap();
            prop_assert_eq!(page.after, Some(last));
            prop_assert_eq!(page.size, if size == 0 { 500 } else { size.min(500) as u32 });
        }
    }
}
