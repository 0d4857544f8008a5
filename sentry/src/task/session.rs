//! Sessions, process groups and their terminal, credentials(7) and setsid(2).

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use super::Pid;
use crate::sync::{Level, Slot};
use crate::vfs::DeviceNumber;

/// A terminal, as far as sessions know it.
pub trait Terminal: Send + Sync {
    /// Its number, for `tty_nr` in /proc/PID/stat.
    fn device(&self) -> DeviceNumber;
    /// The leader of its session ended: reads find the end, writes fail. The session has
    /// sent SIGHUP and SIGCONT already.
    fn hang_up(&self);
    /// For terminals to recognise their own.
    fn as_any(&self) -> &dyn Any;
}

/// A session.
pub struct Session {
    /// Its number: the leader's process number.
    pub sid: Pid,
    terminal: Slot<Option<Arc<dyn Terminal>>>,
    foreground: AtomicI32,
}

impl Session {
    /// A session without a terminal.
    #[must_use]
    pub fn new(sid: Pid) -> Arc<Self> {
        Arc::new(Session {
            sid,
            terminal: Slot::new(Level::Leaf, None),
            foreground: AtomicI32::new(0),
        })
    }

    /// The controlling terminal.
    pub fn terminal(&self) -> Option<Arc<dyn Terminal>> {
        self.terminal.get()
    }

    /// Gives or takes the controlling terminal. With one, `foreground` is the process
    /// group in the foreground. The caller has checked TIOCSCTTY's rules.
    pub fn set_terminal(&self, terminal: Option<Arc<dyn Terminal>>, foreground: Pid) {
        self.foreground.store(foreground, Ordering::SeqCst);
        self.terminal.set(terminal);
    }

    /// True if `terminal` is the session's.
    pub fn controls(&self, terminal: &Arc<dyn Terminal>) -> bool {
        let own = self.terminal.get();
        own.is_some_and(|own| std::ptr::addr_eq(Arc::as_ptr(&own), Arc::as_ptr(terminal)))
    }

    /// The process group in the foreground, tcgetpgrp(3); 0 without one.
    pub fn foreground(&self) -> Pid {
        self.foreground.load(Ordering::SeqCst)
    }

    /// tcsetpgrp(3). The caller has checked that the group is of this session.
    pub fn set_foreground(&self, pgid: Pid) {
        self.foreground.store(pgid, Ordering::SeqCst);
    }
}
