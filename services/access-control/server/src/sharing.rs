//! Sharing a meeting with outsiders, and taking shares back.
//!
//! **Invariants:** a share holds only after it has been carried out: the link is returned with the
//! answer that tells of the share, the registry has stored what users are told, or the mail server
//! has accepted the e-mail. What has been revoked does not hold again. The secret is kept nowhere.

mod delivery;
mod request;

use std::time::Duration;

use tributary_contracts::{
    access::v1::Action,
    registry::v1::{Meeting, registry_service_client::RegistryServiceClient},
};
use tributary_identifiers::UserId;
use tributary_mailer::Mailer;
use tributary_message_bus::subjects::MeetingScope;
use tributary_service_runtime::ServiceChannel;
use tributary_share_link::{PublicUrl, ShareLink, ShareSecret};
use tributary_sliding_window::Budgets;

pub use request::{Destination, ShareRequest};

use crate::{
    audit::{AuditQueue, QueueFull, Record},
    bus::Teller,
    clock::Clock,
    facts::{FactError, FactFinder},
    grpc::convert,
    metrics,
    store::{BeginShareError, KeptShare, NewShare, Recipients, Store, StoreError},
};

/// The most shares that are listed.
const LISTED_MAX: u64 = 100;
/// How often it is tried to write down that a share has been carried out: e-mail can't be taken
/// back.
const HOLD_TRIES: u32 = 5;
/// The first pause between two tries; each is twice the one before.
const HOLD_PAUSE: Duration = Duration::from_millis(200);

/// Shares meetings. Clones share everything.
#[derive(Clone)]
pub struct Sharing {
    facts: FactFinder,
    registry: RegistryServiceClient<ServiceChannel>,
    store: Store,
    budgets: Budgets,
    teller: Teller,
    mailer: Option<Mailer>,
    settings: Settings,
    audit: AuditQueue,
    clock: Clock,
}

/// What the installation wants.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the web client is.
    pub public_url: PublicUrl,
    /// E-mails of one organiser in a day.
    pub mail_limit: u32,
}

/// A share that holds.
pub struct Carried {
    /// As it is kept.
    pub share: KeptShare,
    /// What is passed on, if it was asked for.
    pub link: Option<Handout>,
}

/// What an organiser passes on.
pub struct Handout {
    /// The link.
    pub url: String,
    /// An invitation in words.
    pub text: String,
    /// The link as a QR code.
    pub qr_svg: String,
    /// The same as PNG.
    pub qr_png: Vec<u8>,
}

