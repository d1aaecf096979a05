//! What each service's NATS user may publish and subscribe to, from the same table as the
//! subjects, and the `nats-server.conf` made of it.

use std::fmt::Write as _;

use tributary_identifiers::{OrganisationId, RelayId};

use crate::{
    control::{EVENT_STREAM, NOTICE_STREAM},
    lease::BUCKET,
    objects::{OBJECT_BUCKET, OBJECT_STREAM},
    operations::{OPERATION_CONSUMER, OPERATION_STREAM},
};

/// A NATS user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// The credential service.
    Credential,
    /// Access control.
    AccessControl,
    /// The meeting-registry.
    MeetingRegistry,
    /// All mixers.
    Mixer,
    /// One core relay, which hears its organisation's meetings and no others.
    Relay {
        /// Whose.
        organisation: OrganisationId,
        /// Which.
        relay: RelayId,
    },
}

/// What a user may do; everything else is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Subjects to publish on.
    pub publish: Vec<String>,
    /// Subjects to subscribe to.
    pub subscribe: Vec<String>,
}

impl User {
    /// A relay of the organisation that is meant if none is named.
    #[must_use]
    pub fn relay(relay: RelayId) -> Self {
        Self::Relay { organisation: OrganisationId::default(), relay }
    }

    /// The name to log in with.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Credential => "credential".to_owned(),
            Self::AccessControl => "access-control".to_owned(),
            Self::MeetingRegistry => "meeting-registry".to_owned(),
            Self::Mixer => "mixer".to_owned(),
            Self::Relay { relay, .. } => format!("relay-{relay}"),
        }
    }

    /// What it may do.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        let inbox = format!("{}.>", inbox_prefix(&self.name()));
        let (publish, subscribe) = match self {
            Self::Credential => (
                vec!["trib-trust.*".to_owned(), "trib-trust.relay.*.*".to_owned()],
                vec!["trib-trust.*".to_owned()],
            ),
            Self::AccessControl => (
                vec!["trib-access.*.*".to_owned()],
                vec!["trib-access.*.*".to_owned(), "trib.*.*.event".to_owned()],
            ),
            Self::MeetingRegistry => (
                vec![
                    "trib.*.*.event".to_owned(),
                    "trib-notice.*.*".to_owned(),
                    format!("$JS.API.STREAM.CREATE.{EVENT_STREAM}"),
                    format!("$JS.API.STREAM.INFO.{EVENT_STREAM}"),
                    format!("$JS.API.STREAM.CREATE.{NOTICE_STREAM}"),
                    format!("$JS.API.STREAM.INFO.{NOTICE_STREAM}"),
                    format!("$JS.API.STREAM.CREATE.{OPERATION_STREAM}"),
                    format!("$JS.API.STREAM.INFO.{OPERATION_STREAM}"),
                    format!("$JS.API.CONSUMER.CREATE.{OPERATION_STREAM}.{OPERATION_CONSUMER}"),
                    format!("$JS.API.CONSUMER.INFO.{OPERATION_STREAM}.{OPERATION_CONSUMER}"),
                    format!("$JS.API.CONSUMER.DELETE.{OPERATION_STREAM}.{OPERATION_CONSUMER}"),
                    format!("$JS.API.CONSUMER.MSG.NEXT.{OPERATION_STREAM}.{OPERATION_CONSUMER}"),
                    format!("$JS.ACK.{OPERATION_STREAM}.{OPERATION_CONSUMER}.>"),
                    // As nats-server writes it from version 2.14 on if it is told to: with the
                    // domain and the account.
                    format!("$JS.ACK.*.*.{OPERATION_STREAM}.{OPERATION_CONSUMER}.>"),
                    format!("$O.{OBJECT_BUCKET}.C.*.*"),
                    format!("$O.{OBJECT_BUCKET}.M.*"),
                    format!("$JS.API.STREAM.CREATE.{OBJECT_STREAM}"),
                    format!("$JS.API.STREAM.INFO.{OBJECT_STREAM}"),
                    format!("$JS.API.STREAM.PURGE.{OBJECT_STREAM}"),
                    format!("$JS.API.DIRECT.GET.{OBJECT_STREAM}"),
                    format!("$JS.API.DIRECT.GET.{OBJECT_STREAM}.$O.{OBJECT_BUCKET}.M.*"),
                ],
                vec![],
            ),
            Self::Mixer => (
                vec![
                    "trib.*.*.down.>".to_owned(),
                    "trib.*.*.plan.*".to_owned(),
                    format!("$KV.{BUCKET}.>"),
                    "$JS.API.INFO".to_owned(),
                    format!("$JS.API.STREAM.CREATE.KV_{BUCKET}"),
                    format!("$JS.API.STREAM.INFO.KV_{BUCKET}"),
                    format!("$JS.API.DIRECT.GET.KV_{BUCKET}.>"),
                    format!("$JS.API.STREAM.MSG.GET.KV_{BUCKET}"),
                ],
                vec!["trib.*.*.up.*".to_owned(), "trib.*.*.need.*".to_owned()],
            ),
            Self::Relay { organisation: of, relay } => (
                vec![
                    format!("trib.{of}.*.up.{relay}"),
                    format!("trib.{of}.*.need.{relay}"),
                    format!("trib.{of}.*.op.{relay}"),
                ],
                vec![
                    format!("trib.{of}.*.down.common"),
                    format!("trib.{of}.*.down.relay.{relay}"),
                    format!("trib.{of}.*.plan.{relay}"),
                    format!("trib.{of}.*.event"),
                    format!("trib-notice.{of}.*"),
                    format!("trib-access.{of}.*"),
                    "trib-trust.*".to_owned(),
                    format!("trib-trust.relay.{of}.*"),
                ],
            ),
        };
        let subscribe = subscribe.into_iter().chain([inbox]).collect();
        Permissions { publish, subscribe }
    }
}

