//! A task in an address space, at the command of one context after another.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::{Errno, UserAddr};

use super::frame::{Cause, Frame, PAGE_FAULT};
use super::handoff;
use crate::process::interrupt::Interrupter;
use crate::process::layout::thread as page;
use crate::process::{GuestTask, ProcessSpace, ThreadPages, guest_code};
use crate::{AddressSpace, Error, Event, FpState, OWN_CALLS, OwnAnswers, Prot, Regs};

/// A task in an address space.
pub(super) struct Bound {
    pub(super) task: GuestTask,
    pub(super) pages: Arc<ThreadPages>,
    /// Where the task waits.
    pub(super) at: At,
    /// The registers it has, or will have once it runs on.
    pub(super) regs: Regs,
    /// The last call from a trampoline: its return address, and where that is in the
    /// trampoline. Cleared by any other event, and if the trampoline is not to be trusted.
    pub(super) call: Option<(u64, u64)>,
    /// How often to look before sleeping.
    pub(super) looks: u32,
    pub(super) space: Arc<dyn AddressSpace>,
}

/// Where a task waits for its turn.
#[expect(
    clippy::large_enum_variant,
    reason = "one for each thread, kept in its context: a box would cost every signal an allocation"
)]
pub(super) enum At {
    /// In a signal's handler.
    Frame(Frame),
    /// In a call from a trampoline.
    Call,
}

/// `SYS_SECCOMP`: the filter trapped a call.
const SYS_SECCOMP: i32 = 1;
/// `AUDIT_ARCH_X86_64`
const X86_64: u32 = 0xc000_003e;
/// `SI_KERNEL`: an exception without an address.
const SI_KERNEL: i32 = 0x80;
const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;

impl Bound {
    /// A new task, which runs at once.
    pub(super) fn new(
        process: &ProcessSpace,
        space: &Arc<dyn AddressSpace>,
        regs: &Regs,
        fp: &FpState,
    ) -> Result<Self, Error> {
        let (task, pages) = process.new_running_task(|pages| {
            Frame::start(pages, regs, fp)?;
            let turn = page::TURN_APPLICATION;
            pages.word(page::TURN).store(turn, Ordering::Release);
            Ok(())
        })?;
        Ok(Self::with(task, pages, space, regs))
    }

    /// A task that somebody [left](Self::leave) in the address space.
    pub(super) fn spare(process: &ProcessSpace, space: &Arc<dyn AddressSpace>) -> Option<Self> {
        let (task, pages) = process.spare_task()?;
        Some(Self::with(task, pages, space, &Regs::default()))
    }

    fn with(
        task: GuestTask,
        pages: Arc<ThreadPages>,
        space: &Arc<dyn AddressSpace>,
        regs: &Regs,
    ) -> Self {
        Bound {
            task,
            pages,
            at: At::Call,
            regs: *regs,
            call: None,
            looks: 0,
            space: Arc::clone(space),
        }
    }

    /// Has a spare task run with these registers, whatever it did before.
    pub(super) fn begin(
        &mut self,
        regs: &Regs,
        fp: &FpState,
        interrupter: &Interrupter,
    ) -> Result<(), Error> {
        self.pages.word(page::KICK).store(0, Ordering::Relaxed);
        if self.pages.word(page::EVENT).load(Ordering::Relaxed) != page::EVENT_CALL {
            self.at = At::Frame(Frame::read(&self.pages).map_err(broken)?);
        }
        self.promote(interrupter)?;
        self.load(regs)?;
        if let At::Frame(frame) = &self.at {
            frame.set_fp_state(&self.pages, fp).map_err(broken)?;
        }
        self.regs = *regs;
        handoff::give(&self.pages, page::TURN_APPLICATION);
        Ok(())
    }

    /// Has the task answer these calls itself.
    pub(super) fn set_answers(&self, answers: &OwnAnswers) {
        for (number, answer) in OWN_CALLS.into_iter().zip(answers) {
            self.pages.set_answer(usize::from(number), *answer);
        }
    }

    /// Leaves the task, which waits for its turn, to the next thread of its address space.
    pub(super) fn leave(self) {
        self.pages.word(page::SPIN).store(0, Ordering::Relaxed);
        self.part(ProcessSpace::keep_task);
    }

    /// Ends the task.
    pub(super) fn end(self) {
        self.part(ProcessSpace::end_task);
    }

    fn part(self, how: impl FnOnce(&ProcessSpace, GuestTask, Arc<ThreadPages>)) {
        if let Some(process) = self.space.as_any().downcast_ref() {
            how(process, self.task, self.pages);
        }
    }

    /// Has the application run on with these registers.
    /// Returns whether the task slept.
    pub(super) fn resume(&mut self, regs: &Regs, interrupter: &Interrupter) -> Result<bool, Error> {
        let same = Regs {
            rax: self.regs.rax,
            orig_rax: self.regs.orig_rax,
            ..*regs
        };
        if matches!(self.at, At::Call) && self.call.is_some() && same == self.regs {
            self.pages
                .long(page::RAX)
                .store(regs.rax, Ordering::Relaxed);
        } else {
            self.promote(interrupter)?;
            self.load(regs)?;
        }
        self.regs = *regs;
        Ok(handoff::give(&self.pages, page::TURN_APPLICATION))
    }

    /// Puts registers into the frame.
    fn load(&self, regs: &Regs) -> Result<(), Error> {
        let At::Frame(frame) = &self.at else {
            return Err(Error::Died);
        };
        let mut regs = *regs;
        // Code goes on behind a rewritten call in the trampoline.
        if let Some((rip, tail)) = self.call
            && regs.rip == rip
        {
            regs.rip = tail;
        }
        frame.set_regs(&self.pages, &regs).map_err(broken)
    }

