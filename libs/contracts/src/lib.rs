//! The contracts in `proto/tributary/<area>/v1`, generated, and nothing else of substance.
//!
//! **Invariant:** these types meet the domain's own types at the edge of a server crate; no `core`
//! crate depends on this one.

/// All contracts as an encoded `FileDescriptorSet`, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/contracts.bin"));

macro_rules! contract {
    ($(#[$doc:meta])* $area:ident, $package:literal) => {
        $(#[$doc])*
        pub mod $area {
            #[allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction)]
            /// Version 1.
            pub mod v1 {
                tonic::include_proto!($package);
            }
        }
    };
}

contract!(
    /// Who may enter or read a meeting.
    access,
    "tributary.access.v1"
);
contract!(
    /// For platform engineers.
    admin,
    "tributary.admin.v1"
);
contract!(
    /// Who is who.
    credential,
    "tributary.credential.v1"
);
contract!(
    /// What has happened in a meeting.
    event,
    "tributary.event.v1"
);
contract!(
    /// Encoded media between relays and mixers.
    media,
    "tributary.media.v1"
);
contract!(
    /// What one user is told outside of a meeting.
    notice,
    "tributary.notice.v1"
);
contract!(
    /// What a participant does, signed.
    operation,
    "tributary.operation.v1"
);
contract!(
    /// Meetings, members, participants and their log.
    registry,
    "tributary.registry.v1"
);
contract!(
    /// What relays and mixers tell each other.
    relay,
    "tributary.relay.v1"
);
contract!(
    /// What a terminal and its relay say to each other.
    terminal,
    "tributary.terminal.v1"
);
