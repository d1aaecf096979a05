//! What people get: the words, and a code that readers read.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by it, as tests do")]

mod codes;
mod words;

use tributary_identifiers::MeetingId;
use tributary_share_link::{ShareLink, ShareSecret};

fn link(secret: [u8; 16]) -> ShareLink {
    let url = "https://meet.example.org/talk/".parse().unwrap();
    let meeting = MeetingId::try_from(1_234_567_890_123_456_789).unwrap();
    ShareLink::new(&url, meeting, &ShareSecret::new(secret))
}
