//! The access-control service: may this user do this to this meeting, now?
//!
//! It answers `tributary.access.v1.AccessService` and `tributary.admin.v1.AuditService`. The rules
//! are in `tributary-access-control-core`; this crate has a room for each thing around them:
//! `facts` finds out what a decision is made from, `counting` spends on budgets, `deciding`
//! brings both together, `grid` releases refusals, `audit` writes decisions down, `sharing`
//! carries shares out, `bus` hears and tells what changes, `alarm` and `cleaning` work beside.
//!
//! **Invariants:** it fails closed: when a fact can't be found out, an access not counted or a
//! decision not recorded, the answer is an error and never "allowed". The one exception are allows
//! that were given a moment ago. To outsiders every refusal is the same, in bytes, work and time.
//!
//! Start with [`Server::load`].

mod alarm;
mod audit;
mod bus;
mod cleaning;
mod clock;
mod config;
mod counting;
mod deciding;
mod facts;
mod grid;
mod grpc;
mod metrics;
mod server;
mod sharing;
mod store;
mod wire;

pub use clock::Clock;
pub use config::{Config, InvalidConfig};
pub use server::{Error, Server};
pub use store::{DecisionFilter, DecisionRow, Migrations, Store, StoreError};
