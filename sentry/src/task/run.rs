//! A guest thread's life on its host thread.

use std::sync::Arc;

use platform::{Event, FpState, Prot, Regs};
use syscalls::UserAddr;
use syscalls::abi::signal::{Siginfo, TRAP_TRACE};

use super::own::Fault;
use super::{Current, ExitStatus, Task, all_cpus, host_thread};
use crate::dispatch;
use crate::mm::Mm;
use crate::signal::{Flow, Signal};

/// With what a new thread starts.
pub(crate) struct Start {
    pub(crate) task: Arc<Task>,
    pub(crate) mm: Arc<Mm>,
    pub(crate) regs: Regs,
    /// Vector state; `None`: as after execve(2).
    pub(crate) fp_state: Option<FpState>,
    pub(crate) alt_stack: crate::signal::AltStack,
    /// Where the thread stores its number first, `CLONE_CHILD_SETTID`.
    pub(crate) store_tid: Option<syscalls::UserPtr<i32>>,
}

/// Starts the host thread of a task that is in the tables already.
pub(crate) fn spawn(start: Start) -> std::io::Result<()> {
    host_thread::spawn(move || live(start))
}

fn live(start: Start) {
    let Start {
        task,
        mm,
        regs,
        fp_state,
        alt_stack,
        store_tid,
    } = start;
    let context = match task.kernel.platform.new_context() {
        Ok(context) => context,
        Err(error) => {
            log::error!("thread {}: {error}", task.tid());
            task.group.kill(ExitStatus::Killed(Signal::KILL));
            super::exit::without_context(task, mm);
            return;
        }
    };
    let mut current = Current::new(task, mm, regs, context);
    current.own.alt_stack = alt_stack;
    if let Some(at) = store_tid {
        // As in Linux, a bad address is the program's own problem.
        let _ = current.mem().write(at, &current.own_tid());
    }
    if let Some(state) = fp_state
        && let Err(error) = current.context.set_fp_state(&state)
    {
        current.lose_platform(&error);
    }
    current.run();
    current.exit();
}

impl Current {
    /// Runs the application until the thread has to end.
    pub(crate) fn run(&mut self) {
        let mut restart = None;
        self.offer_answers();
        if self.is_held() || self.wanted_affinity().is_some() {
            self.mark_work();
        }
        loop {
            if self.settle(restart.take()) == Flow::Exit {
                return;
            }
            if !self.task().enter_application() {
                continue;
            }
            self.follow_code();
            let space = self.mem().space().clone();
            let event = self.stepping(|task| task.context.switch(&space, &mut task.regs));
            self.task().leave_application();
            if !matches!(event, Ok(Event::Syscall)) {
                // No call to restart, whatever the last one was.
                self.regs.orig_rax = u64::MAX;
            }
            match event {
                Ok(Event::Syscall) => {
                    if self.context.was_slow_call() {
                        self.mem().clone().slow_call(&mut self.regs);
                    }
                    restart = dispatch::syscall(self);
                }
                Ok(Event::Fault { addr, access }) => self.page_fault(addr, access),
                Ok(Event::Exception { signal, code, addr }) => {
                    self.exception(signal, code, addr);
                }
                Ok(Event::Interrupted) => {
                    self.mem().clone().leave_trampoline(&mut self.regs);
                }
                Err(error) => self.lose_platform(&error),
            }
        }
    }

    /// Does not go back to a trampoline that may be gone.
    fn follow_code(&mut self) {
        let restorations = self.mem().restorations();
        if self.own.restorations != restorations {
            self.own.restorations = restorations;
            self.context.leave_trampoline();
        }
    }

    /// The processors it may run on, if that is not all.
    fn wanted_affinity(&self) -> Option<u64> {
        let all = all_cpus(self.kernel.cpus());
        Some(self.settings().affinity).filter(|mask| *mask != all)
    }

    /// Goes to where it may run, sched_setaffinity(2).
    pub(crate) fn obey_affinity(&mut self) {
        let wanted = self.wanted_affinity();
        if self.own.affinity != wanted {
            self.own.affinity = wanted;
            self.context.confine(wanted.unwrap_or(u64::MAX));
        }
    }

    fn page_fault(&mut self, addr: UserAddr, access: Prot) {
        /// Of the page fault exception.
        const NUMBER: u64 = 14;
        /// Bits of its error code.
        const PRESENT: u64 = 1;
        const WRITE: u64 = 2;
        const USER: u64 = 4;
        const FETCH: u64 = 16;
        super::usage::count(&self.counts.faults);
        let bad = loop {
            match self.mem().handle_fault(addr, access) {
                Ok(()) => return,
                Err(_) if self.found_memory() => {}
                Err(bad) => break bad,
            }
        };
        self.mem().clone().leave_trampoline(&mut self.regs);
        let mut err = USER;
        for (flag, bit) in [(Prot::WRITE, WRITE), (Prot::EXEC, FETCH)] {
            if access.contains(flag) {
                err |= bit;
            }
        }
        if bad.code == syscalls::abi::signal::SEGV_ACCERR {
            err |= PRESENT;
        }
        self.own.fault = Fault {
            trapno: NUMBER,
            err,
            cr2: addr.get(),
        };
        self.force_signal(&Siginfo::fault(bad.signal, bad.code, addr));
    }

    fn exception(&mut self, signal: i32, code: i32, addr: UserAddr) {
        let mem = self.mem().clone();
        if signal == Signal::TRAP.raw() && mem.pass_trap(&mut self.regs) {
            return;
        }
        mem.leave_trampoline(&mut self.regs);
        let trapno = match Signal::new(signal) {
            Ok(Signal::FPE) => 0,
            Ok(Signal::TRAP) if code == TRAP_TRACE => 1,
            Ok(Signal::TRAP) => 3,
            Ok(Signal::ILL) => 6,
            Ok(Signal::BUS) => 17,
            _ => 13,
        };
        self.own.fault = Fault {
            trapno,
            ..self.own.fault
        };
        self.force_signal(&Siginfo::fault(signal, code, addr));
    }

    /// The host process behind the thread is gone, or cannot be used: as if it had been
    /// killed.
    fn lose_platform(&mut self, error: &platform::Error) {
        log::error!("process {}: {error}; killed", self.pid());
        self.group.kill(ExitStatus::Killed(Signal::KILL));
    }
}
