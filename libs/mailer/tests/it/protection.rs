//! Log-in and TLS: what must be protected is never sent unprotected.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tributary_mailer::{ConfigError, MailConfig, Mailer, SendError};

use crate::{config, mailer, note, server::Server};

/// A certificate authority and a server's certificate, as PEM files.
struct Papers(TempDir);

impl Papers {
    fn new(host: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(parameters, key).unwrap();
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &authority).unwrap();
        let write =
            |name: &str, pem: String| std::fs::write(folder.path().join(name), pem).unwrap();
        write("ca.pem", authority.pem());
        write("cert.pem", certificate.pem());
        write("key.pem", key.serialize_pem());
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        path(self.0.path(), name)
    }

    async fn server(&self, tls: &str, more: &[&str]) -> Server {
        let (cert, key) = (self.path("cert.pem"), self.path("key.pem"));
        let options = ["--tls", tls, "--cert", &cert, "--key", &key];
        Server::start(&[&options, more].concat()).await
    }

    fn mailer(&self, url: String) -> Mailer {
        let config = MailConfig { ca_file: self.path("ca.pem"), ..config(url) };
        Mailer::new(&config).unwrap().unwrap()
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn both_kinds_of_tls_protect_message_and_log_in() {
    let papers = Papers::new("localhost");
    for (scheme, tls) in [("smtps", "implicit"), ("smtp+starttls", "starttls")] {
        let mut server = papers.server(tls, &["--login", "ada@h:pass/word"]).await;
        let url = format!("{scheme}://ada%40h:pass%2Fword@localhost:{}", server.port);
        papers.mailer(url).send(&note("ada@example.org")).await.unwrap();
        let received = server.received().await;
        assert_eq!(received["tls"], true, "{scheme}");
        assert_eq!(received["user"], "ada@h", "{scheme}");
    }
}

#[tokio::test]
async fn a_wrong_log_in_and_a_missing_one_are_told() {
    let papers = Papers::new("localhost");
    let server = papers.server("implicit", &["--login", "ada:right"]).await;
    for user in ["ada:canary@", "eve:canary@", ""] {
        let url = format!("smtps://{user}localhost:{}", server.port);
        let error = papers.mailer(url).send(&note("ada@example.org")).await.unwrap_err();
        assert!(matches!(error, SendError::LogIn(_)), "{error}");
        assert!(!error.is_transient());
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_nothing() {
    let (papers, others) = (Papers::new("localhost"), Papers::new("elsewhere.example"));
    for (scheme, tls) in [("smtps", "implicit"), ("smtp+starttls", "starttls")] {
        let server = papers.server(tls, &[]).await;
        let url = format!("{scheme}://u:canary@localhost:{}", server.port);
        // By an authority that is not trusted, and by one that vouches for somebody else.
        let unknown = mailer(url.clone()).send(&note("ada@example.org")).await.unwrap_err();
        let elsewhere = others.server(tls, &["--login", "u:canary"]).await;
        let url = format!("{scheme}://u:canary@localhost:{}", elsewhere.port);
        let wrong_host = others.mailer(url).send(&note("ada@example.org")).await.unwrap_err();
        for error in [unknown, wrong_host] {
            assert!(matches!(error, SendError::Unreachable(_)), "{error}");
            assert!(!error.to_string().contains("canary"));
        }
    }
}

#[tokio::test]
async fn starttls_never_falls_back_to_plain_text() {
    let papers = Papers::new("localhost");
    let mut plain = Server::start(&[]).await;
    let url = format!("smtp+starttls://localhost:{}", plain.port);
    let error = papers.mailer(url).send(&note("first@example.org")).await.unwrap_err();
    assert!(matches!(error, SendError::Unreachable(_)), "{error}");
    // What arrives first is what is sent next.
    let url = format!("smtp://localhost:{}", plain.port);
    mailer(url).send(&note("second@example.org")).await.unwrap();
    assert_eq!(plain.received().await["envelope_to"][0], "second@example.org");
}

#[test]
fn an_authority_that_can_not_be_read_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let with = |ca_file: String| {
        let config = MailConfig { ca_file, ..config("smtps://u:canary@localhost".into()) };
        Mailer::new(&config).unwrap_err()
    };
    let missing = with(path(folder.path(), "missing.pem"));
    assert!(matches!(missing, ConfigError::CaFile { .. }));
    for content in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        let file = path(folder.path(), "wrong.pem");
        std::fs::write(&file, content).unwrap();
        let wrong = with(file);
        assert!(matches!(wrong, ConfigError::Certificates { .. }), "{content}: {wrong}");
    }
}

#[test]
fn a_mailer_does_not_show_its_password() {
    let mailer = mailer("smtps://u:canary@localhost".into());
    assert!(!format!("{mailer:?}").contains("canary"));
}
