//! Carrying a share out: to the organiser, to users' terminals, or by e-mail.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tonic::Code;
use tributary_contracts::registry::v1::NotifyRequest;
use tributary_identifiers::UserId;
use tributary_mailer::{CONNECTIONS_MAX, EmailAddress, InlineImage, Mailer, Message, SendError};
use tributary_share_link::ShareLink;
use tributary_sliding_window::{Claim, Outcome, Spend};

use super::{Handout, ShareError, Sharing, request::Words};
use crate::{
    facts::FactError,
    store::{NewShare, Recipients, StoreError},
    wire,
};

const DAY_SECONDS: u64 = 24 * 3600;
/// How the page of an e-mail calls the picture of the link.
const QR_CONTENT_ID: &str = "qr@tributary";
/// How often the registry is asked to tell users; the same request tells nobody twice.
const NOTIFY_TRIES: u32 = 3;
const NOTIFY_PAUSE: Duration = Duration::from_millis(200);

impl Sharing {
    /// Whether there is a mail server for an e-mail, and room in the sender's budget.
    pub(super) async fn may_mail(&self, share: &NewShare) -> Result<(), ShareError> {
        let Recipients::Email(addresses) = &share.recipients else { return Ok(()) };
        if self.mailer.is_none() {
            return Err(ShareError::NoMailServer);
        }
        let key = mail_key(share);
        let sent = self.budgets.count(&key, DAY_SECONDS, share.created_at).await;
        let sent = sent.map_err(StoreError::from)?;
        if sent + addresses.len() as u64 > u64::from(self.settings.mail_limit) {
            return Err(ShareError::MailBudget);
        }
        Ok(())
    }

    /// Tells of the share; returns who was reached, and what is passed on if it is a link.
    pub(super) async fn carry_out(
        &self,
        share: &NewShare,
        words: &Words,
        link: &ShareLink,
    ) -> Result<(Recipients, Option<Handout>), ShareError> {
        match &share.recipients {
            Recipients::Link => Ok((Recipients::Link, Some(handout(words, link)?))),
            Recipients::Users(users) => {
                self.notify(share, words, users).await?;
                Ok((Recipients::Users(users.clone()), None))
            }
            Recipients::Email(addresses) => {
                let mailer = self.mailer.as_ref().ok_or(ShareError::NoMailServer)?;
                let reached = self.mail(share, words, link, addresses, mailer).await?;
                Ok((Recipients::Email(reached), None))
            }
        }
    }

    /// Returns when the registry has stored what the users are told.
    async fn notify(
        &self,
        share: &NewShare,
        words: &Words,
        users: &[UserId],
    ) -> Result<(), ShareError> {
        let request = NotifyRequest {
            request_id: share.share_id.clone(),
            organisation: share.scope.organisation.to_string(),
            meeting_id: share.scope.meeting.to_string(),
            user_ids: users.iter().map(ToString::to_string).collect(),
            from_user_id: share.created_by.to_string(),
            from_display_name: words.name.to_string(),
            expires_at: share.expires_at.map(wire::timestamp),
        };
        let mut registry = self.registry.clone();
        let mut tries = 1;
        loop {
            let Err(status) = registry.notify(request.clone()).await else { return Ok(()) };
            tracing::warn!(code = ?status.code(), message = status.message(), tries,
                "the meeting registry did not tell users of a share");
            match status.code() {
                Code::NotFound => return Err(ShareError::NotAllowed),
                Code::InvalidArgument => {
                    let why = status.message().to_owned();
                    return Err(ShareError::Invalid { field: "form.users", why });
                }
                code if tries == NOTIFY_TRIES => return Err(FactError::Registry(code).into()),
                _ => {}
            }
            tries += 1;
            tokio::time::sleep(NOTIFY_PAUSE).await;
        }
    }

    /// Returns the addresses that the mail server has accepted a message for, in their order.
    async fn mail(
        &self,
        share: &NewShare,
        words: &Words,
        link: &ShareLink,
        addresses: &[EmailAddress],
        mailer: &Mailer,
    ) -> Result<Vec<EmailAddress>, ShareError> {
        let messages = messages(words, link, addresses)?;
        let sending: Vec<_> =
            messages.iter().map(|message| self.mail_one(share, message, mailer)).collect();
        let answers: Vec<_> = stream::iter(sending).buffered(CONNECTIONS_MAX).collect().await;
        let mut reached = Vec::with_capacity(addresses.len());
        let mut failure = None;
        for (address, answer) in addresses.iter().zip(answers) {
            match answer {
                Ok(()) => reached.push(address.clone()),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if reached.is_empty() => Err(error),
            _ => Ok(reached),
        }
    }

    async fn mail_one(
        &self,
        share: &NewShare,
        message: &Message,
        mailer: &Mailer,
    ) -> Result<(), ShareError> {
        let claim = Claim {
            key: mail_key(share),
            limit: self.settings.mail_limit,
            window_seconds: DAY_SECONDS,
            spend: Spend::One,
        };
        match self.budgets.claim(&[claim], self.clock.now()).await.map_err(StoreError::from)? {
            Outcome::Granted => {}
            Outcome::Exhausted { .. } => return Err(ShareError::MailBudget),
        }
        mailer.send(message).await.map_err(|error| {
            tracing::warn!(%error, share = share.share_id, "an invitation was not accepted");
            match error {
                SendError::Refused(_) => ShareError::Invalid {
                    field: "form.email.addresses",
                    why: "the mail server accepts none of them".to_owned(),
                },
                _ => ShareError::NotDelivered,
            }
        })
    }
}

fn mail_key(share: &NewShare) -> String {
    format!("mail/{}/{}", share.scope.organisation, share.created_by)
}

fn handout(words: &Words, link: &ShareLink) -> Result<Handout, ShareError> {
    let picture = link.qr_code().map_err(|_| ShareError::Failed("a link is too long to draw"))?;
    Ok(Handout {
        url: link.expose(),
        text: words.invitation(link).plain_text(words.language),
        qr_svg: picture.svg(),
        qr_png: picture.png().map_err(|_| ShareError::Failed("a link can't be drawn"))?,
    })
}

/// The same message to each: nobody sees who else was invited.
fn messages(
    words: &Words,
    link: &ShareLink,
    addresses: &[EmailAddress],
) -> Result<Vec<Message>, ShareError> {
    let Handout { text, qr_png, .. } = handout(words, link)?;
    let invitation = words.invitation(link);
    let subject = invitation.title(words.language);
    let html = invitation.html(words.language, Some(QR_CONTENT_ID));
    let image = InlineImage {
        content_id: QR_CONTENT_ID.to_owned(),
        file_name: "invitation.png".to_owned(),
        png: qr_png,
    };
    let to = |address: &EmailAddress| Message {
        to: address.clone(),
        subject: subject.clone(),
        text: text.clone(),
        html: Some(html.clone()),
        image: Some(image.clone()),
    };
    Ok(addresses.iter().map(to).collect())
}
