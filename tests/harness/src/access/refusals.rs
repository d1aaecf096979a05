//! What outsiders hear when they are refused is one answer, byte by byte.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use tributary_contracts::admin::v1::CreateMeetingRequest;
use tributary_contracts::terminal::v1::relay_message::Body as Said;
use tributary_contracts::terminal::v1::terminal_message::Body as Ask;
use tributary_contracts::terminal::v1::{ReadMeeting, RequestJoinCredential};
use tributary_terminal::{Account, Target};

use super::outsiders::ACCESSES;
use super::stage::Stage;
use super::{Measured, nothing};
use crate::wire::Wire;

/// A question that is refused, and why.
struct Question {
    why: &'static str,
    who: Account,
    meeting_id: String,
    share_secret: String,
    password: String,
}

impl Question {
    fn new(why: &'static str, who: &Account, target: &Target) -> Self {
        Self {
            why,
            who: who.clone(),
            meeting_id: target.meeting_id.to_string(),
            share_secret: target.share_secret.clone(),
            password: target.password.clone(),
        }
    }

    /// To read, and to join.
    fn asks(&self) -> Result<[Ask; 2]> {
        let identity_token = self.who.identity().context("nobody is logged in")?.identity_token;
        let (meeting_id, password) = (self.meeting_id.clone(), self.password.clone());
        let share_secret = self.share_secret.clone();
        let read = ReadMeeting {
            identity_token: identity_token.clone(),
            meeting_id: meeting_id.clone(),
            password: password.clone(),
            share_secret: share_secret.clone(),
        };
        let join = RequestJoinCredential {
            identity_token,
            meeting_id,
            password,
            share_secret,
            public_key: self.who.public_key(),
            ..Default::default()
        };
        Ok([Ask::ReadMeeting(read), Ask::RequestJoinCredential(join)])
    }
}

async fn questions(stage: &mut Stage) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    let guest = stage.guest(0).await?;
    let absent = Target::new(stage.absent_meeting()?);
    questions.push(Question::new("absent", &guest, &absent));
    questions.push(Question::new("absent, to an account", &stage.linus.terminal, &absent));
    for (why, text) in [("no id at all", "x"), ("an id of another version", "8070450532247928832")]
    {
        let question = Question::new(why, &guest, &absent);
        questions.push(Question { meeting_id: text.to_owned(), ..question });
    }
    let not_shared = Target::new(stage.meeting("Not shared").await?);
    questions.push(Question::new("not shared", &guest, &not_shared));

    let elsewhere = CreateMeetingRequest {
        organisation: "elsewhere".to_owned(),
        subject: "Elsewhere".to_owned(),
        organiser_user_id: stage.ada.user.user_id.clone(),
        ..Default::default()
    };
    let elsewhere = stage.directory.create_meeting(elsewhere).await?;
    questions.push(Question::new("another organisation", &guest, &Target::new(elsewhere.parse()?)));

    let (meeting, share, revoked) = stage.shared_meeting("Revoked").await?;
    stage.ada.terminal.revoke_share(meeting, &share.share_id).await?;
    questions.push(Question::new("revoked, by the link", &guest, &revoked));

    let (meeting, _) = stage.meeting_with_password("Password").await?;
    stage.share(meeting).await?;
    let wrong = Target::new(meeting).with_password("canary-wrong-password");
    questions.push(Question::new("wrong password", &guest, &wrong));

    let valid = Target::new(stage.shared_meeting("Over the count").await?.0);
    let over = stage.guest(0).await?;
    for _ in 0..ACCESSES {
        over.read(valid.clone()).await?;
    }
    questions.push(Question::new("over the count", &over, &valid));
    Ok(questions)
}

pub async fn all_refusals_are_the_same_bytes(stage: &mut Stage) -> Result<Measured> {
    let questions = questions(stage).await?;
    let mut answers: BTreeMap<Vec<u8>, Vec<&str>> = BTreeMap::new();
    for relay in [0, 1] {
        let mut wire = Wire::connect(&stage.world.relay_url(relay)?).await?;
        for question in &questions {
            for ask in question.asks()? {
                let answer = wire.ask(ask).await?;
                let refused = matches!(answer.said, Said::Refusal(_));
                ensure!(refused, "{} was answered {:?}", question.why, answer.said);
                answers.entry(answer.bytes).or_default().push(question.why);
            }
        }
    }
    ensure!(answers.len() == 1, "{} different answers: {answers:?}", answers.len());
    nothing()
}
