//! What a relay answers to those who are in no meeting.

use std::time::{SystemTime, UNIX_EPOCH};

use tributary_contracts::{
    access::v1::{CreateShareResponse, ListSharesResponse, Share, ShareForm, ShareLink},
    credential::v1::{GetLogInOptionsResponse, Identity},
    notice::v1::Notice,
    registry::v1::Meeting,
    terminal::v1::{
        AttachmentDeleted, JoinCredential, LoggedOut, MeetingCreated, MeetingDetails,
        MeetingUpdated, Meetings, MembersWereChanged, NoticeDismissed, Notices, RefreshIdentity,
        RefusalCode, RequestJoinCredential, ShareRevoked, relay_message::Body as Reply,
        terminal_message::Body,
    },
};
use tributary_join_credential::verify_refresh_proof;

use super::{meeting_id, refusal};

pub const SHARE_SECRET: &str = "AAECAwQFBgcICQoLDA0ODw";

pub fn share_link() -> String {
    format!("https://meet.example/#/m/{}/{SHARE_SECRET}", meeting_id())
}

fn shared(form: Option<ShareForm>) -> CreateShareResponse {
    let share = Share { share_id: "share".into(), form, ..Share::default() };
    let link = ShareLink { url: share_link(), ..ShareLink::default() };
    CreateShareResponse { share: Some(share), link: Some(link) }
}

/// The right to join a meeting.
pub fn credential(number: u32, request: &RequestJoinCredential) -> Reply {
    assert!(!request.meeting_id.is_empty());
    let join_credential = format!("credential-{number}");
    Reply::JoinCredential(JoinCredential { join_credential, expires_at: None })
}

/// What concerns no participant.
pub fn answer(body: Body) -> Reply {
    let meeting = |subject: &str| Meeting { subject: subject.into(), ..Meeting::default() };
    match body {
        Body::LogIn(_) | Body::EnterAsGuest(_) => {
            Reply::Identity(Identity { identity_token: "identity".into(), ..Identity::default() })
        }
        Body::CreateMeeting(create) => Reply::MeetingCreated(MeetingCreated {
            meeting_id: meeting_id().to_string(),
            subject: create.subject,
            share: create.shared.then(|| shared(None)),
        }),
        Body::RefreshIdentity(refresh) => {
            let RefreshIdentity { identity_token, public_key, signed_at, proof } = refresh;
            let proven =
                verify_refresh_proof(&public_key, signed_at, &identity_token, &proof, now());
            if proven.is_err() {
                return refusal(RefusalCode::NotLoggedIn);
            }
            let identity_token = format!("{identity_token} again");
            Reply::Identity(Identity { identity_token, ..Identity::default() })
        }
        Body::LogOut(_) => Reply::LoggedOut(LoggedOut {}),
        Body::ReadMeeting(_) => Reply::MeetingDetails(MeetingDetails {
            meeting: Some(meeting("Tests")),
            ..MeetingDetails::default()
        }),
        Body::UpdateMeeting(update) => {
            Reply::MeetingUpdated(MeetingUpdated { meeting: Some(meeting(update.subject())) })
        }
        Body::ChangeMembers(change) => Reply::MembersChanged(MembersWereChanged {
            members: u32::try_from(change.set.len()).unwrap() + 1,
        }),
        Body::ShareMeeting(share) => Reply::MeetingShared(shared(share.form)),
        Body::ListShares(_) => Reply::Shares(ListSharesResponse { shares: vec![Share::default()] }),
        Body::RevokeShare(_) => Reply::ShareRevoked(ShareRevoked {}),
        Body::ReceiveNotices(_) => {
            let notice = Notice { notice_id: "first".into(), ..Notice::default() };
            Reply::Notices(Notices { notices: vec![notice] })
        }
        Body::DismissNotice(_) => Reply::NoticeDismissed(NoticeDismissed {}),
        Body::ListMyMeetings(_) => Reply::Meetings(Meetings { meetings: vec![meeting("Tests")] }),
        Body::DeleteAttachment(_) => Reply::AttachmentDeleted(AttachmentDeleted {}),
        Body::GetLogInOptions(_) => {
            Reply::LogInOptions(GetLogInOptionsResponse { guests: true, oidc_providers: vec![] })
        }
        _ => refusal(RefusalCode::Unsupported),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
