//! Nothing that a world has started outlives it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tributary_harness::process::{Guard, Process};
use tributary_harness::wait;

/// In the test that kills itself: the folder of the child.
const FOLDER: &str = "TRIBUTARY_TEST_FOLDER";

/// A zombie (Z) has ended.
fn alive(pid: u32) -> bool {
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        return !stat.rsplit(") ").next().unwrap().starts_with('Z');
    }
    if Path::new("/proc/self").exists() {
        return false;
    }
    let output = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

fn sleeper(folder: &Path, guard: &Arc<Guard>) -> Process {
    Process::new(
        "sleeper",
        Path::new("sleep"),
        vec!["1000".to_owned()],
        folder.join("log"),
        guard.clone(),
    )
}

#[tokio::test]
async fn a_process_ends_with_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let guard = Arc::new(Guard::start(None).unwrap());
    let mut process = sleeper(folder.path(), &guard);
    process.start().unwrap();
    let pid = process.id().unwrap();
    assert!(alive(pid));
    drop(process);
    assert!(!alive(pid));
}

#[tokio::test]
async fn the_guard_ends_what_a_killed_owner_has_left_and_removes_its_folder() {
    // This test runs itself in a second process, which is then killed.
    if let Some(folder) = std::env::var_os(FOLDER) {
        let guard = Arc::new(Guard::start(Some(Path::new(&folder))).unwrap());
        let mut process = sleeper(Path::new(&folder), &guard);
        process.start().unwrap();
        println!("\nstarted {}", process.id().unwrap());
        std::future::pending::<()>().await;
    }
    let folder = tempfile::tempdir().unwrap().keep();
    let name = "the_guard_ends_what_a_killed_owner_has_left_and_removes_its_folder";
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(FOLDER, &folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let pid: u32 = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("started ")?.parse().ok())
        .unwrap();
    assert!(alive(pid) && folder.exists());

    owner.kill().unwrap();
    owner.wait().unwrap();
    let deadline = Duration::from_secs(10);
    wait::until("the process to end", deadline, || async { !alive(pid) }).await.unwrap();
    wait::until("the folder to go", deadline, || async { !folder.exists() }).await.unwrap();
}
