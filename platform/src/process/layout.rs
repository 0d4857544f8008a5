//! Fixed places: addresses of the stub region, descriptors of a mapper, and the fields of
//! the pages that Sentry and mapper share. The assembly takes them from here.

use std::os::fd::RawFd;

use syscalls::PAGE_SIZE;

/// Lowest address that applications may use: Linux's default `vm.mmap_min_addr`.
pub(crate) const USER_START: u64 = 0x1_0000;
/// Highest address, exclusive: here the stub region begins.
pub(crate) const USER_END: u64 = STUB;

/// First address of the stub region.
pub(super) const STUB: u64 = 0x7fff_c000_0000;
/// End of what Linux lets a 64-bit process have (four page-table levels).
pub(crate) const TASK_END: u64 = 0x7fff_ffff_f000;

/// The instructions, read and execute: the mapper's page, and that of guest tasks on
/// systrap.
pub(crate) const CODE: u64 = STUB;
/// See [`CODE`].
pub(crate) const GUEST_CODE: u64 = CODE + PAGE_SIZE;
/// Bytes of both; a power of two, as a filter tells by masking that a call comes from here.
pub(crate) const CODE_SIZE: u64 = 2 * PAGE_SIZE;
/// Constants, read-only; see [`constants`].
pub(super) const CONSTANTS: u64 = STUB + 0x1_0000;
/// The command page, read-only there; see [`command`].
pub(super) const COMMAND: u64 = STUB + 0x2_0000;
/// A page that the host writes results to that nobody reads. The application may write it.
pub(super) const SCRATCH: u64 = COMMAND + PAGE_SIZE;
/// First address that nothing of the stub uses.
pub(super) const STUB_END: u64 = SCRATCH + PAGE_SIZE;

/// Where the threads' pages are mapped, each at its number times [`THREAD_SIZE`], read and
/// write. Aligned to its size, so that an address in it is told by its upper bits.
pub(crate) const THREADS: u64 = 0x7fff_e000_0000;
/// The upper bits of such an address begin here.
pub(crate) const THREADS_SHIFT: u32 = 29;
/// Bytes of a thread's pages, a power of two; see `process::thread`.
pub(crate) const THREAD_SIZE: u64 = 4 * PAGE_SIZE;
/// How many threads a sandbox can have: those that fit before [`TASK_END`].
pub(crate) const THREAD_COUNT: u64 = (1 << THREADS_SHIFT) / THREAD_SIZE - 1;

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
    /// u64: for `KIND_FORK`, the offset of the child's command page in the command file;
    /// for `KIND_RUN`, the address of the new task's pages.
    pub(crate) const SUBJECT: usize = 16;
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
    /// Make a task for a guest thread that a tracer will run.
    pub(crate) const KIND_TRACED: u32 = 2;
    /// Make a task for a guest thread that runs by itself, from what its pages say.
    pub(crate) const KIND_RUN: u32 = 3;
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

/// Offsets in a thread's pages, which the Sentry shares with the task that runs the thread.
/// The application can write them all: whatever is read there is checked.
///
/// The first line says whose turn it is; the registers of a call follow. Signals arrive on
/// the rest, and their frames are edited in place.
pub(crate) mod thread {
    /// u32: a `TURN_…`. Both sides sleep on it; the host clears it when the task ends.
    pub(crate) const TURN: usize = 0;
    /// u32: not 0 if the Sentry sleeps, or is about to.
    pub(crate) const SENTRY_SLEEPS: usize = 4;
    /// u32: not 0 if the task sleeps, or is about to.
    pub(crate) const TASK_SLEEPS: usize = 8;
    /// u32: not 0 if the application is to be left as soon as it is reached.
    pub(crate) const KICK: usize = 12;
    /// u32: what happened, an `EVENT_…`.
    pub(crate) const EVENT: usize = 16;
    /// u32: how many times the task looks before it sleeps.
    pub(crate) const SPIN: usize = 20;
    /// u64: address of the frame of the last signal.
    pub(crate) const FRAME: usize = 24;
    /// u64: address of the trampoline of the last call.
    pub(crate) const TRAMPOLINE: usize = 32;
    /// u64 each: registers at a call.
    pub(crate) const RAX: usize = 64;
    pub(crate) const RDI: usize = 72;
    pub(crate) const RSI: usize = 80;
    pub(crate) const RDX: usize = 88;
    pub(crate) const R10: usize = 96;
    pub(crate) const R8: usize = 104;
    pub(crate) const R9: usize = 112;
    pub(crate) const RIP: usize = 120;
    pub(crate) const RSP: usize = 128;
    pub(crate) const RBX: usize = 136;
    pub(crate) const RBP: usize = 144;
    pub(crate) const R12: usize = 152;
    pub(crate) const R13: usize = 160;
    pub(crate) const R14: usize = 168;
    pub(crate) const R15: usize = 176;
    pub(crate) const FS_BASE: usize = 184;
    pub(crate) const GS_BASE: usize = 192;
    /// Bytes of the control page that mean something.
    pub(crate) const CONTROL_SIZE: usize = ANSWERS + 8 * ANSWER_COUNT;
    /// `stack_t`: [`STACK`] and what follows.
    pub(crate) const SIGNAL_STACK: usize = 256;
    /// u64 for each call below [`ANSWER_COUNT`]: what it returns, with [`ANSWER_KNOWN`]; or 0.
    pub(crate) const ANSWERS: usize = 1024;
    /// Calls from this number on are never answered here.
    pub(crate) const ANSWER_COUNT: usize = 192;
    /// Bit of an answer that is one: the sign.
    pub(crate) const ANSWER_KNOWN: u64 = 1 << 63;
    /// The stack for signals begins here.
    pub(crate) const STACK: usize = 4096;

    /// The task has ended.
    pub(crate) const TURN_DEAD: u32 = 0;
    /// The application runs, or is about to.
    pub(crate) const TURN_APPLICATION: u32 = 1;
    /// Something happened: it is the Sentry's turn.
    pub(crate) const TURN_SENTRY: u32 = 2;
    /// After a call: the Sentry wants all registers in a signal's frame first.
    pub(crate) const TURN_PROMOTE: u32 = 3;

    /// A signal; its frame says more.
    pub(crate) const EVENT_SIGNAL: u32 = 1;
    /// A call through a trampoline.
    pub(crate) const EVENT_CALL: u32 = 2;
}