/// The inbox of a user: replies to one are not readable by another.
#[must_use]
pub fn inbox_prefix(user: &str) -> String {
    format!("_INBOX_{user}")
}

/// The `authorization` block of a `nats-server.conf`. Passwords must be of letters and digits.
#[must_use]
pub fn authorization(users: &[(User, String)]) -> String {
    let mut text = String::from("authorization {\n  users = [\n");
    for (user, password) in users {
        let Permissions { publish, subscribe } = user.permissions();
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "    {{\n      user: \"{}\"\n      password: \"{password}\"\n      permissions: {{\n        \
             publish: {{ allow: [{}] }}\n        subscribe: {{ allow: [{}] }}\n      }}\n    }}",
            user.name(),
            quoted(&publish),
            quoted(&subscribe),
        );
    }
    text.push_str("  ]\n}\n");
    text
}

fn quoted(subjects: &[String]) -> String {
    subjects.iter().map(|subject| format!("\"{subject}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_can_only_speak_as_itself_and_never_as_a_mixer() {
        let permissions = User::relay("a".parse().unwrap()).permissions();
        let own = ["trib.default.*.up.a", "trib.default.*.need.a", "trib.default.*.op.a"];
        assert_eq!(permissions.publish, own);
        assert!(permissions.subscribe.iter().all(|s| !s.starts_with('$') && s != "_INBOX.>"));
        let elsewhere = |s: &&String| !s.contains(".default.") && !s.starts_with("_INBOX_");
        let elsewhere: Vec<_> = permissions.subscribe.iter().filter(elsewhere).collect();
        assert_eq!(elsewhere, ["trib-trust.*"], "no other organisation is heard");
    }

    #[test]
    fn the_block_names_every_user_with_its_subjects() {
        let text = authorization(&[
            (User::Mixer, "m".to_owned()),
            (User::relay("office-a".parse().unwrap()), "r".to_owned()),
        ]);
        assert!(text.contains("user: \"relay-office-a\""));
        assert!(text.contains("\"trib.default.*.up.office-a\""));
        assert!(text.contains("\"$KV.lease.>\""));
    }
}
