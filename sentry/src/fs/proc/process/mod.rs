//! What is about one process or thread, proc_pid(5).
//!
//! Of the numbers `n` of its inodes (see the module above), those below 2^20 are the
//! tables'; from 2^20 on stand the entries of `fd`, from 2^21 on those of `fdinfo`.

mod credentials;
mod fd;
mod fd_info;
mod identity;
mod limits;
mod links;
mod maps;
mod mem;
mod memory;
mod mounts;
mod namespaces;
mod oom;
mod pagemap;
mod stat;
mod status;
mod strings;
mod tables;
mod tasks;

use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EACCES, EBADF, EINVAL, ENOENT, ESRCH};

use super::system::System;
use crate::fs::synth::{Context, Opener, Synthetic, TableDir};
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::net::NetNamespace;
use crate::task::{Current, Numbers, Pid, PidNamespace, Task, ThreadGroup};
use crate::vfs::{FileKind, InodeRef, Mode, OpenMode, Owner, SetAttr, SuperBlock};

pub(crate) use strings::arguments;

/// A process, or one of its threads. It may have ended meanwhile, and its number may
/// belong to another.
#[derive(Clone)]
pub(super) struct Process {
    system: System,
    pid: Pid,
    tid: Pid,
    /// When the process started: with its number that says which it is.
    started: u64,
    place: Place,
}

/// Where a directory is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// /proc/PID.
    Root,
    /// /proc/PID/task/TID.
    Task,
}

/// How many inode numbers each thread has.
const NUMBERS: u32 = 22;
/// Set in the numbers of threads below `task`.
const BELOW_TASK: u64 = 1 << 44;
/// First number of the entries of `fd`.
const FDS: u64 = 1 << 20;
/// First number of the entries of `fdinfo`.
const FD_INFOS: u64 = 2 << 20;

impl Process {
    /// The thread `tid` of `group`, as the root directory has it.
    pub(super) fn new(system: &System, group: &ThreadGroup, tid: Pid) -> Self {
        Process {
            system: system.clone(),
            pid: group.pid,
            tid,
            started: group.start_time,
            place: Place::Root,
        }
    }

    /// The thread that the instance shows as `number`; `ENOENT`.
    pub(super) fn find(system: &System, number: Pid) -> Result<Self, Errno> {
        let tid = system.pids().resolve(number).ok_or(ENOENT)?;
        let task = system.kernel()?.pids.task(tid).ok_or(ENOENT)?;
        Ok(Self::new(system, &task.group, tid))
    }

    /// Whose processes the instance shows.
    pub(super) fn pids(&self) -> &Arc<PidNamespace> {
        self.system.pids()
    }

    /// The number by which the instance shows a process, process group or session; 0 for
    /// one that it does not show.
    fn number_of(&self, pid: Pid) -> Result<Pid, Errno> {
        Ok(self.kernel()?.pids.lock().number_in(pid, self.pids()))
    }

    /// The same with those in all deeper name spaces, as [`Numbers::text_from`].
    fn numbers_text(&self, pid: Pid, of: &Numbers) -> Result<String, Errno> {
        let kernel = self.kernel()?;
        let tree = kernel.pids.lock();
        Ok(tree.numbers_text(pid, of, self.pids()))
    }

    /// Another thread of the same process, as `task` has it.
    fn thread(&self, tid: Pid) -> Self {
        Process {
            tid,
            place: Place::Task,
            ..self.clone()
        }
    }

    pub(in crate::fs::proc) fn kernel(&self) -> Result<Arc<Kernel>, Errno> {
        self.system.kernel()
    }

    /// The thread; `ESRCH` once it is gone. Of a process, the leader, which stays until
    /// the process has been waited for.
    fn task(&self) -> Result<Arc<Task>, Errno> {
        let task = self.kernel()?.pids.task(self.tid).ok_or(ESRCH)?;
        let group = &task.group;
        if group.pid == self.pid && group.start_time == self.started {
            Ok(task)
        } else {
            Err(ESRCH)
        }
    }

