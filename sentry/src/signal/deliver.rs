//! What a thread does before application code runs again: it ends, stops, or takes
//! signals, until there is nothing left to do.

use std::sync::atomic::Ordering;

use syscalls::Restart;
use syscalls::abi::signal::{SigactionFlags, Siginfo};
use syscalls::errno::EINTR;

use super::{Action, DefaultAction, Handler, SigSet, Signal};
use crate::task::{Current, ExitStatus};
use crate::wait::RESTART_SYSCALL;

/// What comes after a call, a fault or an interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Application code.
    Application,
    /// The thread ends.
    Exit,
}

impl Current {
    /// Deals with everything that stands between the kernel and application code.
    /// `restart` says that the call which just ended was interrupted.
    pub(crate) fn settle(&mut self, mut restart: Option<Restart>) -> Flow {
        loop {
            while self.take_work() {
                if self.must_exit() {
                    return Flow::Exit;
                }
                self.obey_freeze();
                if self.must_exit() {
                    return Flow::Exit;
                }
                self.obey_stop();
                // It may be frozen since it was stopped.
                self.obey_freeze();
                self.obey_affinity();
                self.offer_answers();
                if self.obey_trap(&mut restart) || self.take_one(&mut restart) {
                    self.mark_work();
                }
            }
            // No handler took the call's fate into its hands.
            if let Some(restart) = restart.take() {
                self.repeat_call(restart);
            }
            let Some(mask) = self.own.saved_mask.take() else {
                return Flow::Application;
            };
            self.set_blocked(mask);
        }
    }

    /// True if the thread has to end.
    pub(crate) fn must_exit(&self) -> bool {
        let state = self.group.state();
        self.own.exit.is_some()
            || state.end.is_some()
            || state.sole.is_some_and(|tid| tid != self.tid())
    }

    /// Takes one signal; false if none is to be taken.
    fn take_one(&mut self, restart: &mut Option<Restart>) -> bool {
        let seen = self.group.continues.load(Ordering::SeqCst);
        let Some(info) = self.take_signal(self.signals.blocked().complement()) else {
            return false;
        };
        let Some(info) = self.show_signal(info, restart) else {
            return true;
        };
        if let Ok(signal) = Signal::new(info.signo) {
            let action = self.group.handlers.get().take(signal);
            match action.handler {
                Handler::Ignore => {}
                Handler::At(_) => self.call_handler(signal, &action, &info, restart),
                Handler::Default => self.act_by_default(signal, &info, seen),
            }
        }
        true
    }

    fn act_by_default(&mut self, signal: Signal, info: &Siginfo, seen: u64) {
        let protected = self.group.is_protected() && !SigSet::UNBLOCKABLE.contains(signal);
        match signal.default_action() {
            DefaultAction::Ignore | DefaultAction::Continue => {}
            DefaultAction::Terminate | DefaultAction::Core | DefaultAction::Stop if protected => {}
            DefaultAction::Stop => self.begin_stop(signal, seen),
            DefaultAction::Terminate => drop(self.group.kill(ExitStatus::Killed(signal))),
            DefaultAction::Core => {
                if SigSet::SYNCHRONOUS.contains(signal) {
                    log::info!(
                        "{}: {signal:?} code {} at {:#x}: rip {:#x} rsp {:#x}",
                        self.tid(),
                        info.code,
                        info.fields[0],
                        self.regs.rip,
                        self.regs.rsp
                    );
                }
                self.end_with_dump(signal, info);
            }
        }
    }

    fn call_handler(
        &mut self,
        signal: Signal,
        action: &Action,
        info: &Siginfo,
        restart: &mut Option<Restart>,
    ) {
        if let Some(restart) = restart.take() {
            let again = match restart {
                Restart::NoIntr => true,
                Restart::Sys => action.flags.contains(SigactionFlags::RESTART),
                Restart::NoHand | Restart::Block => false,
            };
            if again {
                self.repeat_call(restart);
            } else {
                self.regs.rax = EINTR.to_result();
            }
        }
        if self.push_frame(signal, action, info).is_err() {
            self.force_fault_after(signal);
            return;
        }
        let blocked = self.signals.blocked().union(action.mask);
        let mut blocked = blocked;
        if !action.flags.contains(SigactionFlags::NODEFER) {
            blocked.insert(signal);
        }
        self.own.saved_mask = None;
        self.set_blocked(blocked);
        self.stop_at_handler();
    }

    /// Lets the application execute the system call instruction once more.
    fn repeat_call(&mut self, restart: Restart) {
        /// Bytes of `syscall`.
        const INSTRUCTION: u64 = 2;
        self.regs.rax = match restart {
            Restart::Block => RESTART_SYSCALL,
            Restart::Sys | Restart::NoIntr | Restart::NoHand => self.regs.orig_rax,
        };
        self.regs.rip = self.regs.rip.wrapping_sub(INSTRUCTION);
    }

    /// A signal that the thread's own instructions caused. It cannot be blocked or
    /// ignored: then, the process ends.
    pub(crate) fn force_signal(&mut self, info: &Siginfo) {
        let Ok(signal) = Signal::new(info.signo) else {
            return;
        };
        let handlers = self.group.handlers.get();
        let mut action = handlers.get(signal);
        let mut blocked = self.signals.blocked();
        if blocked.contains(signal) || action.handler == Handler::Ignore {
            action.handler = Handler::Default;
            handlers.set(signal, action);
            blocked.remove(signal);
            self.set_blocked(blocked);
        }
        if action.handler == Handler::Default && !self.trace.is_on() {
            self.group.set_protected(false);
        }
        let mut pending = self.signals.pending.lock();
        if !pending.set().contains(signal) {
            pending.push(signal, Some((*info, None)));
        }
        drop(pending);
        self.mark_work();
    }

    /// A frame could not be built or read: SIGSEGV, and for SIGSEGV itself the end.
    pub(crate) fn force_fault_after(&mut self, signal: Signal) {
        if signal == Signal::SEGV {
            let handlers = self.group.handlers.get();
            handlers.set(signal, Action::default());
        }
        self.force_signal(&Siginfo::kernel(Signal::SEGV.raw()));
    }
}
