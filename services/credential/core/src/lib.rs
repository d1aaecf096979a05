//! Who is who: what an account and a guest are, what the tokens they get say, and when the keys
//! that sign them change.
//!
//! **Invariant:** nothing here reads a clock, draws a random number or opens a connection; time is
//! Unix seconds and randomness is bytes, both given by the caller.

mod account;
mod address;
mod page;
mod profile;
pub mod rotation;
mod search;
mod text;
mod tokens;

pub use account::{Account, account_id, guest_id};
pub use address::{InvalidAddress, address_prefix};
pub use page::{InvalidPage, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, PageRequest, page_token};
pub use profile::{NUMBERED_NAMES, Profile, suffixed};
pub use search::{FOUND_MAX, InvalidBeginning, LIKE_ESCAPE, NameBeginning, folded};
pub use text::{InvalidPassword, InvalidUserName, UserName, check_new_password};
pub use tokens::{
    IDENTITY_LIFE_SECONDS, JOIN_LIFE_SECONDS, TOKEN_LIFE_MAX_SECONDS, comes_back,
    identity_of_account, identity_of_guest, issue_time, join_claims, renewed, revocation_end,
    token_end,
};
pub use tributary_shown_text::{DisplayName, InvalidText};
