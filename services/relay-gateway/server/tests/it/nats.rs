//! A nats-server of the test's own: own port, own folder, ended with it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tributary_message_bus::{
    ControlBus,
    permissions::{User, authorization},
};
use tributary_service_runtime::{NatsConfig, Readiness, Secret};

const START_TIME_MAX: Duration = Duration::from_secs(20);

pub struct Nats {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn relay_user() -> User {
    User::relay("test".parse().unwrap())
}

impl Nats {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let users = [
            User::AccessControl,
            User::Credential,
            User::MeetingRegistry,
            User::Mixer,
            relay_user(),
        ];
        let passwords: Vec<_> = users.map(|user| (user, "secret".to_owned())).into();
        let store = folder.path().join("js");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\n{}",
            store.display(),
            authorization(&passwords)
        );
        fs::write(folder.path().join("nats.conf"), text).unwrap();
        let process = spawn(&folder);
        let nats = Self { process, folder, port };
        nats.wait();
        nats
    }

    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.process = spawn(&self.folder);
        self.wait();
    }

    fn wait(&self) {
        let deadline = Instant::now() + START_TIME_MAX;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "nats-server did not start");
            std::thread::yield_now();
        }
    }

    pub fn config(&self, user: &User) -> NatsConfig {
        NatsConfig {
            url: format!("nats://127.0.0.1:{}", self.port),
            user: user.name(),
            password: Secret::new("secret"),
        }
    }

    /// A connection as another service has it, when it is up.
    pub async fn connect(&self, user: &User) -> ControlBus {
        let dependency = Readiness::new().dependency("nats");
        let bus = ControlBus::connect(&self.config(user), "test", &dependency).await.unwrap();
        bus.link().wait_for(|link| link.up).await.unwrap();
        bus
    }
}

fn spawn(folder: &TempDir) -> Child {
    let program = std::env::var("NATS_SERVER")
        .expect("NATS_SERVER must name the nats-server program: run `just test`");
    Command::new(program)
        .arg("-c")
        .arg(folder.path().join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
