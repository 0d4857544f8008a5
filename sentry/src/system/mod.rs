//! What the machine is said to be, and calls that concern it as a whole.

mod names;
mod random;
mod sysinfo;
mod syslog;

pub use names::{MACHINE, RELEASE, SYSNAME, VERSION};
