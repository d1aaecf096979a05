//! Who is who: what an account and a guest are, and what the tokens they get say.
//!
//! **Invariant:** nothing here reads a clock, draws a random number or opens a connection; time is
//! Unix seconds and randomness is bytes, both given by the caller.

mod account;
mod page;
mod text;
mod tokens;

pub use account::{Account, account_id, guest_id};
pub use page::{InvalidPage, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, PageRequest, page_token};
pub use text::{InvalidPassword, InvalidUserName, UserName, check_new_password};
pub use tokens::{
    IDENTITY_LIFE_SECONDS, JOIN_LIFE_SECONDS, identity_of_account, identity_of_guest, join_claims,
};
pub use tributary_shown_text::{DisplayName, InvalidText};
