//! HTTP to services and peers on this machine.

use std::sync::OnceLock;

use anyhow::{Context, Result};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

/// A client that follows no redirect.
pub fn client() -> Result<Client> {
    static CRYPTO: OnceLock<()> = OnceLock::new();
    // Nothing here speaks TLS, but a client that was built together with the services' wants to know
    // by which library it would. Somebody else may have said so already.
    CRYPTO.get_or_init(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
    Client::builder().redirect(Policy::none()).build().context("make an HTTP client")
}

/// Gets a page.
pub async fn get(url: &str) -> Result<Response> {
    client()?.get(url).send().await.with_context(|| format!("get {url}"))
}
