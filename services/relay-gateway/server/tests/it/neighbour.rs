//! Somebody behind an uplink, who does exactly what the test says.

use tributary_contracts::terminal::v1::{
    EnterAsGuest, Join, Joined, Refusal, RequestJoinCredential, relay_message::Body as Said,
    terminal_message::Body as Ask,
};
use tributary_join_credential::TerminalKey;
use tributary_terminal::operations;

use crate::{office::Uplink, world::meeting};

/// Somebody behind an uplink.
pub struct Neighbour {
    pub link: u32,
    pub key: TerminalKey,
    pub token: String,
    pub session: String,
    nonce: Vec<u8>,
    pub relay_id: String,
    asked: u64,
}

impl Neighbour {
    /// Connects, and enters as a guest.
    pub async fn enter(uplink: &mut Uplink, name: &str) -> Self {
        let link = uplink.open();
        Self::enter_by(uplink, link, name).await
    }

    pub async fn enter_by(uplink: &mut Uplink, link: u32, name: &str) -> Self {
        let key = TerminalKey::generate().unwrap();
        let session = operations::new_id().to_string();
        let mut neighbour = Self {
            link,
            key,
            token: String::new(),
            session,
            nonce: Vec::new(),
            relay_id: String::new(),
            asked: 0,
        };
        neighbour.welcome(uplink).await;
        let public_key = neighbour.key.public_key().to_vec();
        let ask = Ask::EnterAsGuest(EnterAsGuest { display_name: name.to_owned(), public_key });
        let Said::Identity(identity) = neighbour.ask(uplink, ask).await else { panic!("no guest") };
        neighbour.token = identity.identity_token;
        neighbour
    }

    async fn welcome(&mut self, uplink: &mut Uplink) {
        let Some(Said::Welcome(welcome)) = uplink.next(self.link).await.body else {
            panic!("not welcome")
        };
        assert!(welcome.suggested_relays.is_empty());
        self.nonce = welcome.nonce;
        self.relay_id = welcome.relay_id;
    }

    /// The same terminal by another link.
    pub async fn move_to(&mut self, uplink: &mut Uplink) {
        self.link = uplink.open();
        self.welcome(uplink).await;
    }

    pub async fn ask(&mut self, uplink: &mut Uplink, ask: Ask) -> Said {
        self.asked += 1;
        uplink.ask(self.link, self.asked, ask).await
    }

    pub async fn try_join(
        &mut self,
        uplink: &mut Uplink,
        number: u64,
        fill: impl FnOnce(&mut Join),
    ) -> Result<Joined, Refusal> {
        let ask = RequestJoinCredential {
            identity_token: self.token.clone(),
            meeting_id: meeting(number).to_string(),
            public_key: self.key.public_key().to_vec(),
            ..RequestJoinCredential::default()
        };
        let issued = self.ask(uplink, Ask::RequestJoinCredential(ask)).await;
        let Said::JoinCredential(issued) = issued else { panic!("no credential: {issued:?}") };
        let credential = issued.join_credential;
        let mut join = Join {
            proof: self.key.sign_join_proof(&self.nonce, &credential).unwrap(),
            join_credential: credential,
            public_key: self.key.public_key().to_vec(),
            session_id: self.session.clone(),
            ..Join::default()
        };
        fill(&mut join);
        match self.ask(uplink, Ask::Join(join)).await {
            Said::Joined(joined) => Ok(joined),
            Said::Refusal(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    pub async fn join(&mut self, uplink: &mut Uplink, number: u64) -> Joined {
        self.try_join(uplink, number, |_| {}).await.unwrap()
    }

    /// The numbers of the next events.
    pub async fn next_numbers(&self, uplink: &mut Uplink, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            match uplink.next(self.link).await.body {
                Some(Said::Event(event)) => numbers.push(event.number),
                other => panic!("expected an event, got {other:?}"),
            }
        }
        numbers
    }
}
