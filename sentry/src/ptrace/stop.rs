//! What a traced thread does: it stops.

use std::sync::Arc;

use syscalls::abi::ptrace::{
    PTRACE_EVENT_CLONE, PTRACE_EVENT_EXEC, PTRACE_EVENT_EXIT, PTRACE_EVENT_FORK,
    PTRACE_EVENT_SECCOMP, PTRACE_EVENT_STOP, PTRACE_EVENT_VFORK, PTRACE_EVENT_VFORK_DONE,
    PtraceOptions,
};
use syscalls::abi::signal::{
    CLD_STOPPED, CLD_TRAPPED, SI_USER, SIGTRAP, SigactionFlags, Siginfo, TRAP_BRKPT,
};
use syscalls::errno::{EAGAIN, ENOSYS};
use syscalls::{Restart, Stop, UserAddr};

use super::{CallStop, Stopped};
use crate::signal::{Handler, Signal, Source};
use crate::task::{Current, ExitStatus, Numbers, StopState, Task};

/// The trap flag.
const TRAP_FLAG: u64 = 0x100;
/// In the signal of a call's stop, with `PTRACE_O_TRACESYSGOOD`.
const CALL_MARK: i32 = 0x80;

/// For what a thread that runs stops next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    /// Before and after system calls.
    pub(crate) calls: bool,
    /// Before system calls, which the tracer performs.
    pub(crate) emulate: bool,
    /// After one instruction.
    pub(crate) step: bool,
}

/// A stop that a tracer can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Fork,
    Vfork,
    Clone,
    Exec,
    VforkDone,
    Exit,
    Seccomp,
}

impl Event {
    fn number(self) -> i32 {
        match self {
            Event::Fork => PTRACE_EVENT_FORK,
            Event::Vfork => PTRACE_EVENT_VFORK,
            Event::Clone => PTRACE_EVENT_CLONE,
            Event::Exec => PTRACE_EVENT_EXEC,
            Event::VforkDone => PTRACE_EVENT_VFORK_DONE,
            Event::Exit => PTRACE_EVENT_EXIT,
            Event::Seccomp => PTRACE_EVENT_SECCOMP,
        }
    }

    pub(super) fn option(self) -> PtraceOptions {
        match self {
            Event::Fork => PtraceOptions::TRACEFORK,
            Event::Vfork => PtraceOptions::TRACEVFORK,
            Event::Clone => PtraceOptions::TRACECLONE,
            Event::Exec => PtraceOptions::TRACEEXEC,
            Event::VforkDone => PtraceOptions::TRACEVFORKDONE,
            Event::Exit => PtraceOptions::TRACEEXIT,
            Event::Seccomp => PtraceOptions::TRACESECCOMP,
        }
    }
}

/// What ends the wait of a stopped thread besides its tracer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The end of the process.
    End,
    /// SIGKILL: the thread is ending already.
    Kill,
}

/// What the tracer decided.
struct Answer {
    signal: i32,
    info: Option<Siginfo>,
}

impl Current {
    /// Runs application code with the trap flag if it is stepped.
    pub(crate) fn stepping<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> R {
        // A program may have set the flag itself, and then sees it.
        if !self.watch().step || self.regs.eflags & TRAP_FLAG != 0 {
            return run(self);
        }
        self.regs.eflags |= TRAP_FLAG;
        let result = run(self);
        self.regs.eflags &= !TRAP_FLAG;
        result
    }

    /// For what to stop; a tracer may have gone without a word.
    fn watch(&mut self) -> Watch {
        if self.own.watch != Watch::default() && !self.trace.is_on() {
            self.own.watch = Watch::default();
        }
        self.own.watch
    }

    /// Stops, if there is a tracer: `None` if there is none, or the thread has to end.
    fn stop_for_tracer(
        &mut self,
        code: i32,
        info: Option<Siginfo>,
        call: CallStop,
        until: Until,
    ) -> Option<Answer> {
        if !self.trace.is_on() || (until == Until::End && self.must_exit()) {
            return None;
        }
        let fp = self.context.fp_state().ok();
        let tracer = {
            let mut state = self.trace.state.lock();
            let tracer = state.link.as_ref()?.tracer.clone();
            state.resumed = None;
            state.stop = Some(Stopped {
                code,
                info,
                regs: self.regs,
                fp,
                fp_changed: false,
                call,
                told: false,
                listening: false,
            });
            tracer
        };
        let why = if info.is_none() || code >> 8 == PTRACE_EVENT_STOP {
            CLD_STOPPED
        } else {
            CLD_TRAPPED
        };
        self.task().tell_tracer(&tracer, why, code & 0x7f);
        drop(tracer);
        self.wait_for_tracer(until);
        self.take_answer()
    }

