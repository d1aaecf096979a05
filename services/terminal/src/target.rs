//! Which meeting somebody means, and what they show to be let in.

use tributary_identifiers::MeetingId;
use tributary_share_link::ShareLink;

/// A meeting, and what an outsider shows for it; members show nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub meeting_id: MeetingId,
    /// The share secret of a link, empty: none.
    pub share_secret: String,
    /// Its password, empty: none.
    pub password: String,
}

/// The text is no link to a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a meeting's link: it ends with #/m/<meeting id> or #/m/<meeting id>/<secret>")]
pub struct InvalidLink;

impl Target {
    /// A meeting by its id alone.
    pub fn new(meeting_id: MeetingId) -> Self {
        Self { meeting_id, share_secret: String::new(), password: String::new() }
    }

    /// A meeting by its link, with or without a share secret.
    pub fn link(url: &str) -> Result<Self, InvalidLink> {
        if let Ok(link) = url.parse::<ShareLink>() {
            return Ok(Self::new(link.meeting()).with_share_secret(link.secret().expose()));
        }
        let (_, id) = url.trim().split_once("#/m/").ok_or(InvalidLink)?;
        id.parse().map(Self::new).map_err(|_| InvalidLink)
    }

    /// The same with a password.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = password.into();
        self
    }

    /// The same with a share secret.
    #[must_use]
    pub fn with_share_secret(mut self, share_secret: impl Into<String>) -> Self {
        self.share_secret = share_secret.into();
        self
    }
}

impl From<MeetingId> for Target {
    fn from(meeting_id: MeetingId) -> Self {
        Self::new(meeting_id)
    }
}

impl From<&Target> for Target {
    fn from(target: &Target) -> Self {
        target.clone()
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("meeting_id", &self.meeting_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_which_meeting_and_by_which_secret() {
        let id: MeetingId = "1152921504606846977".parse().unwrap();
        let plain = Target::link("https://meet.example/#/m/1152921504606846977").unwrap();
        assert_eq!(plain, Target::new(id));
        let link = "https://meet.example/#/m/1152921504606846977/AAECAwQFBgcICQoLDA0ODw";
        let secret = Target::link(link).unwrap();
        assert_eq!(secret, Target::new(id).with_share_secret("AAECAwQFBgcICQoLDA0ODw"));
        assert!(!format!("{secret:?}").contains("AAECAw"));
        for wrong in ["", "https://meet.example/", "#/m/x", "https://a/#/m/7/a", "#/m/"] {
            assert_eq!(Target::link(wrong), Err(InvalidLink), "{wrong}");
        }
    }
}
