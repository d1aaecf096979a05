//! What both gRPC services do, in terms of the domain.

use std::sync::Arc;

use tributary_identifiers::{MeetingId, MeetingIdVersion, OrganisationId, RequestId, UnixSeconds};
use tributary_meeting_registry_core::{
    Announce, Command, Draft, InvalidDraft, Join, Meeting, NewPassword, Participant, Proposal,
    Update,
};
use tributary_message_bus::subjects::MeetingScope;
use tributary_password_hash::{HashError, Hasher};

use crate::store::{Applied, NewMeeting, Store, StoreError};

/// How often an id is drawn for one meeting. With 1,000 meetings a second each draw fails once in
/// 268,000 times, so that this many in a row mean a broken generator.
const DRAWS_MAX: usize = 16;

/// Where the random part of meeting ids comes from.
pub trait RandomSource: Send + Sync {
    /// 32 random bits.
    ///
    /// # Errors
    /// There are none to be had.
    fn draw(&self) -> Result<u32, getrandom::Error>;
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OperatingSystem;

impl RandomSource for OperatingSystem {
    fn draw(&self) -> Result<u32, getrandom::Error> {
        getrandom::u32()
    }
}

/// Meetings, over a store. Clones share everything.
#[derive(Clone)]
pub struct Registry {
    store: Store,
    hasher: Hasher,
    random: Arc<dyn RandomSource>,
}

/// Why a meeting can't be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The request is not as it must be.
    #[error(transparent)]
    Draft(#[from] InvalidDraft),
    /// The password could not be hashed.
    #[error("hashing the password: {0}")]
    Hash(#[from] HashError),
    /// There are no random numbers, or always the same ones.
    #[error("no meeting id could be drawn")]
    NoId,
    /// It could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a meeting can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The password could not be hashed.
    #[error("hashing the password: {0}")]
    Hash(#[from] HashError),
    /// It is refused, or could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Registry {
    /// Over a store, a hasher and a source of ids.
    #[must_use]
    pub fn new(store: Store, hasher: Hasher, random: Arc<dyn RandomSource>) -> Self {
        Self { store, hasher, random }
    }

    /// What is to be read, is read here.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Creates a meeting; the organiser comes onto its member list. An empty password is none.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub async fn create(
        &self,
        organisation: OrganisationId,
        proposal: &Proposal<'_>,
    ) -> Result<Meeting, CreateError> {
        let created_at = self.store.clock().wall();
        let draft = Draft::read(proposal, created_at)?;
        let password_hash = match proposal.password {
            "" => None,
            password => Some(self.hasher.hash(password).await?),
        };
        let new = NewMeeting { organisation, draft, password_hash, created_at };
        for _ in 0..DRAWS_MAX {
            let random = self.random.draw().map_err(|_| CreateError::NoId)?;
            let seconds = UnixSeconds::try_from(created_at / 1000).unwrap_or(UnixSeconds::MAX);
            let id = MeetingId::generate(MeetingIdVersion::CURRENT, random, seconds);
            if let Some(meeting) = self.store.create(&new, id).await? {
                tracing::info!(meeting = %id, organisation = %new.organisation, "created");
                return Ok(meeting);
            }
        }
        Err(CreateError::NoId)
    }

    /// Changes what a meeting is; `password` becomes its password, empty: none.
    ///
    /// # Errors
    /// See [`Store::apply`], or the password can't be hashed.
    pub async fn update(
        &self,
        meeting: &MeetingScope,
        update: Update,
        password: Option<&str>,
    ) -> Result<Meeting, UpdateError> {
        let password = match password {
            None => None,
            Some("") => Some(NewPassword::None),
            Some(password) => {
                // Who may not change it must not be able to make this machine work for it.
                let now = self.store.clock().now();
                self.store.rehearse(meeting, Command::Update(update.clone()), now).await?;
                Some(NewPassword::Hash(self.hasher.hash(password).await?))
            }
        };
        let applied = self.apply(meeting, Command::Update(Update { password, ..update })).await?;
        Ok(applied.meeting().clone())
    }

    /// Brings a terminal in. Its relay is alive by that.
    ///
    /// # Errors
    /// See [`Store::apply`].
    pub async fn join(
        &self,
        meeting: &MeetingScope,
        join: Join,
    ) -> Result<(Participant, Meeting), StoreError> {
        // The session is that of the core relay's process, whichever relay the terminal is at.
        let relay = join.core_relay.as_ref().unwrap_or(&join.relay_id);
        self.store.renew_relay(relay, &join.relay_session).await?;
        let key = join.key.clone();
        let applied = self.apply(meeting, Command::Join(join)).await?;
        let present = applied.state.with_key(&key);
        let participant = present.map(|present| present.participant.clone());
        Ok((participant.ok_or(StoreError::NoSuchMeeting)?, applied.meeting().clone()))
    }

    /// Applies a command now.
    ///
    /// # Errors
    /// See [`Store::apply`].
    pub async fn apply(
        &self,
        meeting: &MeetingScope,
        command: Command,
    ) -> Result<Applied, StoreError> {
        // Who comes onto a list is invited now or by the scheduler: both go by the same clock.
        let now = match command {
            Command::SetMembers(_) => self.store.calendar_now().await?,
            _ => self.store.clock().now(),
        };
        self.store.apply(meeting, command, now).await
    }

    /// Says something, once for one `request`; returns the number of the event.
    ///
    /// # Errors
    /// See [`Store::announce`].
    pub async fn announce(
        &self,
        meeting: &MeetingScope,
        request: &RequestId,
        announce: Announce,
    ) -> Result<u64, StoreError> {
        self.store.announce(meeting, request, announce, self.store.clock().now()).await
    }

    /// Ends a meeting if it is running, and removes it.
    ///
    /// # Errors
    /// See [`Store::delete`].
    pub async fn delete(&self, meeting: &MeetingScope) -> Result<(), StoreError> {
        self.store.delete(meeting, self.store.clock().now()).await
    }
}
