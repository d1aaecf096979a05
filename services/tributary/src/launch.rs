//! Which services a process consists of, and how they come into its frame.

use std::process::ExitCode;

use anyhow::Context as _;
use tributary_service_runtime::{Assembly, Platform, run};

use crate::config::Config;

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    All,
    Credential,
    MeetingRegistry,
    AccessControl,
    Mixer,
    RelayGateway,
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
        }
    }

    fn includes(self, service: Self) -> bool {
        self == service || self == Self::All
    }
}

/// Runs a process in this role until it is told to end.
pub async fn launch(role: Role, config: Config) -> ExitCode {
    run(role.name(), config.platform(), |platform| assemble(role, config, platform)).await
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

async fn assemble(role: Role, config: Config, platform: Platform) -> anyhow::Result<Assembly> {
    use {
        tributary_access_control_server as access_control,
        tributary_credential_server as credential,
        tributary_meeting_registry_server as meeting_registry, tributary_mixer_server as mixer,
        tributary_relay_gateway_server as relay_gateway,
    };
    let mut assembly = Assembly::default();
    add!(assembly, role, MeetingRegistry, meeting_registry, config.meeting_registry, platform);
    add!(assembly, role, AccessControl, access_control, config.access_control, platform);
    add!(assembly, role, Credential, credential, config.credential, platform);
    add!(assembly, role, Mixer, mixer, config.mixer, platform);
    add!(assembly, role, RelayGateway, relay_gateway, config.relay, platform);
    Ok(assembly)
}
