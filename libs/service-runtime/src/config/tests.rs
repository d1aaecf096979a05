//! What a configuration accepts, in which order, and what it says of its faults.

use std::{fs, net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::*;
use crate::{LogFormat, PlatformConfig, Secret};

/// A platform and a section, as the binary has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Whole {
    log: crate::LogConfig,
    grpc: crate::GrpcConfig,
    ops: crate::OpsConfig,
    nats: crate::NatsConfig,
    security: crate::SecurityConfig,
    drain_seconds: u64,
    meeting_registry: Section,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    udp_listen: String,
    hosts: Vec<String>,
    limit: Option<u16>,
    enabled: bool,
}

/// A folder with one configuration file, and the flags that name it.
struct World {
    folder: tempfile::TempDir,
    args: ConfigArgs,
    env: Vec<(String, String)>,
}

fn world(toml: &str) -> World {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tributary.toml");
    fs::write(&file, toml).unwrap();
    let args = ConfigArgs { files: vec![file], ..ConfigArgs::default() };
    World { folder, args, env: Vec::new() }
}

impl World {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    fn set(mut self, flag: &str) -> Self {
        self.args.set.push(flag.into());
        self
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn load(&self) -> Result<Whole, Faults> {
        load_faults(&self.args, self.env.clone())
    }

    /// The faults, with the folder's name cut out.
    fn faults(&self) -> Vec<String> {
        let faults = self.load().expect_err("a fault");
        let folder = format!("{}/", self.folder.path().display());
        faults.iter().map(|fault| fault.to_string().replace(&folder, "")).collect()
    }
}

#[test]
fn every_layer_wins_over_the_ones_before_it() {
    let toml = "drain_seconds = 1\n[log]\nfilter = 'file'\n[grpc]\nlisten = '127.0.0.1:1'\n";
    let world = world(toml)
        .env("TRIBUTARY_LOG__FILTER", "environment")
        .env("TRIBUTARY_GRPC__LISTEN", "127.0.0.1:2")
        .set("grpc.listen=127.0.0.1:3");
    let second = world.file("second.toml", "drain_seconds = 2");
    let mut world = world;
    world.args.files.push(second);
    let config = world.load().unwrap();
    assert_eq!(config.nats.url, "nats://127.0.0.1:4222", "the default");
    assert_eq!(config.drain_seconds, 2, "the later file");
    assert_eq!(config.log.filter, "environment");
    assert_eq!(config.grpc.listen, "127.0.0.1:3".parse::<SocketAddr>().unwrap(), "the flag");
}

#[test]
fn each_variable_reaches_its_field() {
    type Field = fn(&Whole) -> String;
    let table: [(&str, &str, Field); 10] = [
        ("TRIBUTARY_DRAIN_SECONDS", "5", |c| c.drain_seconds.to_string()),
        ("TRIBUTARY_LOG__FORMAT", "json", |c| {
            assert_eq!(c.log.format, LogFormat::Json);
            "json".into()
        }),
        ("TRIBUTARY_GRPC__LISTEN", "[::1]:5", |c| c.grpc.listen.to_string()),
        ("TRIBUTARY_OPS__LISTEN", "127.0.0.1:5", |c| c.ops.listen.unwrap().to_string()),
        ("TRIBUTARY_NATS__URL", "nats://example:1", |c| c.nats.url.clone()),
        ("TRIBUTARY_NATS__PASSWORD", "007", |c| c.nats.password.expose().into()),
        ("TRIBUTARY_MEETING_REGISTRY__UDP_LISTEN", "127.0.0.1:9", |c| {
            c.meeting_registry.udp_listen.clone()
        }),
        ("TRIBUTARY_MEETING_REGISTRY__HOSTS", "a,b", |c| c.meeting_registry.hosts.join(",")),
        ("TRIBUTARY_MEETING_REGISTRY__LIMIT", "7", |c| {
            c.meeting_registry.limit.unwrap().to_string()
        }),
        ("TRIBUTARY_MEETING_REGISTRY__ENABLED", "true", |c| c.meeting_registry.enabled.to_string()),
    ];
    for (variable, value, field) in table {
        let config = world("").env(variable, value).load().unwrap();
        assert_eq!(field(&config), value, "{variable}");
    }
}

#[test]
fn variables_of_others_and_of_tests_are_no_configuration() {
    world("")
        .env("PATH", "/bin")
        .env("TRIBUTARY_TEST_POSTGRES_URL", "postgres://")
        .env("TRIBUTARY_TERMINAL_RELAY", "http://127.0.0.1:8080")
        .env("TRIBUTARYX_LOG", "x")
        .load()
        .unwrap();
}

#[test]
fn an_empty_address_turns_the_ops_server_off() {
    assert_eq!(world("").set("ops.listen=").load().unwrap().ops.listen, None);
}

#[test]
fn unknown_keys_are_refused_with_their_place_and_the_nearest_known_key() {
    let world = world("[log]\nformt = 'json'\n[meeting_registri]\nlimit = 1\nhosts = []\n")
        .env("TRIBUTARY_MEETING_REGISTRY_LIMIT", "7")
        .env("TRIBUTARY_NATS__PASWORD_FILE", "x")
        .set("colour=red");
    assert_eq!(
        world.faults(),
        [
            "tributary.toml: unknown key \"log.formt\" (did you mean \"log.format\"?)",
            "tributary.toml: unknown key \"meeting_registri\" (did you mean \"meeting_registry\"?)",
            "variable TRIBUTARY_MEETING_REGISTRY_LIMIT: unknown key \"meeting_registry_limit\" \
             (did you mean \"TRIBUTARY_MEETING_REGISTRY__LIMIT\"?)",
            "variable TRIBUTARY_NATS__PASWORD_FILE: unknown key \"nats.pasword_file\" \
             (did you mean \"TRIBUTARY_NATS__PASSWORD_FILE\"?)",
            "--set colour: unknown key \"colour\"",
        ]
    );
}

#[test]
fn all_values_that_do_not_fit_are_named_at_once() {
    let world = world("drain_seconds = 'soon'\n[log]\nformat = 'xml'\n")
        .env("TRIBUTARY_GRPC__LISTEN", "7400")
        .env("TRIBUTARY_LOG", "debug")
        .set("meeting_registry.limit=70000")
        .set("nonsense");
    let faults = world.faults();
    let expected = [
        "variable TRIBUTARY_LOG: log: this is a section: set one of its keys",
        "--set \"nonsense\": expected key=value, as in --set log.format=json",
        "tributary.toml: drain_seconds: found string \"soon\", expected an integer",
        "variable TRIBUTARY_GRPC__LISTEN: grpc.listen: invalid socket address syntax",
        "tributary.toml: log.format: ",
        "--set meeting_registry.limit: meeting_registry.limit: ",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}");
    }
}

