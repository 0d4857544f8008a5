//! Where things stand in the shared region, and the two ends of a channel.
//!
//! | offset | what |
//! |---|---|
//! | 64 | bits of the slots whose request waits for the server |
//! | 128 | threads of the server that are awake and look for requests |
//! | 192 | threads of the server that sleep on the bell |
//! | 256 | the bell, a futex |
//! | 320 | 1 if the client says that no CPU is to spare for spinning |
//! | 4096 + i × 68 KiB | slot i |
//!
//! Words that different sides write stand on cache lines of their own. A slot is:
//! its state (a futex) at 0; operation (request) or errno (reply), and the length of the
//! body, at 8 and 12; the body from 64 on. Pages of a slot that no body reached cost no memory.

use std::os::fd::OwnedFd;

use platform::host::SharedRegion;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use syscalls::Errno;
use syscalls::errno::EINVAL;

pub(crate) const PENDING: usize = 64;
pub(crate) const SEARCHING: usize = 128;
pub(crate) const SLEEPING: usize = 192;
pub(crate) const BELL: usize = 256;
pub(crate) const CROWDED: usize = 320;

/// Slots, and so the requests that can be under way at once.
pub(crate) const SLOTS: usize = 64;
const SLOT_BASE: usize = 4096;
const SLOT_STRIDE: usize = 68 << 10;
const BODY_OFFSET: usize = 64;
/// Longest body, bytes: an extended attribute's 64 KiB, its name and then some.
pub(crate) const BODY_SIZE: usize = SLOT_STRIDE - BODY_OFFSET;

/// Size of the shared region, bytes.
pub const REGION_SIZE: usize = SLOT_BASE + SLOTS * SLOT_STRIDE;

pub(crate) const fn slot(index: usize) -> usize {
    SLOT_BASE + index * SLOT_STRIDE
}
pub(crate) const fn head(index: usize) -> usize {
    slot(index) + 8
}
pub(crate) const fn body(index: usize) -> usize {
    slot(index) + BODY_OFFSET
}

/// The Sentry's end of a channel.
#[derive(Debug)]
pub struct ClientEnd {
    /// The shared region.
    pub region: OwnedFd,
    /// Says by its end of file that the other side is gone; carries nothing. Each process
    /// must hold its own side only.
    pub socket: OwnedFd,
}

/// The Gofer's end of a channel.
#[derive(Debug)]
pub struct ServerEnd {
    /// The shared region.
    pub region: OwnedFd,
    /// As [`ClientEnd::socket`].
    pub socket: OwnedFd,
}

/// A new channel. All descriptors are close-on-exec.
pub fn channel() -> Result<(ClientEnd, ServerEnd), Errno> {
    let region = SharedRegion::create(c"runsk-gofer-channel", REGION_SIZE)?;
    let (client, server) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|error| Errno::from_raw(error.raw_os_error()))?;
    let share = || {
        rustix::io::fcntl_dupfd_cloexec(&region, 0)
            .map_err(|error| Errno::from_raw(error.raw_os_error()))
    };
    Ok((
        ClientEnd {
            region: share()?,
            socket: client,
        },
        ServerEnd {
            region: share()?,
            socket: server,
        },
    ))
}

/// Maps a region of the expected size.
pub(crate) fn map(region: OwnedFd) -> Result<SharedRegion, Errno> {
    let region = SharedRegion::attach(region)?;
    if region.len() == REGION_SIZE {
        Ok(region)
    } else {
        Err(EINVAL.why("channel of the wrong size"))
    }
}
