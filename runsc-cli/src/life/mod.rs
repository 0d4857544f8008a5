//! A container's life: `create`, `start`, its end, `delete`; runtime.md of the OCI
//! specification.
//!
//! The record on disk ([`crate::state`]) says which processes a container has. Whether they
//! live, and what they do, is asked of the host's kernel and of the Sentry ([`client`]):
//! nothing that can be asked is written down.

mod client;
mod clock;
mod create;
mod delete;
mod exec;
mod files;
mod notify;
mod pod;
mod start;
mod status;

pub(crate) use client::Client;
pub(crate) use create::{AtEnd, Making, create, run};
pub(crate) use delete::{Force, delete};
pub(crate) use exec::{Exec, exec};
pub(crate) use start::start;
pub(crate) use status::{Status, state_value};
