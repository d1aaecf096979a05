//! What is handed on when a meeting is shared: a secret, the link that carries it, an invitation in
//! words, and the link as a QR code.
//!
//! **Invariants:** the secret stands in the link's fragment, which browsers send to no server; it
//! shows in no `Debug` and no error; what is kept of it is its hash. No invitation has a meeting's
//! password, as none is given to this crate.

mod invitation;
mod link;
mod page;
mod qr;
mod secret;
mod when;

pub use invitation::{InvalidLanguage, Invitation, Language};
pub use link::{InvalidPublicUrl, NotAShareLink, PUBLIC_URL_LENGTH_MAX, PublicUrl, ShareLink};
pub use qr::{QrCode, QrError};
pub use secret::{
    InvalidHash, InvalidSecret, SECRET_LENGTH, SECRET_TEXT_LENGTH, SecretHash, ShareSecret,
};
pub use when::{InvalidTime, MeetingTime, UTC_OFFSET_MINUTES_MAX};
