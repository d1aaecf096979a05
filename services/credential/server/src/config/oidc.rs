//! `[[credential.oidc]]`.

use std::{collections::HashSet, net::IpAddr, path::PathBuf};

use openidconnect::url::{Host, Url};
use serde::{Deserialize, Serialize};
use tributary_identifiers::{OrganisationId, UserId};
use tributary_service_runtime::Secret;

use super::{
    InvalidConfig,
    secret_file::{self, SecretSourceError},
};

/// The longest issuer, in bytes, as the database keeps it.
const ISSUER_LENGTH_MAX: usize = 512;

/// An OpenID Connect provider to log in with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcProvider {
    /// Names it in requests: 1 to 64 of `a-z A-Z 0-9 - _`; unique in the organisation.
    pub id: String,
    /// The name shown on the button; empty: the id.
    pub name: String,
    /// Its issuer, as it stands in its tokens. `https`, or `http` on this machine.
    pub issuer: String,
    /// What it knows this service as.
    pub client_id: String,
    /// What proves that to it; this, or `client_secret_file`, or neither for a public client.
    pub client_secret: Secret,
    /// A file with the secret; one line break at its end does not count.
    pub client_secret_file: Option<PathBuf>,
    /// The organisation whose users log in here; empty means `default`.
    pub organisation: String,
    /// Where it may send browsers back to: pages of the web client.
    pub redirect_uris: Vec<String>,
    /// Whether a redirect that does not name its provider (`iss`, RFC 9207) is refused, even if the
    /// provider does not announce that its redirects do. Providers of one organisation that share a
    /// redirect URI must all have it: else one of them could pass off its redirects as another's.
    pub iss_required: bool,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// If not empty, only who has a verified e-mail address in one of these domains may enter.
    pub allowed_email_domains: Vec<String>,
}

impl Default for OidcProvider {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            issuer: String::new(),
            client_id: String::new(),
            client_secret: Secret::default(),
            client_secret_file: None,
            organisation: String::new(),
            redirect_uris: Vec::new(),
            iss_required: false,
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            allowed_email_domains: Vec::new(),
        }
    }
}

impl OidcProvider {
    /// The secret, wherever it is given; none for a public client.
    ///
    /// # Errors
    /// It is given twice, or its file can't be read.
    pub fn read_client_secret(&self) -> Result<Option<Secret>, SecretSourceError> {
        if self.client_secret.is_empty() && self.client_secret_file.is_none() {
            return Ok(None);
        }
        let file = self.client_secret_file.as_deref();
        secret_file::read("client_secret", &self.client_secret, file).map(Some)
    }

    /// The name shown on the button.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }

    fn check(&self) -> Result<(), String> {
        if self.id.parse::<UserId>().is_err() {
            return Err("id must be 1 to 64 of the characters a-z, A-Z, 0-9, '-', '_'".into());
        }
        OrganisationId::from_request(&self.organisation).map_err(|error| error.to_string())?;
        if self.issuer.len() > ISSUER_LENGTH_MAX {
            return Err(format!("issuer must have at most {ISSUER_LENGTH_MAX} bytes"));
        }
        check_url("issuer", &self.issuer)?;
        if self.client_id.is_empty() {
            return Err("client_id is missing".into());
        }
        if self.redirect_uris.is_empty() {
            return Err("redirect_uris is empty: name the page of the web client".into());
        }
        self.redirect_uris.iter().try_for_each(|uri| check_url("redirect_uris", uri))?;
        let words =
            |scope: &String| !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic());
        if !self.scopes.iter().all(words) {
            return Err("scopes must be single words".into());
        }
        let domain = |domain: &String| !domain.is_empty() && !domain.contains('@');
        if !self.allowed_email_domains.iter().all(domain) {
            return Err("allowed_email_domains must be domains, such as example.org".into());
        }
        Ok(())
    }
}

/// Checks all providers, each and beside each other.
pub fn check_all(providers: &[OidcProvider]) -> Result<(), InvalidConfig> {
    let mut seen = HashSet::new();
    for provider in providers {
        let invalid = |reason| InvalidConfig::Provider { id: provider.id.clone(), reason };
        provider.check().map_err(invalid)?;
        let organisation = OrganisationId::from_request(&provider.organisation)
            .map_err(|error| invalid(error.to_string()))?;
        if !seen.insert((organisation, provider.id.as_str())) {
            return Err(invalid("the id is used twice in the organisation".into()));
        }
    }
    let mut rest = providers;
    while let [provider, others @ ..] = rest {
        others.iter().try_for_each(|other| check_apart(provider, other))?;
        rest = others;
    }
    Ok(())
}

