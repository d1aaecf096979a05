//! Pages of lists: how much, and after what. A page token is the last name of the page before, so
//! that it stays good while accounts and relays come and go.

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// How large the pages of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSizes {
    /// If none is asked for.
    pub default: u32,
    /// The largest.
    pub max: u32,
}

/// The pages of users.
pub const PAGES_OF_USERS: PageSizes = PageSizes { default: 50, max: 500 };

/// The pages of relays.
pub const PAGES_OF_RELAYS: PageSizes = PageSizes { default: 100, max: 1000 };

/// Which page of a list that is in the order of `Name` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<Name> {
    /// At most so many, from 1.
    pub size: u32,
    /// Names after this one; all if absent.
    pub after: Option<Name>,
}

/// The request asks for no page that could exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPage {
    /// Below zero.
    #[error("page_size must not be negative")]
    Size,
    /// Not from an answer.
    #[error("page_token must be the next_page_token of an answer, or empty")]
    Token,
}

impl InvalidPage {
    /// The field of the request that is wrong.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Size => "page_size",
            Self::Token => "page_token",
        }
    }
}

impl<Name: FromStr> PageRequest<Name> {
    /// Reads a request: size 0 means the default, a size above the largest means the largest, an
    /// empty token means the start.
    ///
    /// # Errors
    /// The size is negative, or the token is not one that [`page_token`] made.
    pub fn read(size: i32, token: &str, sizes: PageSizes) -> Result<Self, InvalidPage> {
        let size = match u32::try_from(size).map_err(|_| InvalidPage::Size)? {
            0 => sizes.default,
            size => size.min(sizes.max),
        };
        let after = if token.is_empty() { None } else { Some(read_token(token)?) };
        Ok(Self { size, after })
    }
}

/// The token of the page after the one that ends with `last`.
#[must_use]
pub fn page_token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

fn read_token<Name: FromStr>(token: &str) -> Result<Name, InvalidPage> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidPage::Token)?;
    let text = String::from_utf8(bytes).map_err(|_| InvalidPage::Token)?;
    text.parse().map_err(|_| InvalidPage::Token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::UserName;

    fn read(size: i32, token: &str) -> Result<PageRequest<UserName>, InvalidPage> {
        PageRequest::read(size, token, PAGES_OF_USERS)
    }

    #[test]
    fn sizes_are_kept_in_bounds() {
        let check = |size, expected| {
            assert_eq!(read(size, "").map(|page| page.size), expected, "{size}");
        };
        check(0, Ok(50));
        check(1, Ok(1));
        check(500, Ok(500));
        check(501, Ok(500));
        check(i32::MAX, Ok(500));
        check(-1, Err(InvalidPage::Size));
        check(i32::MIN, Err(InvalidPage::Size));
    }

    proptest! {
        #[test]
        fn a_token_leads_on_after_its_name(name in "[a-z0-9._@-]{1,64}") {
            let name: UserName = name.parse().unwrap();
            let page = read(0, &page_token(name.as_str())).unwrap();
            prop_assert_eq!(page.after, Some(name));
        }

        #[test]
        fn a_token_of_somebodys_own_making_is_read_or_refused_without_panic(token: String) {
            let _ = read(0, &token);
        }
    }

    #[test]
    fn tokens_that_no_answer_had_are_refused() {
        for token in ["!", "QQ", "JyBvciAx", "AA"] {
            assert_eq!(read(0, token), Err(InvalidPage::Token), "{token}");
        }
    }
}
