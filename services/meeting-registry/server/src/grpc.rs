//! From requests to the domain and back.

mod announcing;
mod attachments;
mod attendance;
mod coming;
mod log;
mod managing;
mod meeting_service;
mod notices;
mod read;
mod registry_service;
mod status;

pub use meeting_service::MeetingApi;
pub use registry_service::RegistryApi;
pub use status::invalid;