    /// The network that it sees; `EINVAL` once it has ended.
    pub(in crate::fs::proc) fn net(&self) -> Result<Arc<NetNamespace>, Errno> {
        let task = self.task()?;
        let lives = task.mm.with(Option::is_some);
        lives.then(|| task.net.get()).ok_or(EINVAL)
    }

    /// Its memory; `None` once it has ended.
    fn mm(&self) -> Result<Option<Arc<Mm>>, Errno> {
        Ok(self.task()?.mm.get())
    }

    /// True for the whole process, false for a single thread.
    fn is_whole(&self) -> bool {
        self.place == Place::Root
    }

    /// True for what shows this thread at the same place.
    fn is_same(&self, other: &Process) -> bool {
        (self.pid, self.tid, self.started, self.place)
            == (other.pid, other.tid, other.started, other.place)
    }

    /// The number of its directory.
    pub(super) fn ino(&self) -> u64 {
        let place = match self.place {
            Place::Root => 0,
            Place::Task => BELOW_TASK,
        };
        place | (u64::from(self.tid.unsigned_abs()) << NUMBERS)
    }

    /// Its directory.
    pub(super) fn directory(&self, super_block: &Arc<SuperBlock>) -> InodeRef {
        let entries = match self.place {
            Place::Root => tables::PROCESS,
            Place::Task => tables::THREAD,
        };
        let owner = self.owned(Mode::from_raw(0o555));
        let dir = TableDir::new(self.clone(), entries, self.ino());
        Synthetic::new(super_block, self.ino(), FileKind::Directory, owner, dir)
    }

    /// True if `inode` is its directory.
    pub(super) fn is_directory(&self, inode: &InodeRef) -> bool {
        let dir = inode
            .as_any()
            .downcast_ref::<Synthetic<TableDir<Process>>>();
        dir.is_some_and(|dir| self.is_same(dir.behaviour.context()))
    }

    /// Whom its files belong to: its user, or root where strangers of the same user
    /// shall not look. Directories that everybody may list are always the user's.
    fn owned(&self, mode: Mode) -> Owner {
        let root = Owner {
            uid: 0,
            gid: 0,
            mode,
        };
        let Ok(task) = self.task() else {
            return root;
        };
        if mode != Mode::from_raw(0o555) && !task.group.is_dumpable() {
            return root;
        }
        let creds = task.creds.get();
        Owner {
            uid: creds.uid.effective,
            gid: creds.gid.effective,
            mode,
        }
    }

    /// The thread, if whoever opened a file may see what it hides.
    fn shown(&self, opener: &Opener) -> Result<bool, Errno> {
        let group = opener.task.upgrade().map(|task| task.group.clone());
        Ok(self.task()?.shows_to(&opener.creds, group.as_ref()))
    }

    /// The thread, for one who may see what it hides; else `EACCES`.
    fn inspected_by(&self, task: &Current) -> Result<Arc<Task>, Errno> {
        let other = self.task()?;
        if other.shows_to(&task.creds.get(), Some(&task.group)) {
            Ok(other)
        } else {
            Err(EACCES)
        }
    }

    /// [`Self::inspected_by`] as a table's check.
    fn check_inspection(&self, task: &Current, _: OpenMode) -> Result<(), Errno> {
        self.inspected_by(task).map(drop)
    }
}

/// The process whose directory in /proc this is; `EBADF` if it is none, `ESRCH` once the
/// process is gone.
pub(crate) fn process_of(inode: &InodeRef) -> Result<Arc<ThreadGroup>, Errno> {
    let dir = inode
        .as_any()
        .downcast_ref::<Synthetic<TableDir<Process>>>()
        .ok_or(EBADF)?;
    let process = dir.behaviour.context();
    if !process.is_whole() || inode.ino() != process.ino() {
        return Err(EBADF);
    }
    Ok(process.task()?.group.clone())
}

impl Context for Process {
    fn owner(&self, mode: Mode) -> Result<Owner, Errno> {
        Ok(self.owned(mode))
    }

    fn is_alive(&self) -> bool {
        self.task().is_ok()
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.system.check_change(set)
    }

    fn memory(&self) -> Weak<Mm> {
        let mm = self.mm().ok().flatten();
        mm.map_or_else(Weak::new, |mm| Arc::downgrade(&mm))
    }
}
