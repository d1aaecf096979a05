//! What the user is told outside of meetings.

use tokio::task::JoinSet;
use tributary_contracts::{
    notice::v1::Notice,
    terminal::v1::{
        DismissNotice, ReceiveNotices, Refusal, relay_message::Body as Reply,
        terminal_message::Body,
    },
};

use super::Account;
use crate::protocol::{Connection, RequestError, ping};

/// What a user is told, on a connection of its own. Ends when dropped.
#[derive(Debug)]
pub struct Notices {
    connection: Connection,
    listed: Vec<Notice>,
    refusal: Option<Refusal>,
    _background: JoinSet<()>,
}

impl Account {
    /// Asks to be told what concerns the user, from now on.
    pub async fn notices(&self) -> Result<Notices, RequestError> {
        let connection = self.open_connection().await.map_err(|_| RequestError::Lost)?;
        let requests = connection.requests();
        let identity_token = self.0.holder.token(&requests).await?.unwrap_or_default();
        let receive = Body::ReceiveNotices(ReceiveNotices { identity_token });
        let listed = match requests.request(receive).await? {
            Reply::Notices(notices) => notices.notices,
            _ => return Err(RequestError::WrongKind),
        };
        let mut background = JoinSet::new();
        background.spawn(ping(requests.clone()));
        background.spawn(self.holder().keep_fresh(requests));
        Ok(Notices { connection, listed, refusal: None, _background: background })
    }

    /// The user has dealt with a notice.
    pub async fn dismiss(&self, notice_id: &str) -> Result<(), RequestError> {
        let (identity_token, notice_id) = (self.token().await?, notice_id.to_owned());
        match self.request(Body::DismissNotice(DismissNotice { identity_token, notice_id })).await?
        {
            Reply::NoticeDismissed(_) => Ok(()),
            _ => Err(RequestError::WrongKind),
        }
    }
}

impl Notices {
    /// What was there at the start, oldest first.
    pub fn listed(&self) -> &[Notice] {
        &self.listed
    }

    /// What the user is told next; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            match self.connection.next().await?.body {
                Some(Reply::Notice(notice)) => return Some(notice),
                Some(Reply::Refusal(refusal)) => self.refusal = Some(refusal),
                _ => {}
            }
        }
    }

    /// Why the relay has ended it, if it said so.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }
}
