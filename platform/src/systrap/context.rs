//! A guest thread and its task.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::{Errno, UserAddr};

use super::frame::{Cause, Frame, PAGE_FAULT};
use super::handoff;
use super::tempo::{Room, Tempo};
use crate::process::interrupt::{Interrupter, Target};
use crate::process::layout::thread as page;
use crate::process::{GuestTask, ProcessSpace, ThreadPages, guest_code};
use crate::{AddressSpace, Context, Error, Event, FpState, Interrupt, Prot, Regs};

/// One guest thread.
pub(super) struct SystrapContext {
    bound: Option<Bound>,
    /// The vector state while no task holds it.
    fp: FpState,
    interrupter: Arc<Interrupter>,
    tempo: Option<Tempo>,
}

/// A task in an address space.
struct Bound {
    task: GuestTask,
    pages: Arc<ThreadPages>,
    /// Where the task waits.
    at: At,
    /// The registers it has, or will have once it runs on.
    regs: Regs,
    /// The last call from a trampoline: its return address, and where that is in the
    /// trampoline. Cleared by any other event, and if the trampoline is not to be trusted.
    call: Option<(u64, u64)>,
    /// How often to look before sleeping.
    looks: u32,
    space: Arc<dyn AddressSpace>,
}

/// Where a task waits for its turn.
#[expect(
    clippy::large_enum_variant,
    reason = "one for each thread, kept in its context: a box would cost every signal an allocation"
)]
enum At {
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

impl SystrapContext {
    pub(super) fn new(room: Option<&Arc<Room>>) -> Self {
        SystrapContext {
            bound: None,
            fp: FpState::initial(),
            interrupter: Arc::new(Interrupter::new()),
            tempo: room.map(Tempo::new),
        }
    }

    fn run(&mut self, space: &Arc<dyn AddressSpace>, regs: &mut Regs) -> Result<Event, Error> {
        let mut slept = false;
        let bound = self.bound.as_ref();
        if bound.is_some_and(|bound| Arc::ptr_eq(&bound.space, space)) {
            let Some(bound) = &mut self.bound else {
                return Err(Error::Died);
            };
            if let Some(tempo) = &mut self.tempo {
                bound.looks = tempo.before(bound.task.pid(), &bound.pages);
            }
            let woken = bound.resume(regs, &self.interrupter)?;
            slept = woken;
        } else {
            self.release();
            self.start(space, regs)?;
        }
        let Some(bound) = &mut self.bound else {
            return Err(Error::Died);
        };
        loop {
            slept |= bound.wait(page::TURN_APPLICATION, &self.interrupter)?;
            if let Some(event) = bound.event(&self.interrupter)? {
                if let Some(tempo) = &mut self.tempo {
                    tempo.after(slept, &bound.pages);
                }
                *regs = bound.regs;
                return Ok(event);
            }
            // A signal that means nothing.
            handoff::give(&bound.pages, page::TURN_APPLICATION);
        }
    }

    /// Makes a task in `space`, which runs at once.
    fn start(&mut self, space: &Arc<dyn AddressSpace>, regs: &Regs) -> Result<(), Error> {
        let process = space.as_any().downcast_ref::<ProcessSpace>();
        let process = process.ok_or(Error::Host {
            what: "run in an address space of another platform",
            errno: syscalls::errno::EINVAL,
        })?;
        let (task, pages) = process.new_running_task(|pages| {
            Frame::start(pages, regs, &self.fp)?;
            let turn = page::TURN_APPLICATION;
            pages.word(page::TURN).store(turn, Ordering::Release);
            Ok(())
        })?;
        if let Some(tempo) = &mut self.tempo {
            tempo.start(task.pid());
        }
        self.interrupter.set_task(Some(Target {
            pid: task.pid(),
            pages: Some(Arc::clone(&pages)),
        }));
        self.interrupter.catch_up();
        self.bound = Some(Bound {
            task,
            pages,
            at: At::Call,
            regs: *regs,
            call: None,
            looks: 0,
            space: Arc::clone(space),
        });
        Ok(())
    }

    /// Ends the task, if there is one.
    fn unbind(&mut self) {
        self.interrupter.set_task(None);
        if let Some(tempo) = &mut self.tempo {
            tempo.part();
        }
        let Some(bound) = self.bound.take() else {
            return;
        };
        if let Some(process) = bound.space.as_any().downcast_ref::<ProcessSpace>() {
            process.end_task(bound.task, bound.pages);
        }
    }
}

impl Bound {
    /// Has the application run on with these registers.
    /// Returns whether the task slept.
    fn resume(&mut self, regs: &Regs, interrupter: &Interrupter) -> Result<bool, Error> {
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

    fn wait(&self, turn: u32, interrupter: &Interrupter) -> Result<bool, Error> {
        handoff::wait(&self.pages, turn, self.looks, self.task.pid(), interrupter)
    }

    /// Makes sure that a frame holds all registers.
    fn promote(&mut self, interrupter: &Interrupter) -> Result<(), Error> {
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
    fn event(&mut self, interrupter: &Interrupter) -> Result<Option<Event>, Error> {
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
fn broken(errno: Errno) -> Error {
    log::debug!("a signal's frame: {errno}");
    Error::Died
}

impl Context for SystrapContext {
    fn switch(&mut self, space: &Arc<dyn AddressSpace>, regs: &mut Regs) -> Result<Event, Error> {
        if let Some(bound) = &self.bound {
            bound.pages.word(page::KICK).store(0, Ordering::Relaxed);
        }
        if !self.interrupter.start() {
            return Ok(Event::Interrupted);
        }
        let result = self.run(space, regs);
        if !self.interrupter.finish(&result) {
            self.unbind();
        }
        result
    }

    fn fp_state(&mut self) -> Result<FpState, Error> {
        let Some(bound) = &mut self.bound else {
            return Ok(self.fp.clone());
        };
        bound.promote(&self.interrupter)?;
        match &bound.at {
            At::Frame(frame) => frame.fp_state(&bound.pages).map_err(broken),
            At::Call => Err(Error::Died),
        }
    }

    fn set_fp_state(&mut self, state: &FpState) -> Result<(), Error> {
        if let Some(bound) = &mut self.bound {
            bound.promote(&self.interrupter)?;
            if let At::Frame(frame) = &bound.at {
                frame.set_fp_state(&bound.pages, state).map_err(broken)?;
            }
        }
        self.fp = state.clone();
        Ok(())
    }

    fn interrupter(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.interrupter) as Arc<dyn Interrupt>
    }

    fn confine(&mut self, cpus: u64) {
        if let Some(tempo) = &mut self.tempo {
            let bound = self.bound.as_ref();
            let task = bound.map(|bound| (bound.task.pid(), &*bound.pages));
            tempo.confine(cpus, task);
        }
    }

    fn was_slow_call(&self) -> bool {
        let bound = self.bound.as_ref();
        bound.is_some_and(|bound| matches!(bound.at, At::Frame(_)))
    }

    fn leave_trampoline(&mut self) {
        if let Some(bound) = &mut self.bound {
            bound.call = None;
        }
    }

    fn release(&mut self) {
        // A task that was killed has no state left to keep.
        if self.bound.is_some()
            && let Ok(state) = self.fp_state()
        {
            self.fp = state;
        }
        self.unbind();
    }

    fn finish(&mut self) {
        self.unbind();
        self.fp = FpState::initial();
    }
}

impl Drop for SystrapContext {
    fn drop(&mut self) {
        self.unbind();
    }
}