/// Why a meeting is not shared, or a share not revoked or listed.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// Always in the same words, whether or not there is such a meeting.
    #[error("there is no such meeting, or you are neither its organiser nor one of its hosts")]
    NotAllowed,
    /// The request is not as it must be.
    #[error("{field}: {why}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The meeting has as many shares as it can have.
    #[error("a meeting can have 100 shares that hold; revoke some first")]
    TooMany,
    /// The organiser has sent as many e-mails as one may in a day.
    #[error("you have sent as many invitations by e-mail as you may in a day; pass on a link")]
    MailBudget,
    /// There is no share of that id.
    #[error("the meeting has no such share")]
    NoSuchShare,
    /// E-mail is not set up.
    #[error("this installation sends no e-mail; pass on a link instead")]
    NoMailServer,
    /// Nobody was reached.
    #[error("nobody could be reached at the moment; nothing is shared; try again")]
    NotDelivered,
    /// It can't be recorded at the moment.
    #[error(transparent)]
    Unrecorded(#[from] QueueFull),
    /// A fact could not be found out.
    #[error(transparent)]
    Fact(#[from] FactError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A mistake of this service.
    #[error("{0}")]
    Failed(&'static str),
}

impl From<BeginShareError> for ShareError {
    fn from(error: BeginShareError) -> Self {
        match error {
            BeginShareError::TooMany => Self::TooMany,
            BeginShareError::Store(error) => Self::Store(error),
        }
    }
}

impl Sharing {
    /// Over its parts; without a mailer, nothing is shared by e-mail.
    #[expect(clippy::too_many_arguments, reason = "called once, by the composition root")]
    pub const fn new(
        facts: FactFinder,
        registry: RegistryServiceClient<ServiceChannel>,
        store: Store,
        budgets: Budgets,
        teller: Teller,
        mailer: Option<Mailer>,
        settings: Settings,
        audit: AuditQueue,
        clock: Clock,
    ) -> Self {
        Self { facts, registry, store, budgets, teller, mailer, settings, audit, clock }
    }

    /// Shares a meeting. When this returns the share holds, here and at every replica that hears.
    ///
    /// # Errors
    /// Nothing is shared.
    pub async fn create(&self, request: ShareRequest) -> Result<Carried, ShareError> {
        let meeting = self.permitted(&request.scope, &request.user).await?;
        let now = self.clock.now();
        let recipients = request.check(now)?;
        let secret = ShareSecret::new(random()?);
        let link = ShareLink::new(&self.settings.public_url, request.scope.meeting, &secret);
        let words = request.words(&meeting)?;
        let share = NewShare {
            share_id: hex(&random::<16>()?),
            scope: request.scope.clone(),
            secret_hash: secret.hash(),
            recipients,
            created_by: request.user.clone(),
            created_at: now,
            expires_at: request.expires_at,
        };
        self.may_mail(&share).await?;
        self.store.begin_share(&share).await?;
        let (reached, handout) = match self.carry_out(&share, &words, &link).await {
            Ok(carried) => carried,
            Err(error) => {
                if let Err(error) = self.store.abandon_share(&share.share_id).await {
                    tracing::warn!(%error, "an attempt to share is left to be cleaned up");
                }
                return Err(error);
            }
        };
        self.hold(&share.share_id, &reached).await?;
        self.teller.widened(&share.scope).await;
        metrics::shared(reached.form());
        tracing::info!(meeting = %share.scope.meeting, user = %share.created_by,
            share = share.share_id, form = reached.form(), "a meeting was shared");
        Ok(Carried { share: kept(share, reached), link: handout })
    }

    /// The shares of a meeting that were carried out, newest first.
    ///
    /// # Errors
    /// The user may not see them, or they can't be read.
    pub async fn list(
        &self,
        scope: &MeetingScope,
        user: &UserId,
    ) -> Result<Vec<KeptShare>, ShareError> {
        self.permitted(scope, user).await?;
        Ok(self.store.pulse().in_time(self.store.shares(scope, LISTED_MAX)).await?)
    }

    /// Takes back a share, or all of a meeting. When this returns none of them holds, here and at
    /// every replica that hears.
    ///
    /// # Errors
    /// The user may not, there is none of that id, or it can't be written down.
    pub async fn revoke(
        &self,
        scope: &MeetingScope,
        user: &UserId,
        share_id: Option<&str>,
    ) -> Result<(), ShareError> {
        self.permitted(scope, user).await?;
        let revoking = self.store.revoke_shares(scope, share_id, self.clock.now());
        if !self.store.pulse().in_time(revoking).await? {
            return Err(ShareError::NoSuchShare);
        }
        self.teller.narrowed(scope).await;
        let share = share_id.unwrap_or("all");
        tracing::info!(meeting = %scope.meeting, %user, share, "shares were revoked");
        Ok(())
    }

    /// The meeting, if the user may share it: as the registry has it now, not as it was. Either
    /// answer is recorded.
    async fn permitted(&self, scope: &MeetingScope, user: &UserId) -> Result<Meeting, ShareError> {
        let place = self.audit.place()?;
        let (meeting, role) = self.facts.meeting_now(scope, user).await?;
        let (allowed, reason) = convert::sharing(meeting.is_some(), role);
        place.record(Record {
            at: self.clock.now(),
            scope: scope.clone(),
            user: user.clone(),
            guest: false,
            client: None,
            prefix: None,
            action: Action::Share,
            allowed,
            reason,
            role,
        });
        meeting.filter(|_| allowed).ok_or(ShareError::NotAllowed)
    }

    /// From now on the share holds.
    async fn hold(&self, share_id: &str, reached: &Recipients) -> Result<(), StoreError> {
        let mut pause = HOLD_PAUSE;
        for _ in 1..HOLD_TRIES {
            match self.store.carried_out(share_id, reached, self.clock.now()).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, share = share_id,
                    "can't write down that a share was carried out"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.store.carried_out(share_id, reached, self.clock.now()).await
    }
}

fn kept(share: NewShare, reached: Recipients) -> KeptShare {
    KeptShare {
        share_id: share.share_id,
        secret_hash: share.secret_hash,
        recipients: reached,
        created_by: share.created_by.to_string(),
        created_at: share.created_at,
        expires_at: share.expires_at,
        revoked_at: None,
    }
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], ShareError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|_| ShareError::Failed("there are no random numbers"))?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
