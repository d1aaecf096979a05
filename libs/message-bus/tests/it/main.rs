//! The bus against a real nats-server: `NATS_SERVER` names the program.

mod events;
mod leases;
mod media;
mod permissions;
mod server;
