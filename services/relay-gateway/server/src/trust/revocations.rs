//! How a relay gets to know what is revoked: it hears it on the bus at once, and asks for what it may
//! have missed.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use prost::Message as _;
use tokio::time::{Instant, sleep_until};
use tributary_contracts::credential::v1::{
    ListRevocationsRequest, Revocation as Told, revocation::What,
};
use tributary_join_credential::{Revocation, Revoked};
use tributary_message_bus::{Subscriber, subjects};

use super::Trust;

/// As many in one answer mean that there may be more.
const PAGE: usize = 10_000;
/// Pages in a row; more than this is not kept anyway.
const PAGES_MAX: usize = 100;
/// After a subscription was made or came back: by then the server knows of it.
const SETTLING_TIME: Duration = Duration::from_secs(1);

impl Trust {
    /// Hears what is revoked, and that there are other keys; ends when dropped.
    pub(super) async fn hear(&self) {
        let bus = &self.0.bus;
        let mut link = bus.link();
        let mut revoked = bus.hear(subjects::revoked()).await;
        let mut keys_changed = bus.hear(subjects::keys_changed()).await;
        let mut settles_at = Some(Instant::now() + SETTLING_TIME);
        loop {
            tokio::select! {
                payload = next(&mut revoked) => match Told::decode(payload) {
                    Ok(told) => self.take(told),
                    Err(_) => self.0.ask.notify_one(),
                },
                _ = next(&mut keys_changed) => self.0.ask.notify_one(),
                changed = link.changed() => match changed {
                    // What was said while the connection was down is missed, and also what is said
                    // until the server knows of the subscriptions again.
                    Ok(()) if link.borrow_and_update().up => {
                        self.0.ask.notify_one();
                        settles_at = Some(Instant::now() + SETTLING_TIME);
                    }
                    Ok(()) => {}
                    Err(_) => return std::future::pending().await,
                },
                () = at(settles_at) => {
                    self.0.ask.notify_one();
                    settles_at = None;
                }
            }
        }
    }

    fn take(&self, told: Told) {
        let number = told.number;
        let Some(revocation) = read(told) else { return self.0.ask.notify_one() };
        metrics::counter!("tributary_relay_revocations_total").increment(1);
        let known_up_to = self.change(|verifier| {
            verifier.revocations.insert(revocation.clone());
            verifier.revocations.last_number()
        });
        self.0.holds.revoke(|token| revocation.concerns(token));
        if known_up_to < number {
            // Some before it have not been heard.
            self.0.ask.notify_one();
        }
    }

    /// Asks for what is revoked and not known yet; true if the credential service has answered.
    pub(super) async fn list_revocations(&self) -> bool {
        for _ in 0..PAGES_MAX {
            let after = self.read().revocations.last_number();
            let request = ListRevocationsRequest { after };
            let answer = match self.0.client.clone().list_revocations(request).await {
                Ok(answer) => answer.into_inner().revocations,
                Err(status) => {
                    tracing::debug!(code = ?status.code(), "revocations not listed");
                    return false;
                }
            };
            let answered = answer.len();
            if answered == 0 {
                return true;
            }
            let known: Vec<_> = answer.into_iter().filter_map(read).collect();
            self.change(|verifier| verifier.revocations.insert_listed(known));
            let verifier = self.read();
            self.0.holds.revoke(|token| verifier.revocations.concerns(token));
            if answered < PAGE || verifier.revocations.last_number() <= after {
                return true;
            }
        }
        true
    }
}

/// The next message; never, when there can't be any.
async fn next(subscription: &mut Option<Subscriber>) -> Bytes {
    if let Some(subscription) = subscription
        && let Some(message) = subscription.next().await
    {
        return message.payload;
    }
    std::future::pending().await
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// `None` for a kind that this relay does not know.
fn read(told: Told) -> Option<Revocation> {
    let seconds = |at: Option<prost_types::Timestamp>| {
        at.map_or(0, |at| u64::try_from(at.seconds).unwrap_or_default())
    };
    let what = match told.what? {
        What::TokenId(id) => Revoked::Token(id.parse().ok()?),
        What::User(user) => {
            Revoked::User(user.organisation.parse().ok()?, user.user_id.parse().ok()?)
        }
        What::KeyId(id) => Revoked::Key(id.parse().ok()?),
        What::KeyThumbprint(thumbprint) => Revoked::Terminal(thumbprint.parse().ok()?),
    };
    // Without an end it is never forgotten.
    let forget_at = told.forget_at.map_or(u64::MAX, |at| seconds(Some(at)));
    Some(Revocation { number: told.number, what, at: seconds(told.at), forget_at })
}

#[cfg(test)]
mod tests {
    use tributary_contracts::credential::v1::RevokedUser;

    use super::*;

    fn told(what: Option<What>) -> Told {
        let at = Some(prost_types::Timestamp { seconds: 100, nanos: 5 });
        let forget_at = Some(prost_types::Timestamp { seconds: 200, nanos: 0 });
        Told { number: 3, what, at, forget_at }
    }

    #[test]
    fn revocations_are_read_as_they_are_told() {
        let user = RevokedUser { organisation: "default".into(), user_id: "ada".into() };
        let read_back = read(told(Some(What::User(user)))).unwrap();
        assert_eq!((read_back.number, read_back.at, read_back.forget_at), (3, 100, 200));
        let expected = Revoked::User("default".parse().unwrap(), "ada".parse().unwrap());
        assert_eq!(read_back.what, expected);
    }

    #[test]
    fn what_can_not_be_read_is_no_revocation() {
        for what in [None, Some(What::TokenId("?".into())), Some(What::KeyId(String::new()))] {
            assert_eq!(read(told(what)), None);
        }
    }
}
