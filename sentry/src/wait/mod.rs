//! Waiting. An object that can become ready has a [`WaitQueue`]; who waits registers a
//! [`Wake`] there, tries again, and sleeps. Only [`crate::task::Current::block_on`] and
//! its siblings in `wait/block.rs` sleep.

mod block;
mod queue;
mod restart;
mod sigmask;

use bitflags::bitflags;

pub use block::Deadline;
pub(crate) use block::{Parker, wait_until};
pub use queue::{Registration, WaitQueue, Wake};
pub(crate) use restart::RESTART_SYSCALL;
pub use restart::RestartState;

bitflags! {
    /// What a file is ready for; the bits of poll(2).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
    pub struct Ready: u32 {
        /// Data to read.
        const IN = 0x001;
        /// Urgent data, or a state change (ptys).
        const PRI = 0x002;
        /// Room to write.
        const OUT = 0x004;
        /// An error is pending. Always reported.
        const ERR = 0x008;
        /// The other side is gone. Always reported.
        const HUP = 0x010;
        /// Not an open descriptor.
        const NVAL = 0x020;
        /// As IN.
        const RDNORM = 0x040;
        /// Out-of-band data to read.
        const RDBAND = 0x080;
        /// As OUT.
        const WRNORM = 0x100;
        /// Out-of-band data can be written.
        const WRBAND = 0x200;
        /// The other side shut down its writing half.
        const RDHUP = 0x2000;
        /// Readable, as poll sets it.
        const READABLE = Self::IN.bits() | Self::RDNORM.bits();
        /// Writable, as poll sets it.
        const WRITABLE = Self::OUT.bits() | Self::WRNORM.bits();
        /// Reported whether asked for or not.
        const ALWAYS = Self::ERR.bits() | Self::HUP.bits();
    }
}
