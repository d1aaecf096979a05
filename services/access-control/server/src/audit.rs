//! Writing every decision down: who, what, why; never a password or a secret.
//!
//! **Invariant:** a decision that can't be recorded is not given. A place in the queue is taken
//! before anything is decided; when there is none, nothing is.

mod queue;
mod record;
mod writer;

pub use queue::{AuditQueue, QueueFull};
pub use record::Record;
pub use writer::AuditWriter;
