//! Taking turns with a task.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::Error;
use crate::host::futex;
use crate::process::ThreadPages;
use crate::process::interrupt::Interrupter;
use crate::process::layout::thread::{SENTRY_SLEEPS, TASK_SLEEPS, TURN, TURN_DEAD, TURN_SENTRY};

/// How often a sleeper looks whether the task is still there at all. The host tells of the
/// end of a task through its word, unless it was the last of its address space.
const LOOK: Duration = Duration::from_secs(1);
/// An application that is to be interrupted and blocks the kick is given up after so many
/// looks.
const PATIENCE: u32 = 3;

/// Gives the task its turn. Returns whether it slept.
pub(super) fn give(pages: &ThreadPages, turn: u32) -> bool {
    let word = pages.word(TURN);
    word.swap(turn, Ordering::SeqCst);
    let sleeps = pages.word(TASK_SLEEPS).load(Ordering::SeqCst) != 0;
    if sleeps {
        futex::wake(word, 1);
    }
    sleeps
}

/// Waits for the Sentry's turn, after the task was given `turn`: `looks` times awake, then
/// asleep. Returns whether it slept.
pub(super) fn wait(
    pages: &ThreadPages,
    turn: u32,
    looks: u32,
    task: Pid,
    interrupter: &Interrupter,
) -> Result<bool, Error> {
    let word = pages.word(TURN);
    for _ in 0..looks {
        if word.load(Ordering::Acquire) != turn {
            return came(word.load(Ordering::Acquire)).map(|()| false);
        }
        std::hint::spin_loop();
    }
    let mut unheard = 0;
    let mut looked = Instant::now();
    pages.word(SENTRY_SLEEPS).store(1, Ordering::SeqCst);
    while word.load(Ordering::SeqCst) == turn {
        let _ = futex::wait(word, turn, Some(LOOK));
        // An application may wake us as often as it likes.
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            unheard += u32::from(interrupter.is_wanted());
            if unheard > PATIENCE || has_ended(task) {
                return Err(Error::Died);
            }
        }
    }
    pages.word(SENTRY_SLEEPS).store(0, Ordering::Relaxed);
    came(word.load(Ordering::Acquire)).map(|()| true)
}

/// The word is what the task left, or anything that the application wrote there.
fn came(turn: u32) -> Result<(), Error> {
    match turn {
        TURN_SENTRY => Ok(()),
        TURN_DEAD => Err(Error::Died),
        turn => {
            log::debug!("a guest task left {turn:#x} as whose turn it is");
            Err(Error::Died)
        }
    }
}

fn has_ended(task: Pid) -> bool {
    let flags =
        WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
    !matches!(waitid(Id::Pid(task), flags), Ok(WaitStatus::StillAlive))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::Interrupt;
    use crate::process::layout::thread::TURN_APPLICATION;

    #[test]
    fn wakeups_do_not_keep_a_sleeper_from_looking() {
        let pages = ThreadPages::for_test();
        let word = pages.word(TURN);
        word.store(TURN_APPLICATION, Ordering::SeqCst);
        let interrupter = Interrupter::new();
        assert!(interrupter.start());
        interrupter.interrupt();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    futex::wake(word, 1);
                }
            });
            // Not a child: it has ended.
            let waited = wait(&pages, TURN_APPLICATION, 0, Pid::this(), &interrupter);
            stop.store(true, Ordering::Relaxed);
            assert!(matches!(waited, Err(Error::Died)));
        });
    }
}
