//! A nats-server of one's own: own port, own folder, ended with its owner.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tributary_message_bus::permissions::{User, authorization};
use tributary_service_runtime::{NatsConfig, Readiness, Secret};

/// A user without limits, for what goes wrong outside of the services.
const OPERATOR: &str = "operator";
const START_TIME_MAX: Duration = Duration::from_secs(20);

pub struct Server {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn users() -> Vec<User> {
    vec![
        User::Credential,
        User::AccessControl,
        User::MeetingRegistry,
        User::Mixer,
        User::relay("office-a".parse().unwrap()),
        User::relay("office-b".parse().unwrap()),
    ]
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let passwords: Vec<_> = users().into_iter().map(|user| (user, "secret".into())).collect();
        let listed = "users = [\n";
        let operator = format!("{listed}    {{ user: \"{OPERATOR}\", password: \"secret\" }}\n");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n{}",
            folder.path().join("js").display(),
            authorization(&passwords).replacen(listed, &operator, 1)
        );
        fs::write(folder.path().join("nats.conf"), text).unwrap();
        let process = spawn(&folder);
        let server = Self { process, folder, port };
        server.wait();
        server
    }

    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Takes away all that JetStream has kept, while the server is stopped.
    pub fn forget_all(&self) {
        fs::remove_dir_all(self.folder.path().join("js")).unwrap();
    }

    pub fn start_again(&mut self) {
        self.process = spawn(&self.folder);
        self.wait();
    }

    fn wait(&self) {
        let deadline = Instant::now() + START_TIME_MAX;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "nats-server did not start");
            std::thread::yield_now();
        }
    }

    /// A connection that may do everything.
    pub async fn operator(&self) -> async_nats::Client {
        async_nats::ConnectOptions::new()
            .user_and_password(OPERATOR.to_owned(), "secret".to_owned())
            .connect(format!("nats://127.0.0.1:{}", self.port))
            .await
            .unwrap()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn config(&self, user: &User) -> NatsConfig {
        NatsConfig {
            url: format!("nats://127.0.0.1:{}", self.port),
            user: user.name(),
            password: Secret::new("secret"),
        }
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

/// Waits for a condition, trying again and again.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn dependency() -> tributary_service_runtime::Dependency {
    Readiness::new().dependency("nats")
}
