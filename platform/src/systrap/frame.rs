//! The frame that the host writes when a signal arrives, read and edited in place.
//!
//! `struct rt_sigframe` of <asm/sigframe.h>: a return address, `ucontext_t`, `siginfo_t`;
//! the vector state stands above it. It lies in memory that the application can write: the
//! frame is copied once, and every place in it is checked to be inside the thread's pages.

use syscalls::Errno;
use syscalls::errno::EINVAL;

use crate::process::ThreadPages;
use crate::process::layout::THREAD_SIZE;
use crate::process::layout::thread::{FRAME, FS_BASE, GS_BASE, STACK};
use crate::process::thread::SIZE;
use crate::{FpState, Regs};

use std::sync::atomic::Ordering;

/// 64-bit words of a frame.
const WORDS: usize = 55;
/// Words before `uc_mcontext`: the return address and the head of the context.
const REGISTERS: usize = 6;
/// Words of registers that are edited: r8 up to the flags and selectors.
const EDITED: usize = 19;

/// Places of words in a frame.
const UC_FLAGS: usize = 1;
const UC_STACK: usize = 3;
const ERROR: usize = REGISTERS + 19;
const TRAP: usize = REGISTERS + 20;
const ADDRESS: usize = REGISTERS + 22;
const FP_STATE: usize = REGISTERS + 23;
const SIGNAL_MASK: usize = 38;
const SIGINFO: usize = 39;

/// FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE_SS.
const USUAL_FLAGS: u64 = 7;
/// What the processor leaves to software in an XSAVE area; the host's, not ours to change.
const SOFTWARE: std::ops::Range<usize> = 464..512;

/// A copy of a frame.
pub(super) struct Frame {
    words: [u64; WORDS],
    /// Where it is in the thread's pages.
    at: usize,
    /// Where its vector state is.
    fp_at: usize,
}

/// What a frame says of its signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// Signal number.
    pub(super) signal: i32,
    /// `si_code`
    pub(super) code: i32,
    /// `si_addr`, or for a page fault CR2.
    pub(super) addr: u64,
    /// `si_arch` of SIGSYS.
    pub(super) arch: u32,
    /// Error code of the processor's exception.
    pub(super) error: u64,
    /// The exception's number.
    pub(super) trap: u64,
}

impl Frame {
    /// The frame that the handler found.
    pub(super) fn read(pages: &ThreadPages) -> Result<Self, Errno> {
        let at = place(pages, pages.long(FRAME).load(Ordering::Relaxed), WORDS * 8)?;
        let mut bytes = [0; WORDS * 8];
        pages.read(at, &mut bytes)?;
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        let fp_at = place(pages, words[FP_STATE], FpState::frame_size())?;
        if !fp_at.is_multiple_of(64) {
            return Err(EINVAL);
        }
        Ok(Frame { words, at, fp_at })
    }

    /// Writes the frame from which a new task starts.
    pub(super) fn start(pages: &ThreadPages, regs: &Regs, fp: &FpState) -> Result<(), Errno> {
        let fp_at = (SIZE - FpState::frame_size()) & !63;
        let at = fp_at.checked_sub(WORDS * 8).ok_or(EINVAL)? & !15;
        if at < STACK {
            return Err(EINVAL.why("vector state too large for the stack"));
        }
        pages.write(fp_at, &fp.frame_bytes())?;
        let mut words = [0; WORDS];
        words[UC_FLAGS] = USUAL_FLAGS;
        words[UC_STACK] = pages.address() + STACK as u64;
        words[UC_STACK + 2] = THREAD_SIZE - STACK as u64;
        words[FP_STATE] = pages.address() + fp_at as u64;
        let frame = Frame { words, at, fp_at };
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        pages.write(at, &bytes)?;
        let address = pages.address() + at as u64;
        pages.long(FRAME).store(address, Ordering::Relaxed);
        frame.set_regs(pages, regs)
    }

    /// The registers; `orig_rax` is that of a system call.
    pub(super) fn regs(&self, pages: &ThreadPages) -> Regs {
        let [
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
            rdi,
            rsi,
            rbp,
            rbx,
            rdx,
            rax,
            rcx,
            rsp,
            rip,
            eflags,
            selectors,
        ] = *self.registers();
        Regs {
            r15,
            r14,
            r13,
            r12,
            rbp,
            rbx,
            r11,
            r10,
            r9,
            r8,
            rax,
            rcx,
            rdx,
            rsi,
            rdi,
            orig_rax: rax,
            rip,
            cs: selectors & 0xffff,
            eflags,
            rsp,
            ss: selectors >> 48,
            fs_base: pages.long(FS_BASE).load(Ordering::Relaxed),
            gs_base: gs_base(pages),
            ..Regs::default()
        }
    }

