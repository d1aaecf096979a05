//! Who an edge relay is: its key, what the core has told it, and how it shows that it is itself.
//!
//! **Invariant:** a key is on the disk before the core hears of it, and stays there until the core has
//! accepted another: a crash at any moment loses no identity.

mod error;
mod settings;
#[cfg(test)]
mod tests;
mod vault;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tonic::{Request, metadata::MetadataValue, transport::Channel};
use tributary_contracts::relay::v1::{
    EnrolRequest, GetChallengeRequest, Hello, RelaySettings, RotateKeyRequest,
    relay_uplink_client::RelayUplinkClient,
};
use tributary_identifiers::RelayId;
use tributary_join_credential::RelayKey;
use tributary_relay_uplink::protocol;
use tributary_service_runtime::Secret;

use super::config::Config;
pub use error::IdentityError;
pub use settings::Settings;
use settings::Stored;
use vault::{KeyFile, Vault};

/// Names the session in calls beside the control stream.
const SESSION_METADATA: &str = "tributary-uplink-session";
/// Longest enrolment token, in bytes: a wrong path must not fill the memory.
const TOKEN_BYTES_MAX: u64 = 4096;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The identity of this relay; one process at a time has it.
///
/// Its methods write small files a few times in a relay's life, on the caller's thread.
pub struct Identity {
    vault: Vault,
    token: Secret,
    token_file: PathBuf,
    rotate_after: Duration,
    state: Mutex<State>,
}

struct State {
    stored: Option<Stored>,
    key: Arc<RelayKey>,
    /// The key that a rotation was begun with; whether the core has it is not known.
    next: Option<Arc<RelayKey>>,
    /// Whether the next proof is by that one.
    try_next: bool,
    /// The token that was shown last.
    shown: Option<Secret>,
}

/// A signed `Hello`, and which key has signed it.
pub struct Proven {
    /// To be sent, once `resume` and `received` are filled in.
    pub hello: Hello,
    by: KeyFile,
}

