//! Who is who: what an account, a guest and a relay that attaches to others are, what the tokens they
//! get say, and when the keys that sign them change.
//!
//! **Invariant:** nothing here reads a clock, draws a random number or opens a connection; time is
//! Unix seconds and randomness is bytes, both given by the caller.

mod account;
mod address;
mod enrolment;
mod page;
mod profile;
mod relay;
pub mod rotation;
mod search;
mod text;
mod tokens;

pub use account::{Account, account_id, guest_id};
pub use address::{InvalidAddress, address_prefix};
pub use enrolment::{
    ENROLMENT_LIFE_DEFAULT_SECONDS, ENROLMENT_LIFE_MAX_SECONDS, ENROLMENT_RANDOM_BYTES,
    InvalidLife, enrolment_end, enrolment_token, has_token_form,
};
pub use page::{InvalidPage, PAGES_OF_RELAYS, PAGES_OF_USERS, PageRequest, PageSizes, page_token};
pub use profile::{NUMBERED_NAMES, Profile, suffixed};
pub use relay::{
    InvalidRelay, InvalidStoredKey, PREFIXES_MAX, Relay, RelayChange, RelayPublicKey, RelayRecord,
    RelaySetup, UPLINK_LIMIT_MAX_KBIT, UPLINK_LIMIT_MIN_KBIT, VOICES_MAX, is_attach_noted,
};
pub use search::{FOUND_MAX, InvalidBeginning, LIKE_ESCAPE, NameBeginning, folded};
pub use text::{InvalidPassword, InvalidUserName, UserName, check_new_password};
pub use tokens::{
    IDENTITY_LIFE_SECONDS, JOIN_LIFE_SECONDS, TOKEN_LIFE_MAX_SECONDS, comes_back,
    identity_of_account, identity_of_guest, issue_time, join_claims, renewed, revocation_end,
    token_end,
};
pub use tributary_shown_text::{DisplayName, InvalidText, RelayName};
