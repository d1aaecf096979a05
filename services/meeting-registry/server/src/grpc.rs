//! From requests to the domain and back.

mod meeting_service;
mod read;
mod registry_service;
mod status;

pub use meeting_service::MeetingApi;
pub use registry_service::RegistryApi;