    /// Sleeps until the tracer has given the thread back, or it has to end.
    fn wait_for_tracer(&mut self, until: Until) {
        let over = || {
            let done = {
                let state = self.trace.state.lock();
                state.stop.is_none() || (until == Until::Kill && state.killed)
            };
            if done || (until == Until::End && self.must_exit()) {
                Ok(())
            } else {
                Err(Stop::Errno(EAGAIN))
            }
        };
        let mut put_off = false;
        while self.block_on_with(None, |_| Vec::new(), over).is_err() {
            // Cleared before the next look at what could have set it.
            put_off |= self.take_work();
        }
        put_off |= self.take_work();
        if self.has_to_look() {
            self.mark_work();
        }
        self.own.look_later |= put_off;
    }

    /// True if something that ends a wait has come. The tracer's own kicks do not.
    fn has_to_look(&self) -> bool {
        let blocked = self.signals.blocked();
        !self.pending_signals().without(blocked).is_empty()
            || self.must_exit()
            || self.is_held()
            || self.trace.state.lock().trap
            || (self.group.state().stop != StopState::Running && !self.is_stopped())
    }

    fn take_answer(&mut self) -> Option<Answer> {
        let resumed = {
            let mut state = self.trace.state.lock();
            state.stop = None;
            state.resumed.take()
        };
        let resumed = resumed?;
        self.own.watch = resumed.watch;
        self.regs = resumed.stop.regs;
        if resumed.stop.fp_changed
            && let Some(fp) = &resumed.stop.fp
            && let Err(error) = self.context.set_fp_state(fp)
        {
            log::debug!("thread {}: {error}", self.tid());
        }
        Some(Answer {
            signal: resumed.signal,
            info: resumed.stop.info,
        })
    }

    /// What a stop tells that comes from the kernel itself.
    fn trap_info(&self, code: i32) -> Siginfo {
        let uid = self.creds.with(|creds| creds.uid.real);
        Siginfo::kill(code & (CALL_MARK - 1), code, self.own_tid(), uid)
    }

    /// A stop of the kernel's own; what the tracer wants delivered.
    fn stop_for_trap(&mut self, code: i32, call: CallStop) -> Option<i32> {
        let info = self.trap_info(code);
        let answer = self.stop_for_tracer(code, Some(info), call, Until::End)?;
        Some(answer.signal)
    }

    /// A signal is about to be taken. What is left of it: the tracer may take it away,
    /// change it, or have it wait.
    pub(crate) fn show_signal(
        &mut self,
        info: Siginfo,
        restart: &mut Option<Restart>,
    ) -> Option<Siginfo> {
        if !self.trace.is_on() || info.signo == Signal::KILL.raw() {
            return Some(info);
        }
        let shown = self.stop_for_tracer(info.signo, Some(info), CallStop::None, Until::End);
        let Some(answer) = shown else {
            return Some(info);
        };
        *restart = self.restart_in_registers();
        let signal = Signal::new(answer.signal).ok()?;
        let info = match answer.info {
            Some(info) if info.signo == signal.raw() => info,
            _ => {
                let tracer = self.trace.tracer();
                let uid = tracer.as_ref().map_or(0, |t| t.creds.with(|c| c.uid.real));
                let pid = tracer.map_or(0, |t| t.group.numbers.seen_from(self.pid_namespace()));
                Siginfo::kill(signal.raw(), SI_USER, pid, uid)
            }
        };
        if self.signals.blocked().contains(signal) {
            let _ = self.kernel.signal_task(self.task(), &info);
            return None;
        }
        Some(info)
    }

    /// Stops if a stop is due: of the whole process, `PTRACE_INTERRUPT`, the start of a
    /// thread whose creator was seized. True if it did.
    pub(crate) fn obey_trap(&mut self, restart: &mut Option<Restart>) -> bool {
        if !self.trace.is_on() {
            return false;
        }
        let seized = {
            let mut state = self.trace.state.lock();
            if !std::mem::take(&mut state.trap) {
                return false;
            }
            state.link.as_ref().is_some_and(|link| link.seized)
        };
        let stopped = match self.group.state().stop {
            StopState::Running => None,
            StopState::Stopping(signal) | StopState::Stopped(signal) => Some(signal.raw()),
        };
        if seized {
            let code = stopped.unwrap_or(SIGTRAP) | PTRACE_EVENT_STOP << 8;
            self.stop_for_trap(code, CallStop::None);
        } else if let Some(signal) = stopped {
            self.stop_for_tracer(signal, None, CallStop::None, Until::End);
        }
        *restart = self.restart_in_registers();
        true
    }

    /// The process stops: a traced thread stops for its tracer instead. True if it is
    /// traced.
    pub(crate) fn trap_for_group_stop(&self, first: bool) -> bool {
        let traced = self.trace.is_on();
        if traced && first {
            self.trace.state.lock().trap = true;
        }
        traced
    }

