//! Fixed places: addresses of the stub region, descriptors of a mapper, and the fields of
//! the pages that Sentry and mapper share. The assembly takes them from here.

use std::os::fd::RawFd;

use syscalls::PAGE_SIZE;

/// Lowest address that applications may use: Linux's default `vm.mmap_min_addr`.
pub(crate) const USER_START: u64 = 0x1_0000;
/// Highest address, exclusive: here the stub region begins.
pub(crate) const USER_END: u64 = STUB;

/// First address of the stub region.
pub(super) const STUB: u64 = 0x7fff_ff00_0000;
/// End of what Linux lets a 64-bit process have (four page-table levels).
pub(super) const TASK_END: u64 = 0x7fff_ffff_f000;

/// The mapper's instructions: one page, read and execute.
pub(super) const CODE: u64 = STUB;
/// Constants, read-only; see [`constants`].
pub(super) const CONSTANTS: u64 = STUB + 0x1_0000;
/// The command page, read-only there; see [`command`].
pub(super) const COMMAND: u64 = STUB + 0x2_0000;
/// A page that the host writes results to that nobody reads. The application may write it.
pub(super) const SCRATCH: u64 = COMMAND + PAGE_SIZE;
/// First address that nothing of the stub uses.
pub(super) const STUB_END: u64 = SCRATCH + PAGE_SIZE;

/// The memory file in a mapper's descriptor table.
pub(crate) const MEMORY_FD: RawFd = 0;
/// The file of command pages.
pub(crate) const COMMAND_FD: RawFd = 1;
/// The pipe that answers are written to.
pub(crate) const DONE_FD: RawFd = 2;
/// The socket over which the Sentry gets the other end of a fork's pipe.
pub(crate) const REPORT_FD: RawFd = 3;
/// Ends of the pipe that a fork makes, before they are put in their places.
pub(super) const NEW_READER_FD: RawFd = 4;
/// See [`NEW_READER_FD`].
pub(super) const NEW_WRITER_FD: RawFd = 5;

/// Offsets in the command page.
pub(super) mod command {
    /// u32: number of the command; the mapper sleeps on it.
    pub(crate) const SEQUENCE: usize = 0;
    /// u32: how many operations.
    pub(crate) const COUNT: usize = 4;
    /// u32: what follows the operations, a `KIND_…`.
    pub(crate) const KIND: usize = 8;
    /// u64: offset of the child's command page in the command file, for `KIND_FORK`.
    pub(crate) const CHILD: usize = 16;
    /// u64: process id of the Sentry as the mapper sees it. Never changes.
    pub(crate) const SENTRY: usize = 24;
    /// The operations: number and six arguments of a host call each.
    pub(crate) const OPERATIONS: usize = 64;
    /// Bytes of an operation.
    pub(crate) const OPERATION: usize = 56;
    /// Operations that fit.
    pub(crate) const CAPACITY: usize = (4096 - OPERATIONS) / OPERATION;

    /// Nothing more.
    pub(crate) const KIND_BATCH: u32 = 0;
    /// Fork the address space.
    pub(crate) const KIND_FORK: u32 = 1;
    /// Make a task for a guest thread.
    pub(crate) const KIND_TASK: u32 = 2;
}

/// The constants, and how an answer is coded in them.
///
/// A mapper has no memory that the application could not change, so it cannot compose an
/// answer: it writes a part of a read-only table. Entry `n` of the table is the u16 `n`.
/// - An error number, or 0: two bytes, the entry of that number.
/// - A process id: `2 * (pid >> 12) + 2` bytes from entry `PID + (pid & 0xfff)` on. The
///   reader takes the low part from the first entry and the high part from the length.
pub(super) mod constants {
    /// First entry that stands for the low part of a process id.
    pub(crate) const PID: usize = 4096;
    /// Bits in the low part. Linux's process ids have at most 22.
    pub(crate) const PID_LOW_BITS: u32 = 12;
    /// The longest answer, bytes.
    pub(crate) const LONGEST: usize = 2 << (22 - PID_LOW_BITS);
    /// Entries, with room for the longest answer from the last start.
    pub(crate) const ENTRIES: usize = PID + 4096 + LONGEST / 2;
    /// Where the other constants begin, bytes.
    pub(crate) const OTHERS: usize = (ENTRIES * 2).next_multiple_of(4096);
    /// Bytes of all constants.
    pub(crate) const SIZE: usize = OTHERS + 4096;
}