/// Refuses a redirect URI that two providers share, if it can't be told which of them a redirect is
/// from (RFC 9700 section 2.1, mix-up).
fn check_apart(one: &OidcProvider, other: &OidcProvider) -> Result<(), InvalidConfig> {
    let organisation =
        |provider: &OidcProvider| OrganisationId::from_request(&provider.organisation).ok();
    if organisation(one) != organisation(other) || (one.iss_required && other.iss_required) {
        return Ok(());
    }
    match one.redirect_uris.iter().find(|uri| other.redirect_uris.contains(uri)) {
        None => Ok(()),
        Some(shared) => Err(InvalidConfig::Provider {
            id: other.id.clone(),
            reason: format!(
                "shares the redirect URI {shared:?} with {:?}: set iss_required = true for both, if \
                 both send `iss` with their redirects (RFC 9207), or give each its own",
                one.id
            ),
        }),
    }
}

fn check_url(key: &str, text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("{key}: {text:?}: {error}"))?;
    if !is_safe(&url) {
        return Err(format!("{key}: {text:?} must begin with https:// (http:// on loopback only)"));
    }
    if url.fragment().is_some() {
        return Err(format!("{key}: {text:?} must not have a fragment"));
    }
    Ok(())
}

/// Whether what goes to this URL can't be read on the way.
pub fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => loopback,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> OidcProvider {
        OidcProvider {
            id: "corp".into(),
            issuer: "https://id.example.org/realm".into(),
            client_id: "tributary".into(),
            redirect_uris: vec!["http://localhost:8080/".into()],
            ..OidcProvider::default()
        }
    }

    #[test]
    fn what_can_not_work_or_is_not_safe_is_refused() {
        assert_eq!(check_all(&[provider()]), Ok(()));
        let refused = |change: fn(&mut OidcProvider), word: &str| {
            let mut provider = provider();
            change(&mut provider);
            let message = check_all(&[provider]).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        };
        refused(|p| p.id = "a b".into(), "id must be");
        refused(|p| p.organisation = "a.b".into(), "organisation");
        refused(|p| p.issuer = "http://id.example.org".into(), "https://");
        refused(|p| p.issuer = "id.example.org".into(), "issuer");
        refused(|p| p.issuer = "http://127.0.0.1.example.org".into(), "https://");
        refused(|p| p.client_id.clear(), "client_id");
        refused(|p| p.redirect_uris.clear(), "redirect_uris");
        refused(|p| p.redirect_uris = vec!["https://m.example.org/#x".into()], "fragment");
        refused(|p| p.redirect_uris = vec!["javascript:alert(1)".into()], "https://");
        refused(|p| p.scopes = vec!["a b".into()], "scopes");
        refused(|p| p.allowed_email_domains = vec!["@x.org".into()], "domains");
        let twice = check_all(&[provider(), provider()]).unwrap_err().to_string();
        assert!(twice.contains("twice"), "{twice}");
        let other = || OidcProvider { id: "other".into(), ..provider() };
        let shared = check_all(&[provider(), other()]).unwrap_err().to_string();
        assert!(shared.contains("\"corp\"") && shared.contains("iss_required"), "{shared}");
        let named = |provider| OidcProvider { iss_required: true, ..provider };
        assert!(check_all(&[named(provider()), other()]).is_err());
        assert!(check_all(&[provider(), named(other())]).is_err());
        assert_eq!(check_all(&[named(provider()), named(other())]), Ok(()));
        let own = vec!["http://localhost:8080/other".to_owned()];
        let apart = OidcProvider { redirect_uris: own, ..other() };
        assert_eq!(check_all(&[provider(), apart]), Ok(()));
        let elsewhere = OidcProvider { organisation: "acme".into(), ..provider() };
        assert_eq!(check_all(&[provider(), elsewhere]), Ok(()));
    }

    #[test]
    fn a_public_client_has_no_secret() {
        assert!(provider().read_client_secret().unwrap().is_none());
        let secret = OidcProvider { client_secret: "hush".into(), ..provider() };
        assert_eq!(secret.read_client_secret().unwrap().unwrap().expose(), "hush");
        assert!(!format!("{secret:?}").contains("hush"));
    }
}
