//! One attempt to attach: connect, prove who this relay is, be accepted.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming, transport::Channel};
use tributary_contracts::relay::v1::{
    AttachRequest, AttachResponse, Attached, attach_request, attach_response,
    relay_uplink_client::RelayUplinkClient,
};
use tributary_identifiers::RelayId;
use tributary_relay_uplink::{check_parent, protocol};

use super::{
    connect::{Connected, Connector, Received, Upstream},
    identity::{Identity, IdentityError, Proven},
    session::{MESSAGE_BYTES_MAX, Uplink, relay_ids},
};

/// For an answer of the parent.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);
/// Messages to the parent that wait beside those that wait for their acknowledgement.
const REQUESTS_MAX: usize = 8;

/// An attempt has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In plain words.
    pub(super) text: String,
    /// Trying often won't help.
    pub(super) refused: bool,
    /// Worth a try at once: there is another key.
    pub(super) at_once: bool,
    /// The core does not accept this relay.
    pub(super) revoked: bool,
}

impl Failure {
    fn passing(text: impl ToString) -> Self {
        Self { text: text.to_string(), refused: false, at_once: false, revoked: false }
    }

    fn refused(text: impl ToString) -> Self {
        Self { text: text.to_string(), refused: true, at_once: false, revoked: false }
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        let text = error.to_string();
        Self { text, refused: !error.is_passing(), at_once: false, revoked: false }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let said: String = status.message().chars().take(300).collect();
        match status.code() {
            Code::Unauthenticated => Self::refused(
                "the core does not accept this relay: it was revoked, or its data directory is of \
                 another installation; ask the administrator, and enrol it anew with a new token",
            ),
            Code::Unimplemented => {
                Self::refused("the upstream is no relay that others can attach to")
            }
            Code::PermissionDenied | Code::FailedPrecondition | Code::InvalidArgument => {
                Self::refused(format!("the parent refuses this relay: {said}"))
            }
            Code::Unavailable => Self::passing(format!("the parent is not ready: {said}")),
            Code::Aborted => Self::passing(said),
            code => Self::passing(format!("the parent answers {code:?}: {said}")),
        }
    }
}

/// This relay is attached.
pub(super) struct Connection {
    pub(super) channel: Channel,
    pub(super) requests: mpsc::Sender<AttachRequest>,
    pub(super) responses: Streaming<AttachResponse>,
    pub(super) attached: Attached,
    /// Which upstream, from 0.
    pub(super) upstream: usize,
    /// What has come over it.
    pub(super) received: Received,
}

/// What all attempts share.
pub(super) struct Attaching {
    pub(super) connector: Connector,
    pub(super) identity: Arc<Identity>,
    pub(super) uplink: Arc<Uplink>,
    /// One attempt at a time says hello: a later one takes the place of an earlier one at the parent.
    pub(super) turn: Mutex<()>,
}

impl Attaching {
    /// Tries one upstream.
    pub(super) async fn attempt(&self, index: usize) -> Result<Connection, Failure> {
        let upstreams = self.connector.upstreams();
        let upstream = upstreams.get(index).ok_or_else(|| Failure::refused("no such upstream"))?;
        let connected = self.connector.connect(upstream).await.map_err(Failure::passing)?;
        let Connected { channel, received, .. } = connected;
        let proven = answered(upstream, self.identity.prove(channel.clone())).await??;
        let _turn = self.turn.lock().await;
        let hello = self.hello(index, upstream, channel.clone(), &proven);
        let (requests, responses, attached) = match answered(upstream, hello).await? {
            Ok(attached) => attached,
            Err(failure) if failure.revoked => {
                let again = answered(upstream, self.identity.enrol_again(channel)).await;
                let again = matches!(again, Ok(Ok(true)));
                return Err(Failure { at_once: again, revoked: !again, ..failure });
            }
            Err(failure) => return Err(failure),
        };
        Ok(Connection { channel, requests, responses, attached, upstream: index, received })
    }

    async fn hello(
        &self,
        index: usize,
        upstream: &Upstream,
        channel: Channel,
        proven: &Proven,
    ) -> Result<(mpsc::Sender<AttachRequest>, Streaming<AttachResponse>, Attached), Failure> {
        let mut hello = proven.hello.clone();
        // What is behind one upstream may be several relays: one that does not know the session begins
        // another.
        let resume = self.uplink.resume(index);
        (hello.resume, hello.received) = (resume.token, resume.received);
        let own: RelayId = hello.relay_id.parse().map_err(Failure::refused)?;
        let (requests, stream) = mpsc::channel(REQUESTS_MAX);
        let body = Some(attach_request::Body::Hello(hello));
        // The channel is empty.
        let _ = requests.try_send(AttachRequest { body, ..AttachRequest::default() });
        let mut client =
            RelayUplinkClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let refused = |status: Status| self.refused(status, proven);
        let responses = client.attach(ReceiverStream::new(stream)).await.map_err(refused)?;
        let mut responses = responses.into_inner();
        let first = responses.message().await.map_err(refused)?;
        let Some(attach_response::Body::Attached(attached)) = first.and_then(|first| first.body)
        else {
            return Err(Failure::passing(format!("{upstream} has not answered as a relay does")));
        };
        let path = relay_ids(&attached.path).map_err(Failure::refused)?;
        check_parent(&path, &own).map_err(Failure::refused)?;
        if !protocol::is_spoken(attached.protocol) {
            let text = "the parent has chosen a protocol that this relay does not speak: update it";
            return Err(Failure::refused(text));
        }
        let settings = attached.settings.clone().unwrap_or_default();
        self.identity.accepted(proven, &settings)?;
        Ok((requests, responses, attached))
    }

    fn refused(&self, status: Status, proven: &Proven) -> Failure {
        let at_once = status.code() == Code::Unauthenticated && self.identity.refused(proven);
        let revoked = status.code() == Code::Unauthenticated && !at_once;
        Failure { at_once, revoked, ..Failure::from(status) }
    }
}

async fn answered<T>(upstream: &Upstream, answer: impl Future<Output = T>) -> Result<T, Failure> {
    let late = |_| Failure::passing(format!("{upstream} does not answer in time"));
    timeout(ANSWER_TIME_MAX, answer).await.map_err(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_does_not_help_against_is_told_apart() {
        let refused = |status: Status| Failure::from(status).refused;
        assert!(refused(Status::unauthenticated("")));
        assert!(refused(Status::failed_precondition("a loop")));
        assert!(!refused(Status::unavailable("not attached itself")));
        assert!(!refused(Status::aborted("attached by a newer connection")));
        assert!(!refused(Status::internal("broken")));
    }

    #[test]
    fn the_reason_is_passed_on_and_inner_words_of_a_revocation_are_not_needed() {
        let text = |status: Status| Failure::from(status).text;
        assert!(text(Status::failed_precondition("relay b is on the way")).contains("relay b"));
        assert!(text(Status::unauthenticated("x")).contains("revoked"));
    }
}