    fn registers(&self) -> &[u64; EDITED] {
        let words = self.words.get(REGISTERS..).and_then(<[u64]>::first_chunk);
        words.unwrap_or(&[0; EDITED])
    }

    /// Has the task run on with these registers, [sanitized](Regs::sanitized).
    pub(super) fn set_regs(&self, pages: &ThreadPages, regs: &Regs) -> Result<(), Errno> {
        let regs = regs.sanitized();
        let selectors = regs.cs | regs.ss << 48;
        let words: [u64; EDITED] = [
            regs.r8,
            regs.r9,
            regs.r10,
            regs.r11,
            regs.r12,
            regs.r13,
            regs.r14,
            regs.r15,
            regs.rdi,
            regs.rsi,
            regs.rbp,
            regs.rbx,
            regs.rdx,
            regs.rax,
            regs.rcx,
            regs.rsp,
            regs.rip,
            regs.eflags,
            selectors,
        ];
        let mut bytes = [0; EDITED * 8];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_ne_bytes();
        }
        pages.write(self.at + REGISTERS * 8, &bytes)?;
        // An application that blocks the kick could not be interrupted.
        pages.write(self.at + SIGNAL_MASK * 8, &[0; 8])?;
        pages.long(FS_BASE).store(regs.fs_base, Ordering::Relaxed);
        let gs_base = match regs.gs_base {
            0 => pages.address(),
            own => own,
        };
        pages.long(GS_BASE).store(gs_base, Ordering::Relaxed);
        Ok(())
    }

    /// The vector state.
    pub(super) fn fp_state(&self, pages: &ThreadPages) -> Result<FpState, Errno> {
        let mut bytes = vec![0; FpState::size()];
        pages.read(self.fp_at, &mut bytes)?;
        Ok(FpState::from_user(&bytes))
    }

    /// Has the task run on with this vector state.
    pub(super) fn set_fp_state(&self, pages: &ThreadPages, state: &FpState) -> Result<(), Errno> {
        let bytes = state.as_bytes();
        let before = bytes.get(..SOFTWARE.start).unwrap_or_default();
        let after = bytes.get(SOFTWARE.end..).unwrap_or_default();
        pages.write(self.fp_at, before)?;
        pages.write(self.fp_at + SOFTWARE.end, after)
    }

    /// Why the signal was sent.
    pub(super) fn cause(&self) -> Cause {
        let [signal_errno, code, addr, syscall_arch] = self
            .words
            .get(SIGINFO..)
            .and_then(<[u64]>::first_chunk)
            .copied()
            .unwrap_or_default();
        let (trap, error) = (self.words[TRAP], self.words[ERROR]);
        let signal = low(signal_errno);
        Cause {
            signal: signal.cast_signed(),
            code: low(code).cast_signed(),
            addr: if signal.cast_signed() == libc::SIGSEGV && trap == PAGE_FAULT {
                self.words[ADDRESS]
            } else {
                addr
            },
            arch: low(syscall_arch >> 32),
            error,
            trap,
        }
    }
}

/// Number of the page fault exception.
pub(super) const PAGE_FAULT: u64 = 14;

/// The application's base of GS. The thread's pages stand for none of its own.
fn gs_base(pages: &ThreadPages) -> u64 {
    match pages.long(GS_BASE).load(Ordering::Relaxed) {
        base if base == pages.address() => 0,
        base => base,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half of a word")]
fn low(word: u64) -> u32 {
    word as u32
}

/// A range in the part of the thread's pages where signals arrive, from its address.
fn place(pages: &ThreadPages, address: u64, len: usize) -> Result<usize, Errno> {
    let offset = address.checked_sub(pages.address()).ok_or(EINVAL)?;
    let at = usize::try_from(offset).map_err(|_| EINVAL)?;
    let end = at.checked_add(len).ok_or(EINVAL)?;
    if at < STACK || end > SIZE {
        return Err(EINVAL);
    }
    Ok(at)
}
