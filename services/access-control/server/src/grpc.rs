//! What this service answers: from requests to the domain and back.

mod access_service;
mod audit_service;
pub mod convert;
mod status;

pub use access_service::AccessApi;
pub use audit_service::AuditApi;
