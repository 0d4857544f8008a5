//! Containers on disk: what one command leaves for the next.
//!
//! ```text
//! ROOT/ID/state.json     the record: replaced in one step, never half written
//! ROOT/ID/lock           locked by a command that changes the container
//! ROOT/ID/control.sock   the Sentry's control socket
//! ROOT/.new-PID-ID/      a container that is just being made, or was when its maker died
//! ```
//!
//! A container appears under its name together with its first record. Nothing in a record is
//! taken for granted: whether the container's processes live is asked each time
//! ([`process`]), and so every moment is a good one to be killed at.

mod directory;
mod process;
mod record;

pub(crate) use directory::{Directory, Held, Root, container_id};
pub(crate) use process::HostProcess;
pub(crate) use record::Record;
