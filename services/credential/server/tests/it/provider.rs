//! A real OpenID Connect provider (npm's `oidc-provider`), which `TRIBUTARY_TEST_OIDC` names, and a
//! browser that logs in at it.

use std::{collections::BTreeMap, process::Stdio};

use openidconnect::url::Url;
use reqwest::{Client, header, redirect::Policy};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use tonic::Status;
use tributary_contracts::credential::v1::{
    BeginOidcLogInRequest, BeginOidcLogInResponse, FinishOidcLogInRequest, Identity,
};
use tributary_credential_server::{Config, OidcProvider};

use crate::world::World;

pub const REDIRECT: &str = "http://localhost:8080/log-in";

/// A provider of the test's own, ended with it.
pub struct Provider {
    pub issuer: String,
    _process: Child,
}

impl Provider {
    pub async fn start(arguments: &[&str]) -> Self {
        let program = std::env::var("TRIBUTARY_TEST_OIDC")
            .expect("TRIBUTARY_TEST_OIDC is not set: run the tests by `just test`");
        let mut process = Command::new(program)
            .args(["--redirect-uri", REDIRECT])
            .args(arguments)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = lines.next_line().await.unwrap().unwrap();
        Self { issuer, _process: process }
    }

    pub fn port(&self) -> &str {
        self.issuer.rsplit(':').next().unwrap()
    }

    pub fn configured(&self, id: &str) -> OidcProvider {
        // It sends `iss` with its redirects.
        OidcProvider { iss_required: true, ..configured(&self.issuer, id) }
    }
}

/// A provider at an issuer, as it is configured.
pub fn configured(issuer: &str, id: &str) -> OidcProvider {
    OidcProvider {
        id: id.to_owned(),
        name: format!("The {id}"),
        issuer: issuer.to_owned(),
        client_id: "tributary".to_owned(),
        client_secret: "secret-of-the-tests".into(),
        redirect_uris: vec![REDIRECT.to_owned()],
        ..OidcProvider::default()
    }
}

pub fn with(oidc: Vec<OidcProvider>) -> Config {
    Config { oidc, ..Config::default() }
}

/// What the provider sends the browser back with.
#[derive(Clone, Debug)]
pub struct Returned {
    pub state: String,
    pub code: String,
    /// `iss`; empty if the provider sent none.
    pub issuer: String,
}

/// Goes to an address as a browser does, and logs in as somebody.
pub async fn browse(authorization_url: &str, login: &str) -> Returned {
    let client = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
    let mut url = Url::parse(authorization_url).unwrap();
    url.query_pairs_mut().append_pair("login_hint", login);
    let mut cookies = BTreeMap::new();
    for _ in 0..8 {
        let jar: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = client.get(url.clone()).header(header::COOKIE, jar.join("; "));
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        let Some(location) = answer.headers().get(header::LOCATION) else {
            panic!("{}: {}", answer.status(), answer.text().await.unwrap());
        };
        url = url.join(location.to_str().unwrap()).unwrap();
        if url.as_str().starts_with(REDIRECT) {
            let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
            return Returned {
                state: query["state"].clone(),
                code: query["code"].clone(),
                issuer: query["iss"].clone(),
            };
        }
    }
    panic!("no way back from {url}");
}

impl World {
    pub fn begin_request(&self, provider_id: &str) -> BeginOidcLogInRequest {
        BeginOidcLogInRequest {
            organisation: String::new(),
            provider_id: provider_id.to_owned(),
            redirect_uri: REDIRECT.to_owned(),
            key_thumbprint: self.thumbprint(),
            client_address: "192.0.2.1".to_owned(),
        }
    }

    pub async fn begin(&self, provider_id: &str) -> Result<BeginOidcLogInResponse, Status> {
        let request = self.begin_request(provider_id);
        self.credential.clone().begin_oidc_log_in(request).await.map(tonic::Response::into_inner)
    }

    pub async fn finish(&self, returned: &Returned) -> Result<Identity, Status> {
        let request = FinishOidcLogInRequest {
            state: returned.state.clone(),
            code: returned.code.clone(),
            key_thumbprint: self.thumbprint(),
            issuer: returned.issuer.clone(),
        };
        let answer = self.credential.clone().finish_oidc_log_in(request).await?;
        Ok(answer.into_inner().identity.unwrap())
    }

    /// The whole way.
    pub async fn log_in_at(&self, provider_id: &str, login: &str) -> Result<Identity, Status> {
        let begun = self.begin(provider_id).await?;
        self.finish(&browse(&begun.authorization_url, login).await).await
    }
}
