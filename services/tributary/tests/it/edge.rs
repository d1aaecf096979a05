//! `tributary relay` from outside: what it needs, how it says how it is, and what support gets.

use serde_json::Value;

use crate::process::{Process, command, get};

const OPS: &str = "ops server listens";
const TERMINALS: &str = "serving terminals";
const LONELY: [&str; 4] = [
    "edge.upstream=http://127.0.0.1:1",
    "edge.enrolment_token=canary-token",
    "relay.listen=127.0.0.1:0",
    "relay.udp_listen=127.0.0.1:0",
];

/// The exit code, stdout and stderr of a command that ends by itself.
async fn outcome(folder: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let output = command(folder, arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// An edge relay whose parent is not there.
fn lonely() -> Process {
    Process::start("relay", &LONELY)
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
    assert!(stdout.contains("people        not known before the relay is attached"), "{stdout}");
    assert!(stdout.contains("limit         not known before the relay is attached"), "{stdout}");
    assert!(stdout.contains("to do         It has never been attached."), "{stdout}");

    let (_, stdout, _) = outcome(folder.path(), &[&ask[..], &["--json"]].concat()).await;
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["attached"], false);
    // Nobody has said so: there is nothing to be shown as a number.
    for unknown in ["participants", "limit_kbit", "meeting"] {
        assert_eq!(report[unknown], Value::Null, "{unknown}");
    }
    assert!(report["advice"].as_str().unwrap().contains("one-time token"), "{report}");

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

/// Asks until the relay says of itself what is expected.
async fn says(address: &str, what: impl Fn(&Value) -> bool) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let ask = ["relay", "status", "--json", "--address", address];
    for _ in 0..200 {
        let (_, stdout, _) = outcome(folder.path(), &ask).await;
        let said: Value = serde_json::from_str(&stdout).unwrap();
        if what(&said) {
            return said;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it does not become so");
}

#[tokio::test]
async fn one_that_is_to_be_in_a_meeting_says_what_that_waits_for() {
    let link = "https://meet.example/#/m/1152921504606846977/AAECAwQFBgcICQoLDA0ODw";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("link"), link).unwrap();
    let from_file = format!("@{}", folder.path().join("link").display());
    let mut relay = Process::start_with("relay", &LONELY, &["--join", &from_file]);
    let address = format!("http://{}", relay.logged(TERMINALS).await.unwrap());
    let said = says(&address, |said| !said["meeting"].is_null()).await;
    assert_eq!(said["meeting"]["standing"], "not-attached");
    assert!(!said.to_string().contains("AAECAw"), "{said}");
    let ask = ["relay", "status", "--address", &address];
    let (_, stdout, _) = outcome(folder.path(), &ask).await;
    assert!(
        stdout.contains("meeting       The relay joins as soon as it is attached."),
        "{stdout}"
    );
    relay.signal("TERM").await;
    assert_eq!(relay.ended().await.0.code(), Some(0));
    let (code, _, stderr) = outcome(folder.path(), &["relay", "--join", "nonsense"]).await;
    assert!(code == 2 && stderr.contains("not a meeting's link"), "{stderr}");
}