#[test]
fn a_file_that_is_missing_or_broken_is_named() {
    let mut world = world("log = [\n");
    world.args.files.push(world.folder.path().join("absent.toml"));
    let faults = world.faults();
    assert!(faults[0].starts_with("tributary.toml: TOML parse error at line 1"), "{faults:?}");
    assert_eq!(faults[1], "absent.toml: No such file or directory (os error 2)");
}

#[test]
fn a_secret_comes_from_a_file_without_its_last_newline() {
    let world = world("");
    let file = world.file("password", " pass word \n\n");
    let world = world.env("TRIBUTARY_NATS__PASSWORD_FILE", file.to_str().unwrap());
    assert_eq!(world.load().unwrap().nats.password, Secret::new(" pass word \n"));
}

#[test]
fn a_secret_given_twice_or_from_an_empty_file_is_refused() {
    let world = world("[nats]\npassword = 'x'\n[security]\nadmin_token_file = '/nowhere/token'\n");
    let blank = world.file("blank", " \n");
    let world = world
        .env("TRIBUTARY_NATS__PASSWORD_FILE", "y")
        .env("TRIBUTARY_SECURITY__SERVICE_TOKEN_FILE", blank.to_str().unwrap());
    assert_eq!(
        world.faults(),
        [
            "nats.password is set (tributary.toml) and so is nats.password_file \
             (variable TRIBUTARY_NATS__PASSWORD_FILE): remove one of them",
            "tributary.toml: security.admin_token_file: /nowhere/token: \
             No such file or directory (os error 2)",
            "variable TRIBUTARY_SECURITY__SERVICE_TOKEN_FILE: security.service_token_file: blank: \
             the file is empty",
        ]
    );
}

#[test]
fn development_secrets_are_for_loopback_only() {
    for (key, address) in [
        ("grpc.listen", "0.0.0.0:7400"),
        ("grpc.listen", "[::]:7400"),
        ("ops.listen", "192.0.2.1:9090"),
        ("meeting_registry.udp_listen", "0.0.0.0:3478"),
    ] {
        let faults = world("").set(&format!("{key}={address}")).faults();
        let [fault] = faults.as_slice() else { panic!("one fault: {faults:?}") };
        assert!(fault.contains("security.admin_token, security.service_token"), "{fault}");
        assert!(fault.contains(&format!("{key} ({address}) is not on loopback")), "{fault}");
    }
    let own = world("[security]\nservice_token = 'mine'\nadmin_token = ''\n");
    own.set("grpc.listen=0.0.0.0:7400").load().expect("own secrets may be used anywhere");
    let known = world("[security]\nservice_token = 'development-only-x'\nadmin_token = 'mine'\n");
    assert_eq!(known.set("grpc.listen=0.0.0.0:7400").faults().len(), 1, "however it was given");
    world("").set("grpc.listen=127.0.0.9:1").set("ops.listen=[::1]:1").load().unwrap();
}

#[test]
fn printed_configuration_shows_no_secret_and_can_be_read_again() {
    let config = PlatformConfig {
        security: crate::SecurityConfig {
            service_token: Secret::new("canary-1"),
            admin_token: Secret::new("canary-2"),
        },
        ..PlatformConfig::default()
    };
    let args = ConfigArgs { print_config: true, ..ConfigArgs::default() };
    let printed = args.report(&config).unwrap().unwrap();
    assert!(!printed.contains("canary"), "{printed}");
    assert!(printed.contains("service_token = \"<secret>\""), "{printed}");
    let without_secrets: String = printed
        .lines()
        .filter(|line| !line.contains('<'))
        .fold(String::new(), |text, line| text + line + "\n");
    let world = world(&without_secrets);
    let config: PlatformConfig = load_faults(&world.args, []).unwrap();
    assert_eq!(config.drain_seconds, 8);
}

#[test]
fn a_check_says_so_and_nothing_else_is_printed() {
    let args = ConfigArgs { check_config: true, ..ConfigArgs::default() };
    assert!(args.report(&PlatformConfig::default()).unwrap().unwrap().contains("valid"));
    assert_eq!(ConfigArgs::default().report(&PlatformConfig::default()).unwrap(), None);
}
