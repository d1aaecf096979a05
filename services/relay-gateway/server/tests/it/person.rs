//! A terminal that does exactly what the test says, and pings until it is told not to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{task::AbortHandle, time::timeout};
use tributary_contracts::{
    event::v1::MeetingEvent,
    operation::v1::{Operation, operation::Body as Act},
    terminal::v1::{
        EnterAsGuest, Join, Joined, LogIn, Operate, Ping, Refusal, RefusalCode, RelayMessage,
        RequestJoinCredential, relay_message::Body as Said, terminal_message::Body as Ask,
    },
};
use tributary_join_credential::TerminalKey;
use tributary_terminal::{
    operations,
    protocol::{self, Connection, RequestError},
};

use crate::world::{World, meeting};

const SOON: Duration = Duration::from_secs(20);

pub struct Person {
    pub connection: Connection,
    pub key: Arc<TerminalKey>,
    pub session: String,
    pub token: String,
    url: String,
    pinger: AbortHandle,
    sequence: AtomicU64,
}

impl Drop for Person {
    fn drop(&mut self) {
        self.pinger.abort();
    }
}

async fn connect(url: &str) -> (Connection, AbortHandle) {
    let connection = Connection::connect(url).await.unwrap();
    let requests = connection.requests();
    let pinger = tokio::spawn(async move {
        loop {
            // What is wrong is seen where the test looks.
            let _ = requests.request(Ask::Ping(Ping {})).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    (connection, pinger.abort_handle())
}

impl Person {
    pub async fn enter(world: &World, name: &str) -> Self {
        let (connection, pinger) = connect(&world.url).await;
        let key = Arc::new(TerminalKey::generate().unwrap());
        let public_key = key.public_key().to_vec();
        let ask = if name == "ada" {
            let password = "secret".to_owned();
            Ask::LogIn(LogIn { user_name: name.into(), password, public_key })
        } else {
            Ask::EnterAsGuest(EnterAsGuest { display_name: name.into(), public_key })
        };
        let Said::Identity(identity) = connection.request(ask).await.unwrap() else {
            panic!("expected an identity")
        };
        Self {
            connection,
            key,
            session: operations::new_id().to_string(),
            token: identity.identity_token,
            url: world.url.clone(),
            pinger,
            sequence: AtomicU64::new(0),
        }
    }

    /// The same terminal by another connection.
    pub async fn again(&self) -> Self {
        self.again_at(&self.url).await
    }

    /// The same terminal by another relay.
    pub async fn again_at(&self, url: &str) -> Self {
        let (connection, pinger) = connect(url).await;
        Self {
            connection,
            key: self.key.clone(),
            session: self.session.clone(),
            token: self.token.clone(),
            url: url.to_owned(),
            pinger,
            sequence: AtomicU64::new(self.sequence.load(Ordering::SeqCst)),
        }
    }

    /// Says nothing any more, on a connection that stays.
    pub fn fall_silent(&self) {
        self.pinger.abort();
    }

    pub async fn try_join(
        &self,
        number: u64,
        fill: impl FnOnce(&mut Join),
    ) -> Result<Joined, RequestError> {
        let ask = RequestJoinCredential {
            identity_token: self.token.clone(),
            meeting_id: meeting(number).to_string(),
            public_key: self.key.public_key().to_vec(),
            ..RequestJoinCredential::default()
        };
        let issued = self.connection.request(Ask::RequestJoinCredential(ask)).await?;
        let Said::JoinCredential(issued) = issued else { panic!("no join credential") };
        protocol::join(&self.connection, &self.key, &issued.join_credential, |join| {
            join.session_id.clone_from(&self.session);
            fill(join);
        })
        .await
    }

    pub async fn join(&self, number: u64) -> Joined {
        self.try_join(number, |_| {}).await.unwrap()
    }

    pub async fn join_held(&self, number: u64) -> Joined {
        self.try_join(number, |join| join.held = true).await.unwrap()
    }

    pub async fn resume(&self, number: u64, cursor: u64) -> Joined {
        self.try_join(number, |join| join.cursor = cursor).await.unwrap()
    }

    /// The next operation of this participant.
    pub fn operation(&self, number: u64, participant_id: u32, act: Act) -> Operation {
        Operation {
            operation_id: operations::new_id().to_string(),
            client_sequence: self.sequence.fetch_add(1, Ordering::SeqCst) + 1,
            organisation: "default".into(),
            meeting_id: meeting(number).to_string(),
            participant_id,
            session_id: self.session.clone(),
            not_after: Some(operations::time(SystemTime::now() + Duration::from_secs(600))),
            body: Some(act),
        }
    }

    pub async fn operate(&self, operation: &Operation) -> Result<String, RequestError> {
        let operation = Some(operations::sign(&self.key, operation).unwrap());
        match self.connection.request(Ask::Operate(Operate { operation })).await? {
            Said::OperationReceived(received) => Ok(received.operation_id),
            other => panic!("expected that it is received, got {other:?}"),
        }
    }

    pub async fn ask(&self, ask: Ask) -> Result<Said, RequestError> {
        self.connection.request(ask).await
    }

    /// The next thing that the relay says by itself, but who speaks and how its uplink is; `None` after
    /// the end.
    pub async fn next(&mut self) -> Option<RelayMessage> {
        loop {
            let message = timeout(SOON, self.connection.next()).await.expect("nothing is said");
            let body = message.as_ref().and_then(|message| message.body.as_ref());
            if !matches!(body, Some(Said::Speakers(_) | Said::UplinkChanged(_))) {
                return message;
            }
        }
    }

    pub async fn next_event(&mut self) -> MeetingEvent {
        match self.next().await.and_then(|message| message.body) {
            Some(Said::Event(event)) => event,
            other => panic!("expected an event, got {other:?}"),
        }
    }

    /// The numbers of the next events.
    pub async fn next_numbers(&mut self, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(self.next_event().await.number);
        }
        numbers
    }

    /// A refusal that nobody asked for: why, and of which meeting.
    pub async fn next_refusal(&mut self) -> (RefusalCode, String) {
        match self.next().await {
            Some(RelayMessage { body: Some(Said::Refusal(refusal)), meeting_id, .. }) => {
                (refusal.code(), meeting_id)
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    /// Waits for the end.
    pub async fn is_closed(&mut self) -> Option<u16> {
        assert_eq!(self.next().await, None::<RelayMessage>);
        self.connection.close_code()
    }
}

/// Why a request was refused.
pub fn code<T: std::fmt::Debug>(answer: Result<T, RequestError>) -> RefusalCode {
    match answer {
        Err(RequestError::Refused { code, .. }) => code,
        other => panic!("not refused: {other:?}"),
    }
}

/// The same of a message.
pub fn refusal(said: Option<Said>) -> Refusal {
    match said {
        Some(Said::Refusal(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
