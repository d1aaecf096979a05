//! What an organiser asks for, and the words that invite.

use tributary_contracts::registry::v1::Meeting;
use tributary_identifiers::UserId;
use tributary_mailer::EmailAddress;
use tributary_message_bus::subjects::MeetingScope;
use tributary_share_link::{Invitation, Language, MeetingTime, ShareLink};
use tributary_shown_text::{DisplayName, Subject};

use super::ShareError;
use crate::{store::Recipients, wire};

/// Users that one share can be told to.
const USERS_MAX: usize = 100;
/// Addresses that one share can be sent to.
const ADDRESSES_MAX: usize = 50;
/// The longest life of a share that ends by itself, in milliseconds: ten years.
const LIFE_MAX: u64 = 10 * 366 * 24 * 3600 * 1000;

/// A wish to share.
#[derive(Clone, Debug)]
pub struct ShareRequest {
    /// Which meeting.
    pub scope: MeetingScope,
    /// Who wants it.
    pub user: UserId,
    /// Their name, as others see it; may be empty.
    pub display_name: String,
    /// How.
    pub destination: Destination,
    /// When it is to end by itself, milliseconds since 1970.
    pub expires_at: Option<u64>,
    /// In which language it is said.
    pub language: Language,
}

/// How a share is carried out.
#[derive(Clone, Debug)]
pub enum Destination {
    /// As a link, to who asks.
    Link,
    /// To these users' terminals.
    Users(Vec<UserId>),
    /// To these addresses.
    Email(Vec<String>),
}

/// What an invitation says besides the link.
#[derive(Clone, Debug)]
pub struct Words {
    /// What the meeting is about.
    pub subject: Subject,
    /// Who invites.
    pub name: DisplayName,
    /// When it begins.
    pub starts_at: Option<MeetingTime>,
    /// How long the link holds.
    pub expires_at: Option<MeetingTime>,
    /// In which language it is said.
    pub language: Language,
}

impl ShareRequest {
    /// To whom, each once.
    ///
    /// # Errors
    /// There are none or too many, an address can't be one, or the share would have ended already.
    pub fn check(&self, now: u64) -> Result<Recipients, ShareError> {
        let invalid = |field, why: String| Err(ShareError::Invalid { field, why });
        if self.expires_at.is_some_and(|end| end <= now || end - now > LIFE_MAX) {
            return invalid("expires_at", "must be within the next ten years".to_owned());
        }
        match &self.destination {
            Destination::Link => Ok(Recipients::Link),
            Destination::Users(users) => {
                let mut users = users.clone();
                users.sort_unstable();
                users.dedup();
                if users.is_empty() || users.len() > USERS_MAX {
                    return invalid("form.users.user_ids", format!("must be 1 to {USERS_MAX}"));
                }
                Ok(Recipients::Users(users))
            }
            Destination::Email(given) => {
                let mut addresses = Vec::with_capacity(given.len().min(ADDRESSES_MAX));
                for address in given.iter().take(ADDRESSES_MAX + 1) {
                    let address: EmailAddress = match address.trim().parse() {
                        Ok(address) => address,
                        Err(error) => return invalid("form.email.addresses", error.to_string()),
                    };
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                }
                if addresses.is_empty() || given.len() > ADDRESSES_MAX {
                    return invalid(
                        "form.email.addresses",
                        format!("must be 1 to {ADDRESSES_MAX}"),
                    );
                }
                Ok(Recipients::Email(addresses))
            }
        }
    }

    /// What the invitation says.
    ///
    /// # Errors
    /// The registry has a subject that nobody could have given.
    pub fn words(&self, meeting: &Meeting) -> Result<Words, ShareError> {
        let time = |millis: u64| MeetingTime::new(millis / 1000, 0).ok();
        // Ids are fit to be shown, so this fails for no user.
        let name = self.display_name.parse().or_else(|_| self.user.as_str().parse());
        Ok(Words {
            subject: meeting
                .subject
                .parse()
                .map_err(|_| ShareError::Failed("a subject can't be shown"))?,
            name: name.map_err(|_| ShareError::Failed("a user id can't be shown"))?,
            starts_at: meeting.starts_at.map(wire::millis).and_then(time),
            expires_at: self.expires_at.and_then(time),
            language: self.language,
        })
    }
}

impl Words {
    /// The invitation to follow `link`.
    pub const fn invitation<'a>(&'a self, link: &'a ShareLink) -> Invitation<'a> {
        Invitation {
            subject: &self.subject,
            organiser: &self.name,
            starts_at: self.starts_at,
            expires_at: self.expires_at,
            link,
        }
    }
}
