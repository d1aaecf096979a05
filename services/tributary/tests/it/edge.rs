//! `tributary relay` from outside: what it needs, how it says how it is, and what support gets.

use serde_json::Value;

use crate::process::{Process, command, get};

const OPS: &str = "ops server listens";
const TERMINALS: &str = "serving terminals";

/// The exit code, stdout and stderr of a command that ends by itself.
async fn outcome(folder: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let output = command(folder, arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// An edge relay whose parent is not there.
fn lonely() -> Process {
    let settings = [
        "edge.upstream=http://127.0.0.1:1",
        "edge.enrolment_token=canary-token",
        "relay.listen=127.0.0.1:0",
        "relay.udp_listen=127.0.0.1:0",
    ];
    Process::start("relay", &settings)
}

#[tokio::test]
async fn it_wants_a_parent_and_flags_are_settings() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = outcome(folder.path(), &["relay", "--check-config"]).await;
    assert_eq!(code, 2);
    assert!(stderr.contains("--upstream"), "{stderr}");
    let flags = [
        "relay",
        "--upstream",
        "https://a.example",
        "--upstream",
        "https://b.example:7443",
        "--data-dir",
        "here",
        "--enrolment-token-file",
        "token",
        "--print-config",
    ];
    let (code, stdout, stderr) = outcome(folder.path(), &flags).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    for line in ["https://a.example", "https://b.example:7443", "\"here\"", "\"token\""] {
        assert!(stdout.contains(line), "{stdout}");
    }
    let public = [&flags[..3], &["--check-config", "--set", "relay.listen=0.0.0.0:8443"]].concat();
    let (code, _, stderr) = outcome(folder.path(), &public).await;
    assert!(code == 2 && stderr.contains("relay.certificate_file"), "{stderr}");
    assert!(!stderr.contains("security."), "{stderr}");
}

#[tokio::test]
async fn without_its_parent_it_lives_says_why_and_gives_support_no_secret() {
    let mut relay = lonely();
    let ops = relay.logged(OPS).await.unwrap();
    let address = relay.logged(TERMINALS).await.unwrap();
    relay.logged("uplink").await;
    assert_eq!(get(ops, "/livez").await.0, 200);
    let (status, body) = get(ops, "/readyz").await;
    assert!(status == 503 && body.contains("\"uplink\""), "{status} {body}");

    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{address}");
    let ask = ["relay", "status", "--address", &url];
    let (code, stdout, stderr) = outcome(folder.path(), &ask).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("relay         not enrolled"), "{stdout}");
    assert!(stdout.contains("attached      no"), "{stdout}");
    assert!(stdout.contains("127.0.0.1:1 can't be reached"), "{stdout}");

    let (_, stdout, _) = outcome(folder.path(), &[&ask[..], &["--json"]].concat()).await;
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&report["attached"], &report["participants"]), (&false.into(), &0.into()));

    let given = ["--set", "edge.enrolment_token=canary-token", "--output", "bundle.json"];
    let diag = [&["relay", "diag", "--address", &url][..], &given].concat();
    let (code, _, stderr) = outcome(folder.path(), &diag).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let text = std::fs::read_to_string(folder.path().join("bundle.json")).unwrap();
    assert!(!text.contains("canary"), "{text}");
    let bundle: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bundle["status"]["attached"], false);
    assert_eq!(bundle["configuration"]["edge"]["enrolment_token"], "<secret>");
    let log = bundle["log"].as_array().unwrap();
    let said = |words: &str| log.iter().any(|line| line.as_str().unwrap().contains(words));
    assert!(said("edge-relay has started") && said("can't be reached"), "{log:?}");

    relay.signal("TERM").await;
    assert_eq!(relay.ended().await.0.code(), Some(0));
    let (code, _, stderr) = outcome(folder.path(), &ask).await;
    assert!(code == 1 && stderr.contains("no relay answers at"), "{stderr}");
}
