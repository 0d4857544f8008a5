//! ptrace(2): a thread that watches and steers another.
//!
//! Who traces whom stands in the table of tasks (its lock orders attaching, detaching and
//! ends); what a traced thread does stands in its [`Trace`]. A traced thread stops by
//! itself ([`stop`]): it puts its registers where the tracer finds them, tells the tracer,
//! and sleeps until they are given back. So everything that a tracer asks of a stopped
//! thread is a look at memory ([`requests`], [`registers`]), and whatever runs the
//! application code, it is its own thread that fetches and loads its state.
//!
//! Single steps are taken with the processor's trap flag, in the registers that the
//! platform loads; the exception comes back as SIGTRAP.

mod attach;
mod control;
mod info;
mod registers;
mod requests;
mod stop;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use platform::{FpState, Regs};
use syscalls::abi::ptrace::PtraceOptions;
use syscalls::abi::signal::Siginfo;

use crate::sync::{Level, Mutex};
use crate::task::Task;

pub(crate) use attach::{Tracee, clone_event, note_end, release_tracees};
pub(crate) use registers::register_set;
pub(crate) use stop::{Event, Watch};
pub(crate) use wait::News;

/// How a thread is traced, if it is.
pub struct Trace {
    traced: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Link>,
    /// The thread stands in a stop.
    stop: Option<Stopped>,
    /// The tracer has given it back; the thread is about to go on.
    resumed: Option<Resumed>,
    /// The thread shall stop before it runs application code again.
    trap: bool,
    /// SIGKILL came after the end had begun.
    killed: bool,
}

/// The relation to the tracer.
struct Link {
    tracer: Arc<Task>,
    /// `PTRACE_SEIZE` rather than `PTRACE_ATTACH`.
    seized: bool,
    options: PtraceOptions,
    /// `PTRACE_GETEVENTMSG`.
    message: u64,
}

/// A stop.
struct Stopped {
    /// As wait4(2) shows it in the upper bytes: a signal, and an event above it.
    code: i32,
    /// What came with the signal; `None` in a stop of the whole process.
    info: Option<Siginfo>,
    regs: Regs,
    fp: Option<FpState>,
    fp_changed: bool,
    /// Of a system call.
    call: CallStop,
    /// A wait has told of it.
    told: bool,
    /// `PTRACE_LISTEN`: as if it were not traced, but for what happens to the process.
    listening: bool,
}

/// Where in a system call a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallStop {
    None,
    Entry,
    Exit,
    Seccomp,
}

/// What the tracer wants next.
struct Resumed {
    stop: Stopped,
    /// To deliver; 0: none.
    signal: i32,
    watch: Watch,
}

impl Default for Trace {
    fn default() -> Self {
        Trace {
            traced: AtomicBool::new(false),
            state: Mutex::new(Level::Trace, State::default()),
        }
    }
}

impl Trace {
    /// True while there is a tracer.
    pub(crate) fn is_on(&self) -> bool {
        self.traced.load(Ordering::SeqCst)
    }

    /// True while the thread stands in a stop for its tracer: state `t` in /proc.
    pub(crate) fn is_stopped(&self) -> bool {
        let state = self.state.lock();
        state.stop.as_ref().is_some_and(|stop| !stop.listening)
    }

    /// The tracer.
    pub(crate) fn tracer(&self) -> Option<Arc<Task>> {
        if !self.is_on() {
            return None;
        }
        Some(self.state.lock().link.as_ref()?.tracer.clone())
    }

    /// True if a thread of the process `pid` traces it.
    pub(crate) fn is_by(&self, pid: crate::task::Pid) -> bool {
        self.tracer().is_some_and(|tracer| tracer.group.pid == pid)
    }

    /// True if the tracer asked for it.
    fn wants(&self, option: PtraceOptions) -> bool {
        let state = self.state.lock();
        let options = state.link.as_ref().map(|link| link.options);
        options.is_some_and(|options| options.contains(option))
    }

    /// True if the tracer wants to be told of an event.
    pub(crate) fn wants_event(&self, event: Event) -> bool {
        self.is_on() && self.wants(event.option())
    }

    /// A stop of the process has begun or ended: a seized thread tells its tracer.
    pub(crate) fn notify(&self) {
        if !self.is_on() {
            return;
        }
        let mut state = self.state.lock();
        if !state.link.as_ref().is_some_and(|link| link.seized) {
            return;
        }
        state.trap = true;
        if state.stop.as_ref().is_some_and(|stop| stop.listening) {
            state.give_back(0, Watch::default());
        }
    }

    /// SIGKILL: ends a stop even if the thread is exiting.
    pub(crate) fn kill(&self) {
        if self.is_on() {
            self.state.lock().killed = true;
        }
    }
}

impl State {
    /// Ends the stop, if there is one.
    fn give_back(&mut self, signal: i32, watch: Watch) {
        if let Some(stop) = self.stop.take() {
            self.resumed = Some(Resumed {
                stop,
                signal,
                watch,
            });
        }
    }
}
