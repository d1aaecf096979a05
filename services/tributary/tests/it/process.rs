//! A process of the binary, on ports that the system chooses, in a folder of its own.

use std::{
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// Longer than anything here takes on a busy machine; reaching it is a failure.
const DEADLINE: Duration = Duration::from_secs(20);

/// A command without the variables that configure this test run's own surroundings.
pub fn command(folder: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    let configures = |name: &str| name.starts_with("TRIBUTARY_") || name.starts_with("OTEL_");
    for (name, _) in std::env::vars().filter(|(name, _)| configures(name)) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub struct Process {
    child: Child,
    logs: Lines<BufReader<ChildStderr>>,
    _folder: tempfile::TempDir,
}

impl Process {
    /// Starts a subcommand with JSON logs and all ports chosen by the system.
    pub fn start(subcommand: &str, settings: &[&str]) -> Self {
        Self::start_with(subcommand, settings, &[])
    }

    /// The same with other flags too.
    pub fn start_with(subcommand: &str, settings: &[&str], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = ["log.format=json", "ops.listen=127.0.0.1:0", "grpc.listen=127.0.0.1:0"];
        let mut arguments = vec![subcommand];
        for setting in ports.iter().chain(settings) {
            arguments.extend(["--set", setting]);
        }
        arguments.extend(flags);
        let mut child = command(folder.path(), &arguments).spawn().unwrap();
        let logs = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, logs, _folder: folder }
    }

    /// Waits for the log with this message; its field `address`, if it has one.
    pub async fn logged(&mut self, message: &str) -> Option<SocketAddr> {
        let wanted = async {
            while let Some(line) = self.logs.next_line().await.unwrap() {
                let log: serde_json::Value = serde_json::from_str(&line).unwrap();
                if log["message"].as_str().is_some_and(|text| text.contains(message)) {
                    return log["address"].as_str().map(|address| address.parse().unwrap());
                }
            }
            panic!("the process ended without saying {message:?}");
        };
        timeout(DEADLINE, wanted).await.expect("a log in time")
    }

    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("a process that runs").to_string();
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status();
        assert!(status.await.unwrap().success());
    }

    /// Waits for the end; how it ended, and what is on stdout.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let mut printed = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        let ended = async {
            // Logs are read on, or a full pipe would hold the process up.
            let logs = async { while let Ok(Some(_)) = self.logs.next_line().await {} };
            let (status, _, ()) =
                tokio::join!(self.child.wait(), stdout.read_to_string(&mut printed), logs);
            status.unwrap()
        };
        let status = timeout(DEADLINE, ended).await.expect("an end in time");
        (status, printed)
    }
}

/// The status and body of a page of the ops server.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
