//! Refusals and results as small JSON.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tributary_contracts::{registry::v1::Attachment, terminal::v1::RefusalCode};

use crate::refusal::Refused;

#[derive(Serialize)]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
}

/// Something that was attached.
#[derive(Serialize)]
struct Attached<'a> {
    attachment_id: &'a str,
    file_name: &'a str,
    media_type: &'a str,
    size: u64,
    sha256: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        refusal(status_of(self.code), &self)
    }
}

/// The file is larger than may be.
pub(super) fn too_large(message: &str) -> Response {
    refusal(StatusCode::PAYLOAD_TOO_LARGE, &Refused::new(RefusalCode::Limit, message))
}

pub(super) fn attached(attachment: &Attachment) -> Response {
    let sha256 = attachment.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let attached = Attached {
        attachment_id: &attachment.attachment_id,
        file_name: &attachment.file_name,
        media_type: &attachment.media_type,
        size: attachment.size,
        sha256,
    };
    json(StatusCode::CREATED, &attached)
}

fn refusal(status: StatusCode, refused: &Refused) -> Response {
    let name = refused.code.as_str_name();
    metrics::counter!("tributary_relay_refusals_total", "code" => name).increment(1);
    let code = name.strip_prefix("REFUSAL_CODE_").unwrap_or(name);
    json(status, &Error { code, message: &refused.message })
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Texts and numbers always have a JSON form.
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    keep_nowhere(headers);
    response
}

/// What a meeting's file or its refusal says is for this user at this moment only.
pub(crate) fn keep_nowhere(headers: &mut axum::http::HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn status_of(code: RefusalCode) -> StatusCode {
    match code {
        RefusalCode::NotLoggedIn => StatusCode::UNAUTHORIZED,
        RefusalCode::NotAdmitted => StatusCode::NOT_FOUND,
        RefusalCode::WrongPassword | RefusalCode::Forbidden => StatusCode::FORBIDDEN,
        RefusalCode::MeetingEnded => StatusCode::GONE,
        RefusalCode::Limit => StatusCode::TOO_MANY_REQUESTS,
        RefusalCode::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
        RefusalCode::Malformed | RefusalCode::Unsupported => StatusCode::BAD_REQUEST,
        RefusalCode::OperationConflict => StatusCode::CONFLICT,
        RefusalCode::Unspecified
        | RefusalCode::BadCredential
        | RefusalCode::CredentialExpired
        | RefusalCode::BadSessionDescription
        | RefusalCode::OutOfOrder
        | RefusalCode::Replaced
        | RefusalCode::MeetingLocked
        | RefusalCode::Removed
        | RefusalCode::SentAway => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
