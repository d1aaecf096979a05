//! [`Account`]: everything that somebody can do at a terminal besides being in a meeting.

mod attachments;
mod meetings;
mod notices;
mod sharing;

use std::sync::Arc;

pub use attachments::Downloaded;
pub use notices::Notices;
use tokio::sync::Mutex;
use tributary_contracts::{
    credential::v1::{BeginOidcLogInResponse, FoundUser, GetLogInOptionsResponse, Identity},
    terminal::v1::{
        BeginOidcLogIn, FindUsers, FinishOidcLogIn, GetLogInOptions, LogOut, RefusalCode,
        relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_identifiers::KeyThumbprint;
use tributary_join_credential::TerminalKey;

use crate::{
    IdentitySource, JoinError, MeetingTarget, Options, Target,
    admission::identify,
    holder::Holder,
    protocol::{ConnectError, Connection, RequestError, Requests},
};

/// A key, who is logged in with it, and a connection to a relay, made again when it was lost. A clone
/// shares all three.
#[derive(Clone, Debug)]
pub struct Account(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    relay_url: String,
    forwarded_for: Option<String>,
    holder: Arc<Holder>,
    connection: Mutex<Option<Connection>>,
}

/// Who somebody is.
impl Account {
    /// Connects; nobody is logged in.
    pub async fn connect(relay_url: &str) -> Result<Self, JoinError> {
        Self::open(relay_url, None, new_holder()?).await
    }

    /// The same, as a trusted proxy would for a terminal at this address.
    pub async fn connect_from(relay_url: &str, address: &str) -> Result<Self, JoinError> {
        Self::open(relay_url, Some(address.to_owned()), new_holder()?).await
    }

    /// Connects, with a key that exists; nobody is logged in.
    pub async fn connect_with_key(
        relay_url: &str,
        key: Arc<TerminalKey>,
    ) -> Result<Self, JoinError> {
        Self::open(relay_url, None, Holder::with_key(key)).await
    }

    /// Connects and logs in.
    pub async fn logged_in(
        relay_url: &str,
        user_name: &str,
        password: &str,
    ) -> Result<Self, JoinError> {
        let account = Self::connect(relay_url).await?;
        account.log_in(user_name, password).await?;
        Ok(account)
    }

    /// Connects and enters without an account.
    pub async fn guest(relay_url: &str, display_name: &str) -> Result<Self, JoinError> {
        let account = Self::connect(relay_url).await?;
        account.enter_as_guest(display_name).await?;
        Ok(account)
    }

    /// The same key and identity at another relay.
    pub async fn at(&self, relay_url: &str) -> Result<Self, JoinError> {
        let holder = Arc::clone(&self.0.holder);
        Self::open(relay_url, self.0.forwarded_for.clone(), holder).await
    }

    async fn open(
        relay_url: &str,
        forwarded_for: Option<String>,
        holder: Arc<Holder>,
    ) -> Result<Self, JoinError> {
        let relay_url = relay_url.to_owned();
        let inner = Inner { relay_url, forwarded_for, holder, connection: Mutex::default() };
        let account = Self(Arc::new(inner));
        account.requests().await?;
        Ok(account)
    }

    /// How one can log in.
    pub async fn log_in_options(&self) -> Result<GetLogInOptionsResponse, RequestError> {
        match self.request(Body::GetLogInOptions(GetLogInOptions {})).await? {
            Reply::LogInOptions(options) => Ok(options),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// Logs in with name and password.
    pub async fn log_in(&self, user_name: &str, password: &str) -> Result<Identity, RequestError> {
        let (user_name, password) = (user_name.to_owned(), password.to_owned());
        self.identify(IdentitySource::LogIn { user_name, password }).await
    }

    /// Enters without an account.
    pub async fn enter_as_guest(&self, display_name: &str) -> Result<Identity, RequestError> {
        self.identify(IdentitySource::Guest { display_name: display_name.to_owned() }).await
    }

    pub(crate) async fn identify(&self, source: IdentitySource) -> Result<Identity, RequestError> {
        let requests = self.requests().await.map_err(|_| RequestError::Lost)?;
        let identity = identify(&requests, &source, self.0.holder.public_key()).await?;
        self.0.holder.set(Some(identity.clone()));
        Ok(identity)
    }

    /// Begins a log-in at an OpenID Connect provider.
    pub async fn begin_oidc(
        &self,
        provider_id: &str,
        redirect_uri: &str,
    ) -> Result<BeginOidcLogInResponse, RequestError> {
        let begin = BeginOidcLogIn {
            provider_id: provider_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            public_key: self.public_key(),
        };
        match self.request(Body::BeginOidcLogIn(begin)).await? {
            Reply::OidcRedirect(redirect) => Ok(redirect),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// Ends it with what a provider has sent back that does not say who it is.
    pub async fn finish_oidc(&self, state: &str, code: &str) -> Result<Identity, RequestError> {
        self.finish_oidc_from("", state, code).await
    }

    /// Ends it with what the provider has sent back: `iss` (RFC 9207), `state` and `code`.
    pub async fn finish_oidc_from(
        &self,
        issuer: &str,
        state: &str,
        code: &str,
    ) -> Result<Identity, RequestError> {
        let finish = FinishOidcLogIn {
            state: state.to_owned(),
            code: code.to_owned(),
            public_key: self.public_key(),
            issuer: issuer.to_owned(),
        };
        match self.request(Body::FinishOidcLogIn(finish)).await? {
            Reply::Identity(identity) => {
                self.0.holder.set(Some(identity.clone()));
                Ok(identity)
            }
            _ => Err(RequestError::WrongKind),
        }
    }

    /// Gets a new identity token now; by itself this happens when three quarters of its life are over.
    pub async fn refresh(&self) -> Result<Identity, RequestError> {
        let requests = self.requests().await.map_err(|_| RequestError::Lost)?;
        self.0.holder.refresh(&requests).await?;
        self.identity().ok_or(RequestError::WrongKind)
    }

    /// Logs out; the account forgets its token.
    pub async fn log_out(&self) -> Result<(), RequestError> {
        let identity_token = self.token().await?;
        match self.request(Body::LogOut(LogOut { identity_token })).await? {
            Reply::LoggedOut(_) => {
                self.0.holder.forget();
                Ok(())
            }
            _ => Err(RequestError::WrongKind),
        }
    }

    /// Users of the organisation whose name begins like this.
    pub async fn find_users(&self, beginning: &str) -> Result<Vec<FoundUser>, RequestError> {
        let (identity_token, beginning) = (self.token().await?, beginning.to_owned());
        match self
            .request(Body::FindUsers(FindUsers { identity_token, beginning, user_ids: Vec::new() }))
            .await?
        {
            Reply::UsersFound(found) => Ok(found.users),
            _ => Err(RequestError::WrongKind),
        }
    }

    /// Who is logged in.
    pub fn identity(&self) -> Option<Identity> {
        self.0.holder.identity()
    }

    /// From now on shows this identity, as a program that has kept or stolen one would.
    pub fn set_identity(&self, identity: Option<Identity>) {
        self.0.holder.set(identity);
    }

    /// The key that everything is bound to.
    pub fn key(&self) -> Arc<TerminalKey> {
        Arc::clone(self.0.holder.key())
    }

    /// Its public half: uncompressed point, 65 bytes.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.holder.public_key()
    }

    /// Its thumbprint (RFC 7638).
    pub fn key_thumbprint(&self) -> KeyThumbprint {
        self.0.holder.key_thumbprint()
    }

    /// How this account joins a meeting: [`Terminal::join`](crate::Terminal::join). In one meeting, the
    /// key is one participant.
    pub fn options(&self, target: impl Into<Target>) -> Options {
        let identity = IdentitySource::Account(self.clone());
        Options::new(self.0.relay_url.clone(), identity, MeetingTarget::Existing(target.into()))
    }

    pub(crate) fn holder(&self) -> Arc<Holder> {
        Arc::clone(&self.0.holder)
    }
}

/// How it is asked.
impl Account {
    /// Sends any request and waits for its answer.
    pub async fn request(&self, body: Body) -> Result<Reply, RequestError> {
        let requests = self.requests().await.map_err(|_| RequestError::Lost)?;
        requests.request(body).await
    }

    async fn requests(&self) -> Result<Requests, ConnectError> {
        let mut connection = self.0.connection.lock().await;
        if let Some(connection) = connection.as_ref().filter(|connection| !connection.has_ended()) {
            return Ok(connection.requests());
        }
        let opened = connection.insert(self.open_connection().await?);
        Ok(opened.requests())
    }

    async fn open_connection(&self) -> Result<Connection, ConnectError> {
        let Inner { relay_url, forwarded_for, .. } = &*self.0;
        match forwarded_for {
            Some(address) => Connection::connect_from(relay_url, address).await,
            None => Connection::connect(relay_url).await,
        }
    }

    /// The identity token; empty, which every relay refuses, if nobody is logged in.
    async fn token(&self) -> Result<String, RequestError> {
        let requests = self.requests().await.map_err(|_| RequestError::Lost)?;
        Ok(self.0.holder.token(&requests).await?.unwrap_or_default())
    }
}

fn new_holder() -> Result<Arc<Holder>, JoinError> {
    Holder::new().map_err(|error| JoinError::System(error.to_string()))
}

/// What somebody gets who is not logged in.
pub(crate) fn not_logged_in() -> RequestError {
    let message = "nobody is logged in: log in, or enter as a guest".to_owned();
    RequestError::Refused { code: RefusalCode::NotLoggedIn, message }
}