    /// A call begins: stops if the tracer wants to see it. False if it is not to be
    /// performed: the tracer has set the result.
    #[inline]
    pub(crate) fn is_to_perform(&mut self) -> bool {
        if !self.own.watch.calls && !self.own.watch.emulate {
            return true;
        }
        let emulate = self.own.watch.emulate;
        self.regs.rax = ENOSYS.to_result();
        self.stop_at_call(CallStop::Entry);
        !emulate && !self.must_exit() && self.regs.orig_rax != u64::MAX
    }

    /// A call has ended, its result is in the registers.
    pub(crate) fn stop_at_exit(&mut self) {
        let watch = self.watch();
        if watch.step && !watch.emulate {
            let at = UserAddr::new(self.regs.rip);
            self.force_signal(&Siginfo::fault(SIGTRAP, TRAP_BRKPT, at));
        } else if watch.calls {
            self.stop_at_call(CallStop::Exit);
        }
    }

    fn stop_at_call(&mut self, call: CallStop) {
        let mark = if self.trace.wants(PtraceOptions::TRACESYSGOOD) {
            CALL_MARK
        } else {
            0
        };
        let message = if call == CallStop::Entry { 1 } else { 2 };
        self.set_event_message(message);
        if let Some(signal) = self.stop_for_trap(SIGTRAP | mark, call)
            && signal != 0
        {
            let _ = self
                .kernel
                .signal_task(self.task(), &Siginfo::kernel(signal));
        }
    }

    /// What a tracer is told of a new task, or of a number given up: 0 without a tracer.
    pub(crate) fn number_for_tracer(&self, numbers: &Numbers) -> u64 {
        let tracer = self.trace.tracer();
        let number = tracer.map_or(0, |tracer| numbers.seen_from(tracer.pid_namespace()));
        u64::from(number.unsigned_abs())
    }

    fn set_event_message(&self, message: u64) {
        if let Some(link) = &mut self.trace.state.lock().link {
            link.message = message;
        }
    }

    /// Stops for an event if the tracer asked for it; true if it did.
    pub(crate) fn stop_for_event(&mut self, event: Event, message: u64) -> bool {
        if !self.trace.is_on() {
            return false;
        }
        if !self.trace.wants(event.option()) {
            if event == Event::Exec && !self.is_seized() {
                let info =
                    Siginfo::kill(SIGTRAP, SI_USER, self.own_pid(), self.creds.get().uid.real);
                let _ = self.kernel.signal_task(self.task(), &info);
            }
            return false;
        }
        self.set_event_message(message);
        let code = SIGTRAP | event.number() << 8;
        let call = if event == Event::Seccomp {
            CallStop::Seccomp
        } else {
            CallStop::None
        };
        self.stop_for_trap(code, call).is_some()
    }

    /// The thread ends with `status`.
    pub(crate) fn stop_before_exit(&mut self, status: ExitStatus) {
        if self.trace.wants_event(Event::Exit) {
            self.set_event_message(u64::from(status.to_wait().cast_unsigned()));
            let code = SIGTRAP | Event::Exit.number() << 8;
            let info = self.trap_info(code);
            self.stop_for_tracer(code, Some(info), CallStop::None, Until::Kill);
        }
    }

    /// A handler is about to run its first instruction.
    pub(crate) fn stop_at_handler(&mut self) {
        if self.own.watch.step && self.trace.is_on() {
            self.stop_for_trap(SIGTRAP, CallStop::None);
        }
    }

    pub(super) fn is_seized(&self) -> bool {
        let state = self.trace.state.lock();
        state.link.as_ref().is_some_and(|link| link.seized)
    }

    /// How the call in the registers was interrupted, as its result says: a tracer may
    /// have changed it, or put back what it found earlier.
    fn restart_in_registers(&self) -> Option<Restart> {
        if self.regs.orig_rax.cast_signed() < 0 {
            return None;
        }
        Restart::of_result(self.regs.rax)
    }
}

impl Task {
    /// SIGCHLD for the tracer, unless it does not want that, and then whoever waits.
    pub(super) fn tell_tracer(self: &Arc<Self>, tracer: &Arc<Task>, why: i32, status: i32) {
        let action = tracer.group.handlers.get().get(Signal::CHLD);
        let wanted =
            action.handler != Handler::Ignore && !action.flags.contains(SigactionFlags::NOCLDSTOP);
        if wanted {
            let uid = self.creds.with(|creds| creds.uid.real);
            let times = self.group.usage().ticks();
            let pid = self.numbers().seen_from(tracer.pid_namespace());
            let info = Siginfo::child(why, pid, uid, status, times.0, times.1);
            let kernel = &self.kernel;
            let _ = kernel.signal_process(&tracer.group, &info, Source::Inside);
        }
        tracer.group.notify_child_event();
    }
}
