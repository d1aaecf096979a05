//! What the binary says of its configuration.

use crate::process::command;

/// The exit code, stdout and stderr of a command that ends by itself.
async fn outcome(arguments: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path(), arguments).envs(env.iter().copied()).output();
    let output = output.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_valid_configuration_is_called_so_and_nothing_starts() {
    let (code, stdout, stderr) = outcome(&["mixer", "--check-config"], &[]).await;
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "the configuration is valid\n", ""));
}

#[tokio::test]
async fn faults_go_to_stderr_with_their_place() {
    let env = [("TRIBUTARY_RELAY__UDP_LISTN", "127.0.0.1:1")];
    let arguments = ["mixer", "--check-config", "--set", "grpc.listen=here"];
    let (code, stdout, stderr) = outcome(&arguments, &env).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("did you mean \"TRIBUTARY_RELAY__UDP_LISTEN\"?"), "{stderr}");
    assert!(stderr.contains("--set grpc.listen: grpc.listen: invalid socket address"), "{stderr}");
}

#[tokio::test]
async fn the_printed_configuration_has_what_applies_and_no_secret() {
    let env = [("TRIBUTARY_SECURITY__SERVICE_TOKEN", "canary"), ("TRIBUTARY_NATS__USER", "me")];
    let (code, stdout, stderr) = outcome(&["all", "--print-config"], &env).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("user = \"me\"") && stdout.contains("[relay]"), "{stdout}");
    assert!(!stdout.contains("canary") && !stdout.contains("development-only"), "{stdout}");
}

#[tokio::test]
async fn development_tokens_do_not_start_on_a_public_address() {
    let arguments = ["credential", "--set", "grpc.listen=0.0.0.0:0"];
    let (code, stdout, stderr) = outcome(&arguments, &[]).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("security.service_token"), "{stderr}");
    assert!(stderr.contains("grpc.listen (0.0.0.0:0) is not on loopback"), "{stderr}");
}
