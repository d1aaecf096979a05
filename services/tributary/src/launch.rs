//! Which services a process consists of, and how they come into its frame.

use std::process::ExitCode;

use anyhow::Context as _;
use tributary_service_runtime::{Assembly, Platform, run, telemetry};

use tributary_terminal::Target;

use crate::{config::Config, relay::participant::attend};

/// What `relay diag` finds of the log.
const LOG_LINES_KEPT: usize = 500;

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    All,
    Credential,
    MeetingRegistry,
    AccessControl,
    Mixer,
    RelayGateway,
    EdgeRelay,
}

impl Role {
    /// The name in logs and telemetry.
    fn name(self) -> &'static str {
        match self {
            Self::All => "tributary",
            Self::Credential => "credential",
            Self::MeetingRegistry => "meeting-registry",
            Self::AccessControl => "access-control",
            Self::Mixer => "mixer",
            Self::RelayGateway => "relay-gateway",
            Self::EdgeRelay => "edge-relay",
        }
    }

    fn includes(self, service: Self) -> bool {
        self == service || self == Self::All && service != Self::EdgeRelay
    }
}

/// Runs a process in this role until it is told to end; an edge relay may be in a meeting itself.
pub async fn launch(role: Role, config: Config, join: Option<Target>) -> ExitCode {
    if role == Role::EdgeRelay {
        // Where a relay stands there is often nobody who collects logs.
        telemetry::keep_recent_lines(LOG_LINES_KEPT);
    }
    run(role.name(), config.platform(), |platform| assemble(role, config, join, platform)).await
}

/// Loads a server, if the role includes it, and adds what it answers and does.
macro_rules! add {
    ($assembly:ident, $role:ident, $service:ident, $server:ident, $config:expr, $platform:ident) => {
        if $role.includes(Role::$service) {
            let name = Role::$service.name();
            let server = $server::Server::load($config, $platform.clone())
                .await
                .with_context(|| format!("loading {name}"))?;
            server.add_services(&mut $assembly.services);
            $assembly.work(name, server.run());
        }
    };
}

async fn assemble(
    role: Role,
    config: Config,
    join: Option<Target>,
    platform: Platform,
) -> anyhow::Result<Assembly> {
    use tributary_relay_gateway_server::edge;
    use {
        tributary_access_control_server as access_control,
        tributary_credential_server as credential,
        tributary_meeting_registry_server as meeting_registry, tributary_mixer_server as mixer,
        tributary_relay_gateway_server as relay_gateway,
    };
    let mut assembly = Assembly::default();
    if role == Role::EdgeRelay {
        let mut server = edge::Server::load(config.edge, config.relay, platform.clone())
            .await
            .context("loading the edge relay")?;
        if let Some(meeting) = join {
            let own = server.own_participant().await.context("a port for the relay itself")?;
            assembly.work("participant", attend(meeting, own, platform));
        }
        assembly.work(role.name(), server.run());
        return Ok(assembly);
    }
    add!(assembly, role, MeetingRegistry, meeting_registry, config.meeting_registry, platform);
    add!(assembly, role, AccessControl, access_control, config.access_control, platform);
    add!(assembly, role, Credential, credential, config.credential, platform);
    add!(assembly, role, Mixer, mixer, config.mixer, platform);
    add!(assembly, role, RelayGateway, relay_gateway, config.relay, platform);
    Ok(assembly)
}
