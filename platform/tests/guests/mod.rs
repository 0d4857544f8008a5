//! Guests on a platform: pages, address spaces, contexts. The same tests for each platform.

mod faults;
mod fork;
pub(crate) mod guest;
mod hostile;
mod interrupts;
mod syscalls;
mod threads;
mod vectors;