impl Identity {
    /// Opens the folder of `config`, makes it and a first key if they are not there yet.
    ///
    /// # Errors
    /// The folder or a file can't be used, is open to others, or another process has it.
    pub fn open(config: &Config) -> Result<Self, IdentityError> {
        let vault = Vault::open(&config.data_dir)?;
        let stored = vault.read_stored()?;
        let key = match vault.read_key(KeyFile::Current)? {
            Some(key) => key,
            None if stored.is_some() => {
                return Err(IdentityError::KeyLost(vault.path().to_owned()));
            }
            None => {
                let key = RelayKey::generate()?;
                vault.write_key(KeyFile::Current, &key)?;
                key
            }
        };
        let next = vault.read_key(KeyFile::Next)?.map(Arc::new);
        let try_next = next.is_some();
        Ok(Self {
            vault,
            token: config.enrolment_token.clone(),
            token_file: config.enrolment_token_file.clone(),
            rotate_after: DAY * config.rotate_days,
            state: Mutex::new(State { stored, key: Arc::new(key), next, try_next, shown: None }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the core has made this relay; none before it is enrolled.
    #[must_use]
    pub fn settings(&self) -> Option<Settings> {
        self.state().stored.as_ref().map(|stored| stored.settings.clone())
    }

    /// Trades the one-time token for an identity. To be called until it succeeds, with the same key
    /// each time; the token is not needed after that.
    ///
    /// # Errors
    /// There is no token, the parent does not answer, or the core refuses.
    pub async fn enrol(&self, channel: Channel) -> Result<Settings, IdentityError> {
        let token = self.token()?;
        self.state().shown = Some(token.clone());
        let mut client = RelayUplinkClient::new(channel);
        let challenge = challenge(&mut client).await?;
        let key = Arc::clone(&self.state().key);
        let request = EnrolRequest {
            token: token.expose().to_owned(),
            public_key: key.public_key().to_vec(),
            proof: key.sign_enrolment(&challenge, token.expose())?,
            challenge,
        };
        let answer = client.enrol(request).await.map_err(IdentityError::of_enrolment)?;
        let told = answer.into_inner().settings.ok_or(IdentityError::Answer("no settings"))?;
        let settings = Settings::try_from(&told)?;
        let stored = Stored { settings: settings.clone(), key_since: now() };
        self.vault.write_stored(&stored)?;
        self.state().stored = Some(stored);
        Ok(settings)
    }

    /// Enrols anew if there is a token that was not shown yet: an administrator has allowed the relay
    /// again. True if it has another identity now.
    ///
    /// # Errors
    /// As of [`Self::enrol`].
    pub async fn enrol_again(&self, channel: Channel) -> Result<bool, IdentityError> {
        let Ok(token) = self.token() else { return Ok(false) };
        let known =
            self.state().shown.as_ref().is_some_and(|shown| shown.expose() == token.expose());
        if known {
            return Ok(false);
        }
        self.enrol(channel).await.map(|_| true)
    }

    fn token(&self) -> Result<Secret, IdentityError> {
        if !self.token.is_empty() {
            return Ok(self.token.clone());
        }
        if self.token_file.as_os_str().is_empty() {
            return Err(IdentityError::NoToken);
        }
        let failed = |source| IdentityError::TokenFile { path: self.token_file.clone(), source };
        if std::fs::metadata(&self.token_file).map_err(failed)?.len() > TOKEN_BYTES_MAX {
            return Err(failed(std::io::Error::other("it is too long for a token")));
        }
        let text = std::fs::read_to_string(&self.token_file).map_err(failed)?;
        match text.trim() {
            "" => Err(failed(std::io::Error::other("it is empty"))),
            token => Ok(Secret::new(token)),
        }
    }

    /// Asks the parent for a challenge and signs it: the beginning of `Attach`.
    ///
    /// # Errors
    /// The relay is not enrolled, or the parent does not answer.
    pub async fn prove(&self, channel: Channel) -> Result<Proven, IdentityError> {
        let challenge = challenge(&mut RelayUplinkClient::new(channel)).await?;
        self.sign(challenge)
    }

    /// Signs a challenge.
    fn sign(&self, challenge: Vec<u8>) -> Result<Proven, IdentityError> {
        let state = self.state();
        let stored = state.stored.as_ref().ok_or(IdentityError::NoToken)?;
        let (key, by) = match &state.next {
            Some(next) if state.try_next => (next, KeyFile::Next),
            _ => (&state.key, KeyFile::Current),
        };
        let relay_id = stored.settings.relay_id.clone();
        let hello = Hello {
            proof: key.sign_attach(&challenge, &relay_id)?,
            challenge,
            relay_id: relay_id.to_string(),
            resume: Vec::new(),
            received: 0,
            protocol_oldest: protocol::OLDEST,
            protocol_newest: protocol::NEWEST,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Proven { hello, by })
    }

    /// The core has accepted that proof: the key is the relay's, and these are its settings now.
    ///
    /// # Errors
    /// What has to be kept can't be written, or the settings are another relay's.
    pub fn accepted(&self, proven: &Proven, told: &RelaySettings) -> Result<(), IdentityError> {
        if proven.by == KeyFile::Next {
            self.take_next()?;
        }
        self.keep(told)
    }

    /// The core has refused that proof (`UNAUTHENTICATED`). True if another try, with the other key of a
    /// rotation that was cut short, makes sense at once.
    pub fn refused(&self, proven: &Proven) -> bool {
        let mut state = self.state();
        if state.next.is_none() {
            return false;
        }
        state.try_next = proven.by == KeyFile::Current;
        !state.try_next
    }

    /// Keeps what the administrator has set now; writes only what is new.
    ///
    /// # Errors
    /// It can't be written, or is another relay's.
    pub fn keep(&self, told: &RelaySettings) -> Result<(), IdentityError> {
        let settings = Settings::try_from(told)?;
        let mut state = self.state();
        let Some(stored) = &mut state.stored else { return Err(IdentityError::NoToken) };
        if stored.settings.relay_id != settings.relay_id {
            return Err(IdentityError::Answer("settings of another relay"));
        }
        if stored.settings != settings {
            stored.settings = settings;
            self.vault.write_stored(stored)?;
        }
        Ok(())
    }

    /// Whether the key is old enough for another one.
    #[must_use]
    pub fn rotation_due(&self, now: SystemTime) -> bool {
        let state = self.state();
        let since = state.stored.as_ref().map(|stored| Duration::from_secs(stored.key_since));
        let age = since.and_then(|since| now.duration_since(UNIX_EPOCH + since).ok());
        age.is_some_and(|age| age >= self.rotate_after)
    }

    /// Takes a new key; `session` is the token of `Attached`. Cut short at any moment, it is gone on
    /// with at the next attach.
    ///
    /// # Errors
    /// The new key can't be kept, the parent does not answer, or the core refuses.
    pub async fn rotate(&self, channel: Channel, session: &[u8]) -> Result<(), IdentityError> {
        let (key, next, relay_id) = self.begin_rotation()?;
        let mut client = RelayUplinkClient::new(channel);
        let challenge = challenge(&mut client).await?;
        let public_key = next.public_key();
        let mut request = Request::new(RotateKeyRequest {
            relay_id: relay_id.to_string(),
            public_key: public_key.to_vec(),
            proof: key.sign_rotation(&challenge, &public_key)?,
            next_proof: next.sign_rotation(&challenge, &public_key)?,
            challenge,
        });
        let token: String = session.iter().map(|byte| format!("{byte:02x}")).collect();
        let token =
            MetadataValue::try_from(token).map_err(|_| IdentityError::Answer("no token"))?;
        request.metadata_mut().insert(SESSION_METADATA, token);
        client.rotate_key(request).await.map_err(IdentityError::Parent)?;
        self.take_next()
    }

    /// The key that the relay has, and the next one, which is on the disk.
    fn begin_rotation(&self) -> Result<(Arc<RelayKey>, Arc<RelayKey>, RelayId), IdentityError> {
        let mut state = self.state();
        let relay_id = match &state.stored {
            Some(stored) => stored.settings.relay_id.clone(),
            None => return Err(IdentityError::NoToken),
        };
        let next = match &state.next {
            // Of a rotation whose answer was lost: the core may have this one already.
            Some(next) => Arc::clone(next),
            None => {
                let next = Arc::new(RelayKey::generate()?);
                self.vault.write_key(KeyFile::Next, &next)?;
                Arc::clone(state.next.insert(next))
            }
        };
        Ok((Arc::clone(&state.key), next, relay_id))
    }

    /// The core has the next key: it is the key from now on.
    fn take_next(&self) -> Result<(), IdentityError> {
        let mut state = self.state();
        if state.next.is_none() {
            return Ok(());
        }
        self.vault.promote_next()?;
        if let Some(next) = state.next.take() {
            state.key = next;
        }
        state.try_next = false;
        let Some(stored) = &mut state.stored else { return Ok(()) };
        stored.key_since = now();
        self.vault.write_stored(stored)
    }
}

async fn challenge(client: &mut RelayUplinkClient<Channel>) -> Result<Vec<u8>, IdentityError> {
    let answer = client.get_challenge(GetChallengeRequest {}).await;
    Ok(answer.map_err(IdentityError::Parent)?.into_inner().challenge)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
