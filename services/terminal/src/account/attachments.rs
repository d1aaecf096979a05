//! Files of meetings.

use bytes::Bytes;
use tributary_contracts::registry::v1::Attachment;
use tributary_identifiers::MeetingId;

use super::Account;
use crate::{
    Target,
    http::{self, HttpError, Method, Request},
};

/// A file as the relay gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The file.
    pub data: Bytes,
}

impl Account {
    /// Attaches a file to a meeting.
    pub async fn attach(
        &self,
        meeting: MeetingId,
        file_name: &str,
        media_type: &str,
        data: impl Into<Bytes>,
    ) -> Result<Attachment, HttpError> {
        let path = format!("/meetings/{meeting}/attachments?name={}", http::escaped(file_name));
        let mut headers = self.http_headers().await?;
        headers.push(("content-type", media_type.to_owned()));
        let request = Request { method: Method::Post, path, headers, body: data.into() };
        let answer = http::send(&self.0.relay_url, request).await?;
        attachment(&answer.data).ok_or_else(|| HttpError::Lost("not the JSON of a file".to_owned()))
    }

    /// Reads a file of a meeting.
    pub async fn attachment(
        &self,
        target: impl Into<Target>,
        attachment_id: &str,
    ) -> Result<Downloaded, HttpError> {
        let Target { meeting_id, share_secret, password } = target.into();
        let path = format!("/meetings/{meeting_id}/attachments/{}", http::escaped(attachment_id));
        let mut headers = self.http_headers().await?;
        for (name, value) in
            [("tributary-share-secret", share_secret), ("tributary-password", password)]
        {
            if !value.is_empty() {
                headers.push((name, value));
            }
        }
        let request = Request { method: Method::Get, path, headers, body: Bytes::new() };
        http::send(&self.0.relay_url, request).await
    }

    async fn http_headers(&self) -> Result<Vec<(&'static str, String)>, HttpError> {
        let token = self.token().await.map_err(|error| HttpError::Lost(error.to_string()))?;
        let mut headers = vec![("authorization", format!("Bearer {token}"))];
        if let Some(address) = &self.0.forwarded_for {
            headers.push(("x-forwarded-for", address.clone()));
        }
        Ok(headers)
    }
}

fn attachment(json: &[u8]) -> Option<Attachment> {
    let json: serde_json::Value = serde_json::from_slice(json).ok()?;
    let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let sha256 = text("sha256")?;
    let byte = |at: usize| u8::from_str_radix(sha256.get(at..at + 2)?, 16).ok();
    Some(Attachment {
        attachment_id: text("attachment_id")?,
        file_name: text("file_name")?,
        media_type: text("media_type")?,
        size: json.get("size")?.as_u64()?,
        sha256: (0..sha256.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>()?,
        ..Attachment::default()
    })
}
