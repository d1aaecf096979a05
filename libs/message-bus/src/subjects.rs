//! Every NATS subject of the platform. What belongs to a meeting begins with
//! `trib.<organisation>.<meeting>.`; the other roots are `trib-notice`, `trib-access` and
//! `trib-trust`.

use async_nats::Subject;
use tributary_identifiers::{MeetingId, OrganisationId, RelayId, UserId};

const ROOT: &str = "trib";
const NOTICE_ROOT: &str = "trib-notice";
const ACCESS_ROOT: &str = "trib-access";
const TRUST_ROOT: &str = "trib-trust";

/// Somebody who could enter can't any more: join credentials issued before are stale.
pub const NARROWED: &[u8] = b"narrowed";
/// Somebody can enter who could not.
pub const WIDENED: &[u8] = b"widened";

/// A meeting, as it stands in a subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeetingScope {
    /// Who owns it.
    pub organisation: OrganisationId,
    /// Which.
    pub meeting: MeetingId,
}

impl MeetingScope {
    fn subject(&self, rest: std::fmt::Arguments<'_>) -> Subject {
        format!("{ROOT}.{}.{}.{rest}", self.organisation, self.meeting).into()
    }

    /// What a relay sends up; heard by the owning mixer.
    #[must_use]
    pub fn up(&self, relay: &RelayId) -> Subject {
        self.subject(format_args!("up.{relay}"))
    }

    /// What all relays of the meeting send up.
    #[must_use]
    pub fn up_all(&self) -> Subject {
        self.subject(format_args!("up.*"))
    }

    /// Tracks for all relays of the meeting.
    #[must_use]
    pub fn down_common(&self) -> Subject {
        self.subject(format_args!("down.common"))
    }

    /// Tracks for one relay.
    #[must_use]
    pub fn down_relay(&self, relay: &RelayId) -> Subject {
        self.subject(format_args!("down.relay.{relay}"))
    }

    /// Who is behind a relay.
    #[must_use]
    pub fn need(&self, relay: &RelayId) -> Subject {
        self.subject(format_args!("need.{relay}"))
    }

    /// The route plan of a relay.
    #[must_use]
    pub fn plan(&self, relay: &RelayId) -> Subject {
        self.subject(format_args!("plan.{relay}"))
    }

    /// The meeting's events; kept by JetStream.
    #[must_use]
    pub fn event(&self) -> Subject {
        self.subject(format_args!("event"))
    }

    /// What participants behind a relay do, signed; kept by JetStream until it is applied.
    #[must_use]
    pub fn op(&self, relay: &RelayId) -> Subject {
        self.subject(format_args!("op.{relay}"))
    }

    /// Said by access-control when who may enter the meeting has changed: [`NARROWED`] or
    /// [`WIDENED`].
    #[must_use]
    pub fn shares_changed(&self) -> Subject {
        format!("{ACCESS_ROOT}.{}.{}", self.organisation, self.meeting).into()
    }

    /// The meeting's key in the lease bucket.
    #[must_use]
    pub fn lease_key(&self) -> String {
        format!("{}.{}", self.organisation, self.meeting)
    }
}

/// The needs of all relays in all meetings.
#[must_use]
pub fn all_needs() -> Subject {
    format!("{ROOT}.*.*.need.*").into()
}

/// The events of all meetings.
#[must_use]
pub fn all_events() -> Subject {
    format!("{ROOT}.*.*.event").into()
}

/// The operations of all relays in all meetings.
#[must_use]
pub fn all_operations() -> Subject {
    format!("{ROOT}.*.*.op.*").into()
}

/// What one user is told outside of a meeting; kept by JetStream.
#[must_use]
pub fn notice(organisation: &OrganisationId, user: &UserId) -> Subject {
    format!("{NOTICE_ROOT}.{organisation}.{user}").into()
}

/// What all users are told.
#[must_use]
pub fn all_notices() -> Subject {
    format!("{NOTICE_ROOT}.*.*").into()
}

/// Changes of the shares of all meetings.
#[must_use]
pub fn all_shares_changed() -> Subject {
    format!("{ACCESS_ROOT}.*.*").into()
}

/// Changes of the shares of an organisation's meetings.
#[must_use]
pub fn shares_changed_of(organisation: &OrganisationId) -> Subject {
    format!("{ACCESS_ROOT}.{organisation}.*").into()
}

/// Said by credential when something was revoked: an encoded `Revocation`.
#[must_use]
pub fn revoked() -> Subject {
    format!("{TRUST_ROOT}.revoked").into()
}

