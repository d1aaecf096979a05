//! What must hold, shown on all services as processes of their own.

mod databases;
mod media;
mod meeting;
mod recovery;
mod refusals;
mod shutdown;
