//! One process that containerd knows: the container's first, or one of `exec`.

use std::time::Instant;

use containerd_shim::api::Status;
use containerd_shim::protos::shim::shim::StateResponse;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::exit::Exit;
use super::fault::{self, Answer};
use super::streams::{Held, Names};
use super::terminal::Terminal;

/// Where a process is in its life.
#[derive(Clone, Debug)]
pub(crate) enum Life {
    /// It is known, and does not run yet.
    Created,
    Running,
    Stopped(Exit),
}

/// What changes in the course of that life.
#[derive(Debug)]
struct State {
    life: Life,
    /// On the host; 0 before there is one.
    pid: u32,
    held: Held,
    terminal: Option<Terminal>,
}

#[derive(Debug)]
pub(crate) struct Process {
    /// Empty for the container's first process.
    pub(crate) exec_id: String,
    pub(crate) names: Names,
    state: Mutex<State>,
    changed: Condvar,
    /// Held while it is started: its end is told after that.
    starting: Mutex<()>,
}

impl Process {
    pub(crate) fn new(exec_id: String, names: Names) -> Self {
        let state = State {
            life: Life::Created,
            pid: 0,
            held: Held::default(),
            terminal: None,
        };
        Process {
            exec_id,
            names,
            state: Mutex::new(state),
            changed: Condvar::new(),
            starting: Mutex::new(()),
        }
    }

    /// Nothing is told of its end while this lives.
    pub(crate) fn starting(&self) -> MutexGuard<'_, ()> {
        self.starting.lock()
    }

    pub(crate) fn life(&self) -> Life {
        self.state.lock().life.clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.state.lock().pid
    }

    /// It is there on the host.
    pub(crate) fn made(&self, pid: u32, held: Held, terminal: Option<Terminal>) {
        let mut state = self.state.lock();
        (state.pid, state.held, state.terminal) = (pid, held, terminal);
    }

    pub(crate) fn runs(&self) {
        self.state.lock().life = Life::Running;
    }

    pub(crate) fn ended(&self, exit: Exit) {
        self.state.lock().life = Life::Stopped(exit);
        self.changed.notify_all();
    }

    /// Waits for its end.
    pub(crate) fn wait(&self) -> Exit {
        let mut state = self.state.lock();
        loop {
            if let Life::Stopped(exit) = &state.life {
                return exit.clone();
            }
            self.changed.wait(&mut state);
        }
    }

    /// The same, until `end` at most.
    pub(crate) fn wait_until(&self, end: Instant) {
        let mut state = self.state.lock();
        while !matches!(state.life, Life::Stopped(_)) {
            if self.changed.wait_until(&mut state, end).timed_out() {
                return;
            }
        }
    }

    /// Its input ends when its client has had enough too.
    pub(crate) fn close_stdin(&self) {
        self.state.lock().held.stdin = None;
    }

    /// Nobody needs its streams any more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        let (held, terminal) = (std::mem::take(&mut state.held), state.terminal.take());
        drop(state);
        // It may take its time.
        drop((held, terminal));
    }

    pub(crate) fn resize(&self, columns: u32, rows: u32) -> Answer<()> {
        let terminal = self.state.lock().terminal.clone();
        match terminal {
            Some(terminal) => terminal.resize(columns, rows),
            None if self.names.terminal => Err(fault::not_now("there is no terminal yet")),
            // As containerd's own shim: clients ask without knowing.
            None => Ok(()),
        }
    }

    /// For containerd, but for what is the container's.
    pub(crate) fn describe(&self, paused: bool) -> StateResponse {
        let state = self.state.lock();
        let mut told = StateResponse::new();
        told.set_exec_id(self.exec_id.clone());
        told.set_pid(state.pid);
        told.set_stdin(self.names.stdin.clone());
        told.set_stdout(self.names.stdout.clone());
        told.set_stderr(self.names.stderr.clone());
        told.set_terminal(self.names.terminal);
        if let Life::Stopped(exit) = &state.life {
            told.set_exit_status(exit.status);
            told.set_exited_at(exit.at.clone());
        }
        told.set_status(match state.life {
            Life::Created => Status::CREATED,
            Life::Running if paused => Status::PAUSED,
            Life::Running => Status::RUNNING,
            Life::Stopped(_) => Status::STOPPED,
        });
        told
    }
}
