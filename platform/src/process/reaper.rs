//! What has ended is waited for in the background.
//!
//! The end of a host process takes its time: it wakes up to die, and gives its memory back
//! page by page. Nobody who runs a program has to look on. Killed tasks and mappers are
//! listed here together with what may be given to others only once they are gone, and one
//! thread waits for them. It begins after a pause, by when most have died: then it never
//! sleeps on one of them, and needs no wakeup for each.
//!
//! They are waited for in the order in which they were listed. Tasks are listed before the
//! mapper of their address space; so when that is gone, nobody sees the memory any more.
//!
//! The list is bounded: whoever adds to a long one first waits for the oldest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use parking_lot::{Condvar, Mutex};

/// The list is no longer than this.
const LIMIT: usize = 96;
/// What the dying get before somebody looks after them.
const PAUSE: Duration = Duration::from_micros(300);

/// See the module. Dropping it waits for everything.
pub(crate) struct Reaper {
    shared: Arc<Shared>,
}

struct Shared {
    list: Mutex<List>,
    /// The thread has something to do.
    filled: Condvar,
    /// Something was dealt with.
    done: Condvar,
    /// Held by whoever waits for the first of the list: one after the other.
    turn: Mutex<()>,
}

#[derive(Default)]
struct List {
    ended: VecDeque<Ended>,
    /// Taken from the list, and not dealt with yet.
    in_hand: usize,
    thread: Thread,
    closed: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thread {
    /// It was never needed, or cannot be had.
    #[default]
    Missing,
    Asleep,
    Awake,
}

/// An entry of the list.
struct Ended {
    /// A child that was killed.
    pid: Option<Pid>,
    /// Dropped once it is gone, and all before it.
    keep: Box<dyn Send>,
}

impl Reaper {
    pub(super) fn new() -> Self {
        Reaper {
            shared: Arc::new(Shared {
                list: Mutex::default(),
                filled: Condvar::new(),
                done: Condvar::new(),
                turn: Mutex::new(()),
            }),
        }
    }

    /// Kills a child. `keep` is dropped when neither its memory nor its number is in use
    /// any more; on another thread, with no lock held.
    pub(super) fn end(&self, pid: Pid, keep: Box<dyn Send>) {
        // Fails only if the child does not exist (any more): nobody else has its number as
        // long as we have not waited for it.
        let _ = kill(pid, Signal::SIGKILL);
        self.list(Some(pid), keep);
    }

    /// Drops `keep` when all those are gone that were ended before; on another thread, with
    /// no lock held.
    pub(super) fn afterwards(&self, keep: Box<dyn Send>) {
        self.list(None, keep);
    }

    fn list(&self, pid: Option<Pid>, keep: Box<dyn Send>) {
        let (thread, full) = {
            let mut list = self.shared.list.lock();
            list.ended.push_back(Ended { pid, keep });
            let before = list.thread;
            list.thread = Thread::Awake;
            (before, list.ended.len() > LIMIT)
        };
        match thread {
            Thread::Awake => {}
            Thread::Asleep => {
                self.shared.filled.notify_one();
            }
            Thread::Missing => self.start(),
        }
        if full {
            self.shared.reap_first();
        }
    }

    /// Waits for everything that was listed before.
    pub(crate) fn settle(&self) {
        while self.shared.reap_first() {}
        let mut list = self.shared.list.lock();
        while list.in_hand > 0 {
            self.shared.done.wait(&mut list);
        }
    }

    fn start(&self) {
        let shared = Arc::clone(&self.shared);
        let builder = std::thread::Builder::new().name("reaper".to_owned());
        let started = builder.stack_size(64 << 10).spawn(move || shared.serve());
        if started.is_err() {
            self.shared.list.lock().thread = Thread::Missing;
            self.settle();
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.settle();
        self.shared.list.lock().closed = true;
        self.shared.filled.notify_one();
    }
}

impl Shared {
    fn serve(&self) {
        loop {
            {
                let mut list = self.list.lock();
                while list.ended.is_empty() && !list.closed {
                    list.thread = Thread::Asleep;
                    self.filled.wait(&mut list);
                }
                if list.closed {
                    return;
                }
            }
            std::thread::sleep(PAUSE);
            while self.reap_first() {}
        }
    }

    /// Waits for the oldest on the list; false if there is none.
    fn reap_first(&self) -> bool {
        let keep = {
            let _turn = self.turn.lock();
            let first = {
                let mut list = self.list.lock();
                let first = list.ended.pop_front();
                list.in_hand += usize::from(first.is_some());
                first
            };
            let Some(Ended { pid, keep }) = first else {
                return false;
            };
            pid.inspect(|pid| wait_for_end(*pid));
            keep
        };
        drop(keep);
        self.list.lock().in_hand -= 1;
        self.done.notify_all();
        true
    }
}

/// Kills a child and waits for its end. Does nothing if it was waited for already.
pub(super) fn end_at_once(pid: Pid) {
    let _ = kill(pid, Signal::SIGKILL);
    wait_for_end(pid);
}

fn wait_for_end(pid: Pid) {
    loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL)) {
            // A traced task may report a stop first.
            Ok(status) if !is_end(status) => {}
            Err(nix::errno::Errno::EINTR) => {}
            _ => return,
        }
    }
}

fn is_end(status: WaitStatus) -> bool {
    matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts its end, and whether it came before the child's.
    struct Kept {
        pid: Pid,
        ends: Arc<AtomicUsize>,
    }

    impl Drop for Kept {
        fn drop(&mut self) {
            let gone = kill(self.pid, None) == Err(nix::errno::Errno::ESRCH);
            self.ends.fetch_add(usize::from(gone), Ordering::SeqCst);
        }
    }

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").spawn().unwrap()
    }

    #[test]
    fn what_is_kept_goes_after_the_child() {
        let reaper = Reaper::new();
        let ends = Arc::new(AtomicUsize::new(0));
        for count in [1, 3, LIMIT + 20] {
            let before = ends.load(Ordering::SeqCst);
            for _ in 0..count {
                let pid = Pid::from_raw(i32::try_from(sleeper().id()).unwrap());
                let ends = Arc::clone(&ends);
                reaper.end(pid, Box::new(Kept { pid, ends }));
                let list = reaper.shared.list.lock();
                assert!(list.ended.len() <= LIMIT);
            }
            reaper.settle();
            assert_eq!(ends.load(Ordering::SeqCst), before + count);
        }
        // Nobody asks: the thread does it.
        let pid = Pid::from_raw(i32::try_from(sleeper().id()).unwrap());
        let before = ends.load(Ordering::SeqCst);
        let kept = Kept {
            pid,
            ends: Arc::clone(&ends),
        };
        reaper.end(pid, Box::new(kept));
        while ends.load(Ordering::SeqCst) == before {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
