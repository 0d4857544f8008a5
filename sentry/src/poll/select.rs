//! select(2), pselect(2).

use std::time::Duration;

use syscalls::abi::time::{Timespec, Timeval};
use syscalls::errno::{EBADF, EINVAL};
use syscalls::{Errno, Fd, Restart, Run, Stop, SysResult, UserPtr, call};

use super::calls::{read_timeout, write_left};
use super::{Watched, wait};
use crate::task::Current;
use crate::wait::{Deadline, Ready};

/// What puts a descriptor into each of the three result sets.
const READ: Ready = Ready::READABLE
    .union(Ready::RDBAND)
    .union(Ready::HUP)
    .union(Ready::ERR);
const WRITE: Ready = Ready::WRITABLE.union(Ready::WRBAND).union(Ready::ERR);
const EXCEPT: Ready = Ready::PRI;

/// A descriptor set in guest memory and a copy of it.
struct Set {
    at: Option<UserPtr<u64>>,
    words: Vec<u64>,
    when: Ready,
}

impl Set {
    fn read(task: &Current, at: UserPtr<u64>, fds: usize, when: Ready) -> Result<Self, Errno> {
        let at = at.non_null();
        let words = match at {
            Some(at) => task.mem().read_slice(at, fds.div_ceil(64))?,
            None => Vec::new(),
        };
        Ok(Set { at, words, when })
    }

    fn has(&self, fd: usize) -> bool {
        self.words
            .get(fd / 64)
            .is_some_and(|word| word & (1 << (fd % 64)) != 0)
    }

    /// Keeps of `fds` (numbers and readiness) what is ready; returns how many.
    fn keep(&mut self, fds: &[(usize, Ready)]) -> u64 {
        let asked = std::mem::take(&mut self.words);
        self.words = vec![0; asked.len()];
        let mut count = 0;
        for &(fd, ready) in fds {
            let bit = 1 << (fd % 64);
            let was = asked.get(fd / 64).is_some_and(|word| word & bit != 0);
            if was
                && ready.intersects(self.when)
                && let Some(word) = self.words.get_mut(fd / 64)
            {
                *word |= bit;
                count += 1;
            }
        }
        count
    }

    fn write(&self, task: &Current) -> Result<(), Errno> {
        self.at
            .map_or(Ok(()), |at| task.mem().write_slice(at, &self.words))
    }
}

fn select(
    task: &Current,
    fds: i32,
    sets: [UserPtr<u64>; 3],
    deadline: Option<Deadline>,
) -> SysResult {
    // What lies beyond the table cannot be open, and is not looked at.
    let room = task.fds.with(|fds| fds.room());
    let fds = usize::try_from(fds).map_err(|_| EINVAL)?.min(room);
    let [read, write, except] = sets;
    let mut sets = [
        Set::read(task, read, fds, READ)?,
        Set::read(task, write, fds, WRITE)?,
        Set::read(task, except, fds, EXCEPT)?,
    ];
    let asked = |fd: &usize| sets.iter().any(|set| set.has(*fd));
    let numbers: Vec<usize> = (0..fds).filter(asked).collect();
    let mut watched = Vec::with_capacity(numbers.len());
    for &fd in &numbers {
        let wants = sets.iter().filter(|set| set.has(fd));
        let mask = wants.fold(Ready::empty(), |mask, set| mask | set.when);
        let one = Watched::new(task, Fd(i32::try_from(fd).map_err(|_| EBADF)?), mask);
        if one.file.is_none() {
            return Err(EBADF.into());
        }
        // ERR and HUP count only for the sets whose readiness they are.
        watched.push(Watched { mask, ..one });
    }
    wait(task, &mut watched, deadline)?;
    let found: Vec<_> = numbers
        .into_iter()
        .zip(watched.iter().map(|w| w.ready))
        .collect();
    let count = sets.iter_mut().map(|set| set.keep(&found)).sum();
    sets.iter().try_for_each(|set| set.write(task))?;
    Ok(count)
}

fn no_hand(result: SysResult) -> SysResult {
    match result {
        Err(Stop::Restart(_)) => Err(Stop::Restart(Restart::NoHand)),
        result => result,
    }
}

impl Run<Current> for call::Select {
    fn run(self, task: &mut Current) -> SysResult {
        let deadline = match self.timeout.non_null() {
            None => None,
            Some(at) => {
                let Timeval { sec, usec } = task.mem().read(at)?;
                let (sec, usec) = (
                    u64::try_from(sec).map_err(|_| EINVAL)?,
                    u64::try_from(usec).map_err(|_| EINVAL)?,
                );
                let whole = Duration::from_secs(sec).saturating_add(Duration::from_micros(usec));
                Some(Deadline::after(whole))
            }
        };
        let result = select(
            task,
            self.nfds,
            [self.readfds, self.writefds, self.exceptfds],
            deadline,
        );
        if let (Some(at), Some(deadline)) = (self.timeout.non_null(), deadline)
            && task.settings().tells_time_left()
        {
            let Timespec { sec, nsec } = crate::time::timespec(deadline.left().unwrap_or_default());
            // The result stands whether or not the time left can be told.
            let _ = task.mem().write(
                at,
                &Timeval {
                    sec,
                    usec: nsec / 1000,
                },
            );
        }
        no_hand(result)
    }
}

impl Run<Current> for call::Pselect6 {
    fn run(self, task: &mut Current) -> SysResult {
        let deadline = read_timeout(task, self.timeout)?;
        let mask = match self.sigmask.non_null() {
            None => None,
            Some(at) => {
                let arg = task.mem().read(at)?;
                task.read_mask(arg.set, usize::try_from(arg.size).map_err(|_| EINVAL)?)?
            }
        };
        let sets = [self.readfds, self.writefds, self.exceptfds];
        let result = task.with_mask(mask, |task| select(task, self.nfds, sets, deadline));
        write_left(task, self.timeout, deadline);
        no_hand(result)
    }
}
