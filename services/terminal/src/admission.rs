//! Getting in: who I am, which meeting, the right to join, joining, the peer connection. Tokens and
//! credentials that were got once are used again as long as the relay takes them.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Instant,
};

use tributary_contracts::{
    credential::v1::Identity,
    terminal::v1::{
        CreateMeeting, EnterAsGuest, Join, Joined, LogIn, MediaOffer, RefusalCode,
        RequestJoinCredential, relay_message::Body as Reply, terminal_message::Body,
    },
};
use tributary_identifiers::MeetingId;
use tributary_join_credential::TerminalKey;
use tributary_rtc_session::{Certificate, Session};

use crate::{
    IdentitySource, JoinError, MeetingTarget,
    media::NewLink,
    protocol::{Connection, RequestError},
};

/// Each round replaces one thing that was refused as too old: the credential, the identity.
const ROUNDS_MAX: usize = 4;

/// What a terminal holds to get in, and to get in again.
pub(crate) struct Admission {
    identity: IdentitySource,
    meeting: MeetingTarget,
    key: TerminalKey,
    certificate: Certificate,
    identity_token: Option<String>,
    meeting_id: Option<MeetingId>,
    join_credential: Option<String>,
    links: u64,
}

impl Admission {
    pub(crate) fn new(identity: IdentitySource, meeting: MeetingTarget) -> Result<Self, JoinError> {
        let key = TerminalKey::generate().map_err(|error| JoinError::System(error.to_string()))?;
        let certificate = Certificate::generate()
            .ok_or_else(|| JoinError::System("no certificate could be made".into()))?;
        let meeting_id = match &meeting {
            MeetingTarget::Existing { meeting_id, .. } => Some(*meeting_id),
            MeetingTarget::Create { .. } => None,
        };
        Ok(Self {
            identity,
            meeting,
            key,
            certificate,
            identity_token: None,
            meeting_id,
            join_credential: None,
            links: 0,
        })
    }

    pub(crate) fn meeting_id(&self) -> Option<MeetingId> {
        self.meeting_id
    }

    /// Joins, with what is held or with new.
    pub(crate) async fn join(
        &mut self,
        connection: &Connection,
        muted: bool,
        cursor: u64,
    ) -> Result<Joined, JoinError> {
        let mut refused = RequestError::WrongKind;
        for _ in 0..ROUNDS_MAX {
            let error = match self.join_once(connection, muted, cursor).await {
                Ok(joined) => return Ok(joined),
                Err(JoinError::Request(error)) => error,
                Err(error) => return Err(error),
            };
            match &error {
                RequestError::Refused { code, .. } if self.can_replace(*code) => {}
                _ => return Err(error.into()),
            }
            refused = error;
        }
        Err(refused.into())
    }

    /// Forgets what was refused, if it was held from before and can be got anew.
    fn can_replace(&mut self, code: RefusalCode) -> bool {
        match code {
            RefusalCode::CredentialExpired | RefusalCode::BadCredential => {
                self.join_credential.take().is_some()
            }
            RefusalCode::NotLoggedIn => self.identity_token.take().is_some(),
            _ => false,
        }
    }

    async fn join_once(
        &mut self,
        connection: &Connection,
        muted: bool,
        cursor: u64,
    ) -> Result<Joined, JoinError> {
        let credential = match &self.join_credential {
            Some(credential) => credential.clone(),
            None => self.request_credential(connection).await?,
        };
        let proof = self
            .key
            .sign_join_proof(&connection.welcome().nonce, &credential)
            .map_err(|error| JoinError::System(error.to_string()))?;
        let public_key = self.key.public_key().to_vec();
        let meeting_id = self.meeting_id.map(|id| id.to_string()).unwrap_or_default();
        let join_credential = credential.clone();
        let join = Join { join_credential, public_key, proof, muted, cursor, meeting_id };
        match connection.request(Body::Join(join)).await? {
            Reply::Joined(joined) => {
                self.join_credential = Some(credential);
                Ok(joined)
            }
            _ => Err(RequestError::WrongKind.into()),
        }
    }

    async fn request_credential(&mut self, connection: &Connection) -> Result<String, JoinError> {
        let identity_token = self.identify(connection).await?;
        let (meeting_id, password) = self.meeting(connection, &identity_token).await?;
        let body = Body::RequestJoinCredential(RequestJoinCredential {
            identity_token,
            meeting_id: meeting_id.to_string(),
            password,
            public_key: self.key.public_key().to_vec(),
        });
        match connection.request(body).await? {
            Reply::JoinCredential(credential) => Ok(credential.join_credential),
            _ => Err(RequestError::WrongKind.into()),
        }
    }

    async fn identify(&mut self, connection: &Connection) -> Result<String, JoinError> {
        if let Some(token) = &self.identity_token {
            return Ok(token.clone());
        }
        let token = identify(connection, &self.identity).await?.identity_token;
        self.identity_token = Some(token.clone());
        Ok(token)
    }

    async fn meeting(
        &mut self,
        connection: &Connection,
        identity_token: &str,
    ) -> Result<(MeetingId, String), JoinError> {
        let (subject, shared, password) = match (&self.meeting, self.meeting_id) {
            (MeetingTarget::Existing { meeting_id, password }, _) => {
                return Ok((*meeting_id, password.clone()));
            }
            (MeetingTarget::Create { password, .. }, Some(id)) => {
                return Ok((id, password.clone()));
            }
            (MeetingTarget::Create { subject, shared, password }, None) => {
                (subject.clone(), *shared, password.clone())
            }
        };
        let id =
            create_meeting(connection, identity_token, &subject, shared, password.clone()).await?;
        self.meeting_id = Some(id);
        Ok((id, password))
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
        let (mut session, sdp) = Session::offer(local, &self.certificate, Instant::now())?;
        match connection.request(Body::MediaOffer(MediaOffer { sdp })).await? {
            Reply::MediaAnswer(answer) => session.accept_answer(&answer.sdp)?,
            _ => return Err(RequestError::WrongKind.into()),
        }
        self.links += 1;
        Ok(NewLink { number: self.links, socket, local, session })
    }
}

/// Logs in or enters as a guest.
pub(crate) async fn identify(
    connection: &Connection,
    identity: &IdentitySource,
) -> Result<Identity, RequestError> {
    let body = match identity.clone() {
        IdentitySource::LogIn { user_name, password } => Body::LogIn(LogIn { user_name, password }),
        IdentitySource::Guest { display_name } => Body::EnterAsGuest(EnterAsGuest { display_name }),
    };
    match connection.request(body).await? {
        Reply::Identity(identity) => Ok(identity),
        _ => Err(RequestError::WrongKind),
    }
}

/// Creates a meeting.
pub(crate) async fn create_meeting(
    connection: &Connection,
    identity_token: &str,
    subject: &str,
    shared: bool,
    password: String,
) -> Result<MeetingId, RequestError> {
    let body = Body::CreateMeeting(CreateMeeting {
        identity_token: identity_token.to_owned(),
        subject: subject.to_owned(),
        password,
        shared,
        member_user_ids: Vec::new(),
    });
    match connection.request(body).await? {
        Reply::MeetingCreated(created) => {
            created.meeting_id.parse().map_err(|_| RequestError::WrongKind)
        }
        _ => Err(RequestError::WrongKind),
    }
}
