//! What the Gofer has been asked to open a file for.

use std::sync::atomic::{AtomicU8, Ordering};

use gofer::{Access, Client, Handle};
use syscalls::Errno;

const READ: u8 = 1;
const WRITE: u8 = 2;

/// Remembers successful opens, so that each is asked for once.
#[derive(Default)]
pub(super) struct Opened(AtomicU8);

fn bits(access: Access) -> u8 {
    match access {
        Access::Read => READ,
        Access::Write => WRITE,
        Access::ReadWrite => READ | WRITE,
    }
}

impl Opened {
    /// Opens for `access` unless that was done.
    pub(super) fn ensure(
        &self,
        client: &Client,
        handle: Handle,
        access: Access,
    ) -> Result<(), Errno> {
        let want = bits(access);
        if self.0.load(Ordering::Relaxed) & want == want {
            return Ok(());
        }
        client.open(handle, access)?;
        self.0.fetch_or(want, Ordering::Relaxed);
        Ok(())
    }

    /// The Gofer opened it without being asked (a new file).
    pub(super) fn both(&self) {
        self.0.store(READ | WRITE, Ordering::Relaxed);
    }
}
