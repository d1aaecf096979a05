//! The one configuration: what all services share, and a section for each.
//!
//! **Invariant:** one file serves every subcommand; a service ignores the sections of others, but
//! their faults are found all the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use tributary_service_runtime::{
    DatabaseConfig, GrpcConfig, LogConfig, NatsConfig, OpsConfig, PlatformConfig, SecurityConfig,
    ServicesConfig,
    config::{self, ConfigArgs},
};

use crate::launch::Role;

/// What can be configured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a process may take to end in order, in seconds.
    pub drain_seconds: u64,
    /// Logs.
    pub log: LogConfig,
    /// The ops server: `/livez`, `/readyz`, `/metrics`.
    pub ops: OpsConfig,
    /// The gRPC server.
    pub grpc: GrpcConfig,
    /// NATS.
    pub nats: NatsConfig,
    /// Tokens of gRPC calls.
    pub security: SecurityConfig,
    /// Where the other services answer.
    pub services: ServicesConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// The credential service.
    pub credential: tributary_credential_server::Config,
    /// The meeting registry.
    pub meeting_registry: tributary_meeting_registry_server::Config,
    /// Access control.
    pub access_control: tributary_access_control_server::Config,
    /// The mixer.
    pub mixer: tributary_mixer_server::Config,
    /// The relay gateway; an edge relay too.
    pub relay: tributary_relay_gateway_server::Config,
    /// The edge relay's way to its parent.
    pub edge: tributary_relay_gateway_server::edge::config::Config,
}

impl Default for Config {
    fn default() -> Self {
        let PlatformConfig { log, ops, grpc, nats, security, services, database, drain_seconds } =
            PlatformConfig::default();
        Self {
            drain_seconds,
            log,
            ops,
            grpc,
            nats,
            security,
            services,
            database,
            credential: tributary_credential_server::Config::default(),
            meeting_registry: tributary_meeting_registry_server::Config::default(),
            access_control: tributary_access_control_server::Config::default(),
            mixer: tributary_mixer_server::Config::default(),
            relay: tributary_relay_gateway_server::Config::default(),
            edge: tributary_relay_gateway_server::edge::config::Config::default(),
        }
    }
}

impl Config {
    /// Reads and checks the configuration of a process in this role.
    ///
    /// # Errors
    /// All faults that were found.
    pub fn load(
        args: &ConfigArgs,
        role: Role,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut config: Self = if role == Role::EdgeRelay {
            config::load_without_peers(args, env)?
        } else {
            config::load(args, env)?
        };
        let mut faults = config.faults();
        if role == Role::EdgeRelay {
            let certificate = config.relay.certificate_file.is_some();
            faults.extend(config.edge.edge_faults(config.relay.listen, certificate));
        }
        anyhow::ensure!(faults.is_empty(), "configuration: {}", faults.join("; "));
        if role == Role::All {
            config.call_own_services();
        }
        Ok(config)
    }

    /// What can't work though every value fits its key.
    fn faults(&self) -> Vec<String> {
        let mut faults = self.mixer.faults();
        faults.extend(self.relay.faults());
        faults.extend(self.edge.faults());
        faults.extend(self.meeting_registry.check().err().map(|fault| fault.to_string()));
        faults.extend(self.access_control.check().err().map(|fault| fault.to_string()));
        faults.extend(self.credential.check().err().map(|fault| fault.to_string()));
        faults
    }

    /// In one process the peers are at this process's own gRPC server, wherever that is, unless
    /// they were set to be elsewhere.
    fn call_own_services(&mut self) {
        let here = format!("http://{}", reachable(self.grpc.listen));
        let default = ServicesConfig::default();
        let services = &mut self.services;
        for (peer, default) in [
            (&mut services.credential, default.credential),
            (&mut services.meeting_registry, default.meeting_registry),
            (&mut services.access_control, default.access_control),
        ] {
            if *peer == default {
                peer.clone_from(&here);
            }
        }
    }

    /// The part that all services share.
    pub fn platform(&self) -> PlatformConfig {
        PlatformConfig {
            log: self.log.clone(),
            ops: self.ops.clone(),
            grpc: self.grpc.clone(),
            nats: self.nats.clone(),
            security: self.security.clone(),
            services: self.services.clone(),
            database: self.database.clone(),
            drain_seconds: self.drain_seconds,
        }
    }
}

