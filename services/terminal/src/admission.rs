//! Getting in: who I am, which meeting, the right to join, joining, the peer connection. Tokens and
//! credentials that were got once are used again as long as the relay takes them.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Instant,
};

use tributary_contracts::{
    credential::v1::Identity,
    terminal::v1::{
        CreateMeeting, EnterAsGuest, Joined, LogIn, MediaOffer, RefusalCode, RequestJoinCredential,
        relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_identifiers::{MeetingId, TerminalSessionId};
use tributary_join_credential::TerminalKey;
use tributary_rtc_session::{Certificate, Session};

use crate::{
    IdentitySource, JoinError, MeetingTarget, SECTIONS, Target,
    account::not_logged_in,
    holder::Holder,
    media::NewLink,
    protocol::{self, Connection, RequestError, Requests},
    random_id,
};

/// Each round replaces one thing that was refused as too old: the credential, the identity.
const ROUNDS_MAX: usize = 4;

/// Who a terminal is, whatever meeting it is in.
pub(crate) struct Admission {
    identity: IdentitySource,
    holder: Arc<Holder>,
    certificate: Certificate,
    /// What this terminal joined by was revoked: it does not come back as somebody else.
    revoked: bool,
    links: u64,
}

/// What a terminal holds to get into one meeting, and to get in again.
pub(crate) struct Ticket {
    meeting: MeetingTarget,
    meeting_id: Option<MeetingId>,
    /// Names this run of the terminal in this meeting.
    pub(crate) session_id: TerminalSessionId,
    /// For events only.
    pub(crate) held: bool,
    join_credential: Option<String>,
    /// Shows that this terminal was in before: coming back is not counted as an access.
    previous_join_credential: String,
}

/// How to join.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) muted: bool,
    pub(crate) cursor: u64,
}

impl Ticket {
    pub(crate) fn new(
        meeting: MeetingTarget,
        session_id: Option<TerminalSessionId>,
        held: bool,
    ) -> Self {
        let meeting_id = match &meeting {
            MeetingTarget::Existing(target) => Some(target.meeting_id),
            MeetingTarget::Create { .. } => None,
        };
        Self {
            meeting,
            meeting_id,
            session_id: session_id.unwrap_or_else(random_id::session),
            held,
            join_credential: None,
            previous_join_credential: String::new(),
        }
    }

    pub(crate) fn meeting_id(&self) -> Option<MeetingId> {
        self.meeting_id
    }

    /// By which it has joined last.
    pub(crate) fn credential(&self) -> &str {
        &self.previous_join_credential
    }
}

impl Admission {
    pub(crate) fn new(
        identity: IdentitySource,
        key: Option<Arc<TerminalKey>>,
    ) -> Result<Self, JoinError> {
        let holder = match (&identity, key) {
            (IdentitySource::Account(account), _) => account.holder(),
            (IdentitySource::LogIn { .. } | IdentitySource::Guest { .. }, Some(key)) => {
                Holder::with_key(key)
            }
            (IdentitySource::LogIn { .. } | IdentitySource::Guest { .. }, None) => {
                Holder::new().map_err(|error| JoinError::System(error.to_string()))?
            }
        };
        let certificate = Certificate::generate()
            .ok_or_else(|| JoinError::System("no certificate could be made".into()))?;
        Ok(Self { identity, holder, certificate, revoked: false, links: 0 })
    }

    pub(crate) fn holder(&self) -> Arc<Holder> {
        Arc::clone(&self.holder)
    }

    /// Joins, with what is held or with new.
    pub(crate) async fn join(
        &mut self,
        ticket: &mut Ticket,
        connection: &Connection,
        wish: Wish,
    ) -> Result<Joined, JoinError> {
        let mut refused = RequestError::WrongKind;
        for _ in 0..ROUNDS_MAX {
            let error = match self.join_once(ticket, connection, wish).await {
                Ok(joined) => return Ok(joined),
                Err(JoinError::Request(error)) => error,
                Err(error) => return Err(error),
            };
            match &error {
                RequestError::Refused { code, .. } if self.can_replace(ticket, *code) => {}
                _ => return Err(error.into()),
            }
            refused = error;
        }
        Err(refused.into())
    }

    /// Forgets what was refused, if it was held from before and can be got anew.
    fn can_replace(&mut self, ticket: &mut Ticket, code: RefusalCode) -> bool {
        match code {
            RefusalCode::CredentialExpired | RefusalCode::BadCredential => {
                ticket.join_credential.take().is_some()
            }
            // What an account holds is not this terminal's to replace.
            RefusalCode::NotLoggedIn if matches!(self.identity, IdentitySource::Account(_)) => {
                false
            }
            RefusalCode::NotLoggedIn => !self.revoked && self.holder.forget(),
            _ => false,
        }
    }

    async fn join_once(
        &mut self,
        ticket: &mut Ticket,
        connection: &Connection,
        wish: Wish,
    ) -> Result<Joined, JoinError> {
        let credential = match &ticket.join_credential {
            Some(credential) => credential.clone(),
            None => self.request_credential(ticket, connection).await?,
        };
        let joined = protocol::join(connection, self.holder.key(), &credential, |join| {
            join.muted = wish.muted;
            join.cursor = wish.cursor;
            join.meeting_id = ticket.meeting_id.map(|id| id.to_string()).unwrap_or_default();
            join.session_id = ticket.session_id.to_string();
            join.held = ticket.held;
        })
        .await
        .inspect_err(|error| {
            self.revoked |=
                matches!(error, RequestError::Refused { code: RefusalCode::NotLoggedIn, .. });
        })?;
        ticket.previous_join_credential.clone_from(&credential);
        ticket.join_credential = Some(credential);
        Ok(joined)
    }

    async fn request_credential(
        &mut self,
        ticket: &mut Ticket,
        connection: &Connection,
    ) -> Result<String, JoinError> {
        let identity_token = self.identify(connection).await?;
        let target = target(ticket, connection, &identity_token).await?;
        let body = Body::RequestJoinCredential(RequestJoinCredential {
            identity_token,
            meeting_id: target.meeting_id.to_string(),
            password: target.password,
            public_key: self.holder.public_key(),
            share_secret: target.share_secret,
            previous_join_credential: ticket.previous_join_credential.clone(),
        });
        match connection.request(body).await? {
            Reply::JoinCredential(credential) => Ok(credential.join_credential),
            _ => Err(RequestError::WrongKind.into()),
        }
    }

    async fn identify(&mut self, connection: &Connection) -> Result<String, JoinError> {
        let requests = connection.requests();
        if let Some(token) = self.holder.token(&requests).await? {
            return Ok(token);
        }
        let identity = identify(&requests, &self.identity, self.holder.public_key()).await?;
        self.holder.set(Some(identity.clone()));
        Ok(identity.identity_token)
    }

    /// Offers a peer connection and takes the answer.
    pub(crate) async fn link(
        &mut self,
        connection: &Connection,
        local: IpAddr,
    ) -> Result<NewLink, JoinError> {
        let system = |error: std::io::Error| JoinError::System(error.to_string());
        let socket = UdpSocket::bind(SocketAddr::new(local, 0)).map_err(system)?;
        let local = socket.local_addr().map_err(system)?;
        let (mut session, sdp) =
            Session::offer(local, SECTIONS, &self.certificate, Instant::now())?;
        match connection.request(Body::MediaOffer(MediaOffer { sdp })).await? {
            Reply::MediaAnswer(answer) => session.accept_answer(&answer.sdp)?,
            _ => return Err(RequestError::WrongKind.into()),
        }
        self.links += 1;
        Ok(NewLink { number: self.links, socket, local, session })
    }
}

/// Which meeting a ticket is for; made first, if it is to be.
async fn target(
    ticket: &mut Ticket,
    connection: &Connection,
    identity_token: &str,
) -> Result<Target, JoinError> {
    let (subject, shared, password) = match &ticket.meeting {
        MeetingTarget::Existing(target) => return Ok(target.clone()),
        MeetingTarget::Create { subject, shared, password } => (subject, *shared, password),
    };
    // Its organiser needs no password.
    if let Some(id) = ticket.meeting_id {
        return Ok(Target::new(id));
    }
    let create = CreateMeeting {
        identity_token: identity_token.to_owned(),
        subject: subject.clone(),
        password: password.clone(),
        shared,
        ..CreateMeeting::default()
    };
    let created = match connection.request(Body::CreateMeeting(create)).await? {
        Reply::MeetingCreated(created) => created,
        _ => return Err(RequestError::WrongKind.into()),
    };
    let id = created.meeting_id.parse().map_err(|_| RequestError::WrongKind)?;
    ticket.meeting_id = Some(id);
    Ok(Target::new(id))
}

/// Logs in or enters as a guest; what comes of it is bound to the key.
pub(crate) async fn identify(
    requests: &Requests,
    identity: &IdentitySource,
    public_key: Vec<u8>,
) -> Result<Identity, RequestError> {
    let body = match identity.clone() {
        IdentitySource::LogIn { user_name, password } => {
            Body::LogIn(LogIn { user_name, password, public_key })
        }
        IdentitySource::Guest { display_name } => {
            Body::EnterAsGuest(EnterAsGuest { display_name, public_key })
        }
        IdentitySource::Account(_) => return Err(not_logged_in()),
    };
    match requests.request(body).await? {
        Reply::Identity(identity) => Ok(identity),
        _ => Err(RequestError::WrongKind),
    }
}
