//! A provider that answers what a test wants, right or wrong.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tributary_join_credential::{KeySet, SigningKey};

use crate::{
    provider::Returned,
    world::{World, now},
};

pub const SECRET: &str = "secret-of-the-tests";

/// What it answers, and what it was asked.
pub struct Script {
    /// The claims of the next identity token, but for the nonce.
    pub claims: Value,
    /// Whether the nonce is repeated as it should be.
    pub repeats_nonce: bool,
    /// The whole next identity token, if it is to be another one.
    pub token: Option<String>,
    /// What the UserInfo endpoint says.
    pub user_info: Value,
    /// Another answer of the endpoint for tokens.
    pub token_answer: Option<Answer>,
    /// What discovery says otherwise.
    pub metadata: Value,
    nonce: String,
}

#[derive(Clone, Copy)]
pub enum Answer {
    Redirect,
    Huge,
    Never,
    ServerError,
}

#[derive(Clone)]
pub struct ForgedProvider {
    pub issuer: String,
    pub script: Arc<Mutex<Script>>,
    pub key: Arc<SigningKey>,
    /// How often something was asked where a redirect led.
    pub followed: Arc<Mutex<u32>>,
}

impl ForgedProvider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let claims = json!({
            "iss": issuer, "aud": "tributary", "sub": "ada", "iat": now(), "exp": now() + 300,
            "name": "Ada", "email": "ada@example.org", "email_verified": true,
        });
        let script = Script {
            claims,
            repeats_nonce: true,
            token: None,
            user_info: json!({ "sub": "ada" }),
            token_answer: None,
            metadata: json!({}),
            nonce: String::new(),
        };
        let provider = Self {
            issuer,
            script: Arc::new(Mutex::new(script)),
            key: Arc::new(SigningKey::generate().unwrap()),
            followed: Arc::default(),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/me", get(user_info))
            .route("/elsewhere", get(elsewhere).post(elsewhere))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// A token as the provider would sign it, with another header or other claims.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        signed(&self.key, header, claims)
    }

    /// The right header.
    pub fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "kid": self.key.key_id().as_str() })
    }

    /// Begins a log-in of the world and comes back at once, as if somebody had logged in.
    pub async fn returned(&self, world: &World) -> Returned {
        let begun = world.begin("corp").await.unwrap();
        let url = openidconnect::url::Url::parse(&begun.authorization_url).unwrap();
        let nonce = url.query_pairs().find(|(name, _)| name == "nonce").unwrap().1.into_owned();
        self.set(|script| script.nonce = nonce);
        Returned { state: begun.state, code: "code".to_owned(), issuer: String::new() }
    }

    /// The claims of the next token, with the nonce of the log-in under way.
    pub fn claims(&self) -> Value {
        let script = self.script.lock().unwrap();
        let mut claims = script.claims.clone();
        if script.repeats_nonce {
            claims["nonce"] = Value::from(script.nonce.clone());
        }
        claims
    }
}

/// A token with an Ed25519 signature.
pub fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8(key.pkcs8()).unwrap();
    let message = unsigned(header, claims);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())))
}

/// Header and claims without a signature part.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token that is signed with the secret that client and provider share.
pub fn keyed(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

async fn metadata(State(provider): State<ForgedProvider>) -> Json<Value> {
    let issuer = &provider.issuer;
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/me"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    });
    let other = provider.script.lock().unwrap().metadata.clone();
    for (name, value) in other.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    Json(metadata)
}

async fn jwks(State(provider): State<ForgedProvider>) -> Response {
    let json = [("content-type", "application/json")];
    (json, KeySet::of([&*provider.key]).to_jwks()).into_response()
}

async fn token(State(provider): State<ForgedProvider>) -> Response {
    let (answer, token) = {
        let script = provider.script.lock().unwrap();
        (script.token_answer, script.token.clone())
    };
    match answer {
        Some(Answer::Redirect) => return Redirect::temporary("/elsewhere").into_response(),
        Some(Answer::Huge) => return " ".repeat(3 << 20).into_response(),
        Some(Answer::Never) => std::future::pending().await,
        Some(Answer::ServerError) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, "{}").into_response();
        }
        None => {}
    }
    let id_token = token.unwrap_or_else(|| provider.signed(&provider.header(), &provider.claims()));
    let tokens = json!({
        "access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": id_token,
    });
    Json(tokens).into_response()
}

async fn user_info(State(provider): State<ForgedProvider>) -> Json<Value> {
    Json(provider.script.lock().unwrap().user_info.clone())
}

async fn elsewhere(State(provider): State<ForgedProvider>) -> StatusCode {
    *provider.followed.lock().unwrap() += 1;
    StatusCode::OK
}
