//! Leases, F_SETLEASE in fcntl(2): who has one is told before somebody else opens or truncates
//! the file, and they wait until it is given up, or taken away after a time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use syscalls::errno::{EACCES, EAGAIN, EINVAL, ETIMEDOUT};
use syscalls::{Errno, Fd, Stop};

use super::{LockKind, LockOwner};
use crate::sync::{Level, Mutex};
use crate::task::{Capabilities, Credentials, Current};
use crate::vfs::{File, FileKind, InodeRef, raise};
use crate::wait::{Deadline, Ready, WaitQueue};

/// The leases of a file.
struct Leases {
    held: Mutex<Vec<Lease>>,
    /// Told when one was given up or taken away.
    freed: WaitQueue,
}

struct Lease {
    owner: LockOwner,
    /// Whom to tell, by its owner of signals.
    file: Weak<File>,
    fd: Fd,
    creds: Arc<Credentials>,
    kind: LockKind,
    /// When it ends for somebody who writes, and when it lets others read.
    ends: Option<Deadline>,
    weakens: Option<Deadline>,
}

impl Lease {
    /// What is left of it once it has been given up as asked.
    fn target(&self) -> Option<LockKind> {
        match (self.ends, self.weakens) {
            (Some(_), _) => None,
            (None, Some(_)) => Some(LockKind::Read),
            (None, None) => Some(self.kind),
        }
    }

    fn keeps_away(&self, wanted: LockKind) -> bool {
        self.kind == LockKind::Write || wanted == LockKind::Write
    }

    /// Asks for as much as `wanted` needs; true if its holder has to be told.
    fn ask(&mut self, wanted: LockKind, until: Deadline) -> bool {
        let asked = match wanted {
            LockKind::Write => &mut self.ends,
            LockKind::Read if self.ends.is_some() => return false,
            LockKind::Read => &mut self.weakens,
        };
        let new = asked.is_none();
        asked.get_or_insert(until);
        new
    }
}

impl Leases {
    fn of(inode: &InodeRef) -> Option<Arc<Self>> {
        let attachments = inode.attachments();
        let leased = attachments.use_count.is_leased();
        leased.then(|| attachments.get()).flatten()
    }

    fn made_for(inode: &InodeRef) -> Arc<Self> {
        let attachments = inode.attachments();
        attachments.use_count.set_leased();
        attachments.get_or(|| Leases {
            held: Mutex::new(Level::FileLocks, Vec::new()),
            freed: WaitQueue::new(),
        })
    }

    /// Takes away what was not given up in time.
    fn expire(held: &mut Vec<Lease>) {
        let over = |at: Option<Deadline>| at.is_some_and(|at| at.left().is_none());
        held.retain(|lease| !over(lease.ends));
        for lease in held.iter_mut().filter(|lease| over(lease.weakens)) {
            (lease.kind, lease.weakens) = (LockKind::Read, None);
        }
    }
}

/// F_SETLEASE with F_RDLCK or F_WRLCK: `EAGAIN` while others have the file open so that the
/// lease would be broken at once.
pub(crate) fn take(task: &Current, file: &Arc<File>, fd: Fd, kind: LockKind) -> Result<(), Errno> {
    let (inode, creds) = (file.inode(), task.creds.get());
    if creds.uid.fs != inode.owner()?.uid && !creds.has(Capabilities::LEASE) {
        return Err(EACCES);
    }
    let enabled = task.kernel.sysctls.number("fs.leases-enable", 1) != 0;
    if inode.kind() != FileKind::Regular || !enabled {
        return Err(EINVAL);
    }
    let leases = Leases::made_for(inode);
    let owner = LockOwner::file(file);
    {
        let mut held = leases.held.lock();
        Leases::expire(&mut held);
        let count = &inode.attachments().use_count;
        let others = match kind {
            LockKind::Read => count.has_writers(),
            LockKind::Write => count.has_users_beside(file.mode()),
        };
        let other = held.iter().filter(|lease| lease.owner != owner);
        let mut refused = other.filter(|l| kind == LockKind::Write || l.ends.is_some());
        if others || refused.next().is_some() {
            return Err(EAGAIN);
        }
        match held.iter_mut().find(|lease| lease.owner == owner) {
            Some(own) => (own.kind, own.weakens) = (kind, None),
            None => held.push(Lease {
                owner,
                file: Arc::downgrade(file),
                fd,
                creds,
                kind,
                ends: None,
                weakens: None,
            }),
        }
    }
    file.note_locked();
    file.owner.lock().or_process(task.group.pid);
    leases.freed.notify(Ready::all());
    Ok(())
}

/// F_SETLEASE with F_UNLCK: `EAGAIN` if there is none.
pub(crate) fn give_up(file: &File) -> Result<(), Errno> {
    let leases = Leases::of(file.inode()).ok_or(EAGAIN)?;
    let owner = LockOwner::file(file);
    let had = {
        let mut held = leases.held.lock();
        let before = held.len();
        held.retain(|lease| lease.owner != owner);
        held.len() < before
    };
    leases.freed.notify(Ready::all());
    if had { Ok(()) } else { Err(EAGAIN) }
}

/// F_GETLEASE.
pub(crate) fn of(file: &File) -> Option<LockKind> {
    let leases = Leases::of(file.inode())?;
    let mut held = leases.held.lock();
    Leases::expire(&mut held);
    let owner = LockOwner::file(file);
    held.iter().find(|lease| lease.owner == owner)?.target()
}

/// Whether to wait for leases to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaking {
    Waits,
    /// O_NONBLOCK: `EAGAIN`; the holders are told all the same.
    Asks,
}

/// Somebody who will read or write comes, and counts among the file's users already.
pub(crate) fn break_for(
    task: &Current,
    inode: &InodeRef,
    wanted: LockKind,
    how: Breaking,
) -> Result<(), Stop> {
    let Some(leases) = Leases::of(inode) else {
        return Ok(());
    };
    let time = task.kernel.sysctls.number("fs.lease-break-time", 45);
    let time = Duration::from_secs(u64::try_from(time).unwrap_or(0));
    loop {
        let until = Deadline::after(time);
        let attempt = || Ok(ask(task, &leases, wanted, until)?);
        if how == Breaking::Asks {
            return attempt();
        }
        match task.block_on(&leases.freed, Ready::all(), Some(until), attempt) {
            // Now they are taken away.
            Err(Stop::Errno(ETIMEDOUT)) => {}
            result => return result,
        }
    }
}

/// `EAGAIN` while there are leases that keep away who wants this.
fn ask(task: &Current, leases: &Leases, wanted: LockKind, until: Deadline) -> Result<(), Errno> {
    let mut told = Vec::new();
    let in_the_way = {
        let mut held = leases.held.lock();
        Leases::expire(&mut held);
        let mut found = false;
        for lease in held.iter_mut().filter(|lease| lease.keeps_away(wanted)) {
            found = true;
            if lease.ask(wanted, until) {
                told.push((lease.file.clone(), lease.creds.clone(), lease.fd));
            }
        }
        found
    };
    for (file, creds, fd) in told {
        if let Some(file) = file.upgrade() {
            raise::io(&task.kernel, &creds, &file, fd, Ready::RDBAND);
        }
    }
    if in_the_way { Err(EAGAIN) } else { Ok(()) }
}