/// An address to connect to for one that is listened on: "all addresses" is none to connect to.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        ip if !ip.is_unspecified() => listen,
        IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port())),
        IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, listen.port())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn load(role: Role, env: &[(&str, &str)]) -> anyhow::Result<Config> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(&ConfigArgs::default(), role, env)
    }

    /// Every key with its default, as a variable and its value.
    fn variables(prefix: &str, node: &Value, found: &mut Vec<(String, String)>) {
        match node {
            Value::Object(keys) => {
                for (key, value) in keys {
                    let separator = if prefix == "TRIBUTARY" { "_" } else { "__" };
                    let name = format!("{prefix}{separator}{}", key.to_uppercase());
                    variables(&name, value, found);
                }
            }
            Value::String(text) if text.starts_with('<') => {
                found.push((format!("{prefix}_FILE"), "Cargo.toml".to_owned()));
            }
            Value::String(text) => found.push((prefix.to_owned(), text.clone())),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                found.push((prefix.to_owned(), items.join(",")));
            }
            Value::Null => {}
            other => found.push((prefix.to_owned(), other.to_string())),
        }
    }

    #[test]
    fn every_key_can_be_set_by_its_variable() {
        let mut all = Vec::new();
        variables("TRIBUTARY", &serde_json::to_value(Config::default()).unwrap(), &mut all);
        for (name, value) in &all {
            if let Err(error) = load(Role::Mixer, &[(name, value)]) {
                panic!("{name}={value}: {error:#}");
            }
        }
        for name in ["TRIBUTARY_DRAIN_SECONDS", "TRIBUTARY_RELAY__UDP_LISTEN"] {
            assert!(all.iter().any(|(known, _)| known == name), "{name} in {all:?}");
        }
    }

    #[test]
    fn variables_reach_the_sections_of_the_services() {
        let config = load(
            Role::All,
            &[
                ("TRIBUTARY_RELAY__RELAY_ID", "office-a"),
                ("TRIBUTARY_RELAY__UDP_LISTEN", "127.0.0.1:9"),
                ("TRIBUTARY_RELAY__ALLOWED_ORIGINS", "https://a.example, https://b.example"),
                ("TRIBUTARY_MIXER__BITRATE", "24000"),
                ("TRIBUTARY_MEETING_REGISTRY__RELAY_SILENCE_SECONDS", "20"),
                ("TRIBUTARY_ACCESS_CONTROL__FACTS_LIFE_MS", "5"),
            ],
        );
        let config = config.unwrap();
        assert_eq!(config.relay.relay_id.to_string(), "office-a");
        assert_eq!(config.relay.udp_listen.to_string(), "127.0.0.1:9");
        assert_eq!(config.relay.allowed_origins, ["https://a.example", "https://b.example"]);
        assert_eq!(config.mixer.bitrate, 24_000);
        assert_eq!(config.meeting_registry.relay_silence_seconds, 20);
        assert_eq!(config.access_control.facts_life_ms, 5);
    }

    #[test]
    fn all_in_one_process_call_each_other_where_grpc_listens() {
        let address = ("TRIBUTARY_GRPC__LISTEN", "127.0.0.1:7500");
        let elsewhere = ("TRIBUTARY_SERVICES__CREDENTIAL", "https://credential.example");
        let services = load(Role::All, &[address, elsewhere]).unwrap().services;
        assert_eq!(services.credential, elsewhere.1);
        assert_eq!(services.meeting_registry, "http://127.0.0.1:7500");
        let alone = load(Role::Mixer, &[address]).unwrap().services;
        assert_eq!(alone.meeting_registry, "http://127.0.0.1:7400");
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 7500));
        assert_eq!(reachable(everywhere).to_string(), "127.0.0.1:7500");
    }

    #[test]
    fn what_fits_but_cannot_work_is_refused() {
        let error = load(Role::Credential, &[("TRIBUTARY_MIXER__BITRATE", "1")]).unwrap_err();
        assert!(error.to_string().contains("mixer.bitrate"), "{error}");
    }

    #[test]
    fn an_edge_relay_needs_no_secrets_of_ones_own_but_a_parent_and_a_certificate() {
        let public = [
            ("TRIBUTARY_RELAY__UDP_LISTEN", "0.0.0.0:8081"),
            ("TRIBUTARY_RELAY__UDP_ADVERTISE", "192.0.2.1:8081"),
            ("TRIBUTARY_RELAY__LISTEN", "0.0.0.0:8443"),
        ];
        let error = load(Role::EdgeRelay, &public).unwrap_err().to_string();
        assert!(
            error.contains("--upstream") && error.contains("relay.certificate_file"),
            "{error}"
        );
        assert!(!error.contains("security."), "{error}");
        let mut whole = public.to_vec();
        whole.push(("TRIBUTARY_EDGE__UPSTREAM", "https://a.example, https://b.example:7443"));
        whole.push(("TRIBUTARY_EDGE__PLAINTEXT_TERMINALS", "true"));
        let config = load(Role::EdgeRelay, &whole).unwrap();
        assert_eq!(config.edge.upstream, ["https://a.example", "https://b.example:7443"]);
    }

    #[test]
    fn a_public_media_port_needs_secrets_of_ones_own() {
        let public = [
            ("TRIBUTARY_RELAY__UDP_LISTEN", "0.0.0.0:8081"),
            ("TRIBUTARY_RELAY__UDP_ADVERTISE", "192.0.2.1:8081"),
        ];
        let error = load(Role::RelayGateway, &public).unwrap_err().to_string();
        assert!(error.contains("relay.udp_listen (0.0.0.0:8081)"), "{error}");
        let mut own = public.to_vec();
        own.push(("TRIBUTARY_SECURITY__SERVICE_TOKEN", "one"));
        own.push(("TRIBUTARY_SECURITY__ADMIN_TOKEN", "two"));
        load(Role::RelayGateway, &own).unwrap();
    }
}