/// Said by credential when the signing keys have changed: get them again.
#[must_use]
pub fn keys_changed() -> Subject {
    format!("{TRUST_ROOT}.keys").into()
}

/// Said by credential when what is set for a relay that attaches to others, its key or its right to
/// attach has changed: get it again. There is no payload.
#[must_use]
pub fn relay_changed(organisation: &OrganisationId, relay: &RelayId) -> Subject {
    format!("{TRUST_ROOT}.relay.{organisation}.{relay}").into()
}

/// Changes of all relays of an organisation.
#[must_use]
pub fn relays_changed_of(organisation: &OrganisationId) -> Subject {
    format!("{TRUST_ROOT}.relay.{organisation}.*").into()
}

/// Reads back the relay of a `relay_changed` subject; `None` if it is none.
#[must_use]
pub fn changed_relay(subject: &str) -> Option<(OrganisationId, RelayId)> {
    let tokens: Vec<_> = subject.split('.').collect();
    match *tokens.as_slice() {
        [TRUST_ROOT, "relay", organisation, relay] => {
            Some((organisation.parse().ok()?, relay.parse().ok()?))
        }
        _ => None,
    }
}

/// Reads back the meeting of an `event` or `shares_changed` subject; `None` if it is neither.
#[must_use]
pub fn meeting_of(subject: &str) -> Option<MeetingScope> {
    let tokens: Vec<_> = subject.split('.').collect();
    match *tokens.as_slice() {
        [ROOT, organisation, meeting, "event"] | [ACCESS_ROOT, organisation, meeting] => {
            Some(MeetingScope {
                organisation: organisation.parse().ok()?,
                meeting: meeting.parse().ok()?,
            })
        }
        _ => None,
    }
}

/// Reads back the meeting and the relay of an `up`, `need` or `op` subject; `None` if it is none.
#[must_use]
pub fn meeting_and_relay(subject: &str) -> Option<(MeetingScope, RelayId)> {
    let mut tokens = subject.split('.');
    if tokens.next() != Some(ROOT) {
        return None;
    }
    let organisation = tokens.next()?.parse().ok()?;
    let meeting = tokens.next()?.parse().ok()?;
    if !matches!(tokens.next(), Some("up" | "need" | "op")) {
        return None;
    }
    let relay = tokens.next()?.parse().ok()?;
    tokens.next().is_none().then_some((MeetingScope { organisation, meeting }, relay))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> MeetingScope {
        MeetingScope {
            organisation: OrganisationId::default(),
            meeting: MeetingId::try_from(42).unwrap(),
        }
    }

    #[test]
    fn up_need_and_op_subjects_are_read_back() {
        let relay: RelayId = "office-a".parse().unwrap();
        for subject in [scope().up(&relay), scope().need(&relay), scope().op(&relay)] {
            assert_eq!(meeting_and_relay(&subject), Some((scope(), relay.clone())));
        }
    }

    #[test]
    fn other_subjects_are_not_read() {
        for subject in [
            "trib.default.42.down.a",
            "trib.default.x.up.a",
            "trib.default.42.op",
            "trib.default.42.up.a.b",
            "up.a",
        ] {
            assert_eq!(meeting_and_relay(subject), None, "{subject}");
        }
    }

    #[test]
    fn the_meeting_of_an_event_or_a_change_of_shares_is_read_back() {
        for subject in [scope().event(), scope().shares_changed()] {
            assert_eq!(meeting_of(&subject), Some(scope()), "{subject}");
        }
        for subject in ["trib.default.42.up", "trib-notice.default.42", "trib-access.default.x"] {
            assert_eq!(meeting_of(subject), None, "{subject}");
        }
    }

    #[test]
    fn the_relay_of_a_change_is_read_back() {
        let (organisation, relay) = ("acme".parse().unwrap(), "office-a".parse().unwrap());
        let subject = relay_changed(&organisation, &relay);
        assert_eq!(changed_relay(&subject), Some((organisation, relay)));
        for subject in [
            "trib-trust.revoked",
            "trib-trust.relay.acme",
            "trib-trust.relay.acme.*",
            "trib-trust.relay.acme.a.b",
            "trib-access.relay.acme.a",
        ] {
            assert_eq!(changed_relay(subject), None, "{subject}");
        }
    }

    #[test]
    fn a_relay_called_common_does_not_hear_the_common_subject_by_its_name() {
        let relay: RelayId = "common".parse().unwrap();
        assert_ne!(scope().down_relay(&relay), scope().down_common());
    }
}