    pub(super) fn wait(&self, turn: u32, interrupter: &Interrupter) -> Result<bool, Error> {
        handoff::wait(&self.pages, turn, self.looks, self.task.pid(), interrupter)
    }

    /// Makes sure that a frame holds all registers.
    pub(super) fn promote(&mut self, interrupter: &Interrupter) -> Result<(), Error> {
        if matches!(self.at, At::Call) {
            handoff::give(&self.pages, page::TURN_PROMOTE);
            self.wait(page::TURN_PROMOTE, interrupter)?;
            let frame = Frame::read(&self.pages).map_err(broken)?;
            if !self.is_promotion(&frame) {
                return Err(Error::Died);
            }
            self.at = At::Frame(frame);
        }
        Ok(())
    }

    fn is_promotion(&self, frame: &Frame) -> bool {
        let promoted = guest_code::entries().promoted;
        frame.cause().signal == libc::SIGSYS && frame.regs(&self.pages).rip == promoted
    }

    /// What the task has to say.
    pub(super) fn event(&mut self, interrupter: &Interrupter) -> Result<Option<Event>, Error> {
        let pages = &*self.pages;
        if pages.word(page::EVENT).load(Ordering::Relaxed) == page::EVENT_CALL {
            self.at = At::Call;
            self.regs = call_regs(pages);
            let trampoline = pages.long(page::TRAMPOLINE).load(Ordering::Relaxed);
            let tail = guest_code::SLOW + guest_code::SYSCALL_SIZE;
            self.call = Some((self.regs.rip, trampoline.wrapping_add(tail as u64)));
            return Ok(Some(Event::Syscall));
        }
        let frame = Frame::read(pages).map_err(broken)?;
        if self.is_promotion(&frame) {
            // Kicked on its way out of a call. What the frame has as registers is the
            // stub's; the application's are the ones that were given last.
            self.at = At::Frame(frame);
            self.load(&self.regs)?;
            return Ok(interrupter.is_wanted().then_some(Event::Interrupted));
        }
        let mut regs = frame.regs(pages);
        let event = match frame.cause() {
            // The kick, or a signal that somebody on the host sent, which is no concern of
            // the guest: nobody runs on because of it who is to be interrupted.
            cause if cause.signal == libc::SIGURG || cause.code <= 0 => {
                interrupter.is_wanted().then_some(Event::Interrupted)
            }
            cause => Some(exception(cause, &mut regs)),
        };
        self.at = At::Frame(frame);
        self.regs = regs;
        self.call = None;
        Ok(event)
    }
}

/// An exception, or a trapped call.
fn exception(cause: Cause, regs: &mut Regs) -> Event {
    const WRITE: u64 = 2;
    const FETCH: u64 = 16;
    /// Bytes of every instruction for a call.
    const CALL: u64 = 2;
    if cause.signal == libc::SIGSYS && cause.code == SYS_SECCOMP {
        if cause.arch == X86_64 && regs.cs == Regs::USER_CS {
            return Event::Syscall;
        }
        // The 32-bit entries: as on a kernel without them, the instruction faults.
        regs.rip = regs.rip.wrapping_sub(CALL);
        return general_protection();
    }
    if regs.cs != Regs::USER_CS {
        return general_protection();
    }
    let is_fault = matches!(cause.code, SEGV_MAPERR | SEGV_ACCERR) && cause.trap == PAGE_FAULT;
    if cause.signal == libc::SIGSEGV && is_fault {
        let access = match cause.error {
            error if error & FETCH != 0 => Prot::EXEC,
            error if error & WRITE != 0 => Prot::WRITE,
            _ => Prot::READ,
        };
        return Event::Fault {
            addr: UserAddr::new(cause.addr),
            access,
        };
    }
    Event::Exception {
        signal: cause.signal,
        code: cause.code,
        addr: UserAddr::new(cause.addr),
    }
}

fn general_protection() -> Event {
    Event::Exception {
        signal: libc::SIGSEGV,
        code: SI_KERNEL,
        addr: UserAddr::NULL,
    }
}

/// The registers at a call from a trampoline. What SYSCALL itself changes is as it leaves
/// it.
fn call_regs(pages: &ThreadPages) -> Regs {
    /// Interrupts enabled, and the bit that is always set.
    const EFLAGS: u64 = 0x202;
    let get = |at: usize| pages.long(at).load(Ordering::Relaxed);
    let rip = get(page::RIP);
    let rax = get(page::RAX);
    Regs {
        r15: get(page::R15),
        r14: get(page::R14),
        r13: get(page::R13),
        r12: get(page::R12),
        rbp: get(page::RBP),
        rbx: get(page::RBX),
        r11: EFLAGS,
        r10: get(page::R10),
        r9: get(page::R9),
        r8: get(page::R8),
        rax,
        rcx: rip,
        rdx: get(page::RDX),
        rsi: get(page::RSI),
        rdi: get(page::RDI),
        orig_rax: rax,
        rip,
        cs: Regs::USER_CS,
        eflags: EFLAGS,
        rsp: get(page::RSP),
        ss: Regs::USER_SS,
        fs_base: get(page::FS_BASE),
        ..Regs::default()
    }
}

/// The application has put something into the frame that the host would not.
pub(super) fn broken(errno: Errno) -> Error {
    log::debug!("a signal's frame: {errno}");
    Error::Died
}
