//! User notification, seccomp_unotify(2): calls that another process decides about.
//!
//! A filter can have a [`Listener`], whose file the supervisor has. A thread whose call the
//! filter leaves to it puts a [`Request`] there and waits; the supervisor takes requests,
//! and answers each by its number. When the file is closed, nobody is there to answer; when
//! the last thread with the filter is gone, nobody is there to ask.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use syscalls::abi::task::{SeccompData, SeccompNotif, SeccompNotifAddfd, SeccompNotifResp};
use syscalls::errno::{EAGAIN, EBADF, EINPROGRESS, EINVAL, ENOENT, ENOSYS};
use syscalls::{Errno, Fd, Stop, SysResult, UserAddr};

use crate::fd::{CloseOnExec, FdEntry};
use crate::sync::{Level, Mutex};
use crate::task::{Current, Resource, Task};
use crate::vfs::{AnonKind, File, FileOps, OpenMode};
use crate::wait::{Ready, WaitQueue};

const RECV: u32 = 0xc050_2100;
const SEND: u32 = 0xc018_2101;
const ID_VALID: u32 = 0x4008_2102;
/// As headers before Linux 5.9 had it.
const ID_VALID_OLD: u32 = 0x8008_2102;
const ADDFD: u32 = 0x4018_2103;
const SET_FLAGS: u32 = 0x4008_2104;

/// Of an answer: the call is served after all.
const CONTINUE: u32 = 1;
/// Of a descriptor: the number is chosen; the answer is that number.
const ADDFD_SETFD: u32 = 1;
const ADDFD_SEND: u32 = 2;

/// Whom a filter leaves calls to.
pub(super) struct Listener {
    requests: Mutex<Vec<Arc<Request>>>,
    next: AtomicU64,
    /// Nobody can answer any more.
    closed: AtomicBool,
    /// Nobody can ask any more.
    abandoned: AtomicBool,
    /// A call that was taken is interrupted by the end of its thread alone.
    pub(super) waits_killable: bool,
    queue: WaitQueue,
}

/// A call that waits for its answer.
struct Request {
    id: u64,
    task: Arc<Task>,
    data: SeccompData,
    stage: Mutex<Stage>,
    queue: WaitQueue,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} requests", self.requests.lock().len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Taken,
    Answered(Answer),
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is served.
    Continue,
    /// This is its result, as the register has it.
    Result(u64),
}

impl Listener {
    pub(super) fn new(waits_killable: bool) -> Arc<Self> {
        Arc::new(Listener {
            requests: Mutex::new(Level::Ipc, Vec::new()),
            next: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            waits_killable,
            queue: WaitQueue::new(),
        })
    }

    /// The supervisor's end.
    pub(super) fn open(self: &Arc<Self>, task: &Current) -> Arc<File> {
        let ops = Supervisor(self.clone());
        AnonKind::Inode("seccomp notify").open(task, Box::new(ops), OpenMode::READ_WRITE)
    }

    /// The last thread that had the filter is gone.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
        self.queue.notify(Ready::HUP | Ready::READABLE);
    }

    /// Asks about the call that `task` makes, and waits.
    pub(super) fn ask(&self, task: &Current, data: &SeccompData) -> Result<Answer, Stop> {
        let request = Arc::new(Request {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            task: task.task().clone(),
            data: *data,
            stage: Mutex::new(Level::Leaf, Stage::New),
            queue: WaitQueue::new(),
        });
        self.requests.lock().push(request.clone());
        self.queue.notify(Ready::READABLE);
        let answered = || match *request.stage.lock() {
            Stage::Answered(answer) => Ok(answer),
            _ if self.closed.load(Ordering::SeqCst) => Err(ENOSYS.into()),
            _ => Err(EAGAIN.into()),
        };
        let mut end = task.block_on(&request.queue, Ready::READABLE, None, answered);
        let taken = *request.stage.lock() == Stage::Taken;
        if matches!(end, Err(Stop::Restart(_))) && self.waits_killable && taken {
            end = task.block_until_killed(&request.queue, answered);
        }
        self.requests.lock().retain(|other| other.id != request.id);
        end
    }

    fn find(&self, id: u64) -> Result<Arc<Request>, Errno> {
        let requests = self.requests.lock();
        requests
            .iter()
            .find(|request| request.id == id)
            .cloned()
            .ok_or(ENOENT)
    }

    fn has(&self, wanted: Stage) -> bool {
        self.requests
            .lock()
            .iter()
            .any(|request| *request.stage.lock() == wanted)
    }

    /// The oldest request that nobody has taken; `ENOENT` if there will be none.
    fn take(&self) -> Result<Arc<Request>, Stop> {
        let requests = self.requests.lock();
        for request in requests.iter() {
            let mut stage = request.stage.lock();
            if *stage == Stage::New {
                *stage = Stage::Taken;
                return Ok(request.clone());
            }
        }
        match self.abandoned.load(Ordering::SeqCst) {
            true => Err(ENOENT.into()),
            false => Err(EAGAIN.into()),
        }
    }

    fn receive(&self, task: &Current, at: UserAddr) -> SysResult {
        let empty: SeccompNotif = task.mem().read(at.cast())?;
        if empty != SeccompNotif::default() {
            return Err(EINVAL.into());
        }
        let request = task.block_on(&self.queue, Ready::READABLE, None, || self.take())?;
        let told = SeccompNotif {
            id: request.id,
            pid: request
                .task
                .numbers()
                .seen_from(task.pid_namespace())
                .cast_unsigned(),
            flags: 0,
            data: request.data,
        };
        if let Err(error) = task.mem().write(at.cast(), &told) {
            *request.stage.lock() = Stage::New;
            self.queue.notify(Ready::READABLE);
            return Err(error.into());
        }
        self.queue.notify(Ready::WRITABLE);
        Ok(0)
    }

    fn send(&self, task: &Current, at: UserAddr) -> SysResult {
        let answer: SeccompNotifResp = task.mem().read(at.cast())?;
        let continues = answer.flags == CONTINUE;
        if answer.flags & !CONTINUE != 0 || (continues && (answer.error != 0 || answer.val != 0)) {
            return Err(EINVAL.into());
        }
        let result = match answer.error {
            0 => answer.val.cast_unsigned(),
            error => i64::from(error).cast_unsigned(),
        };
        self.find(answer.id)?.answer(match continues {
            true => Answer::Continue,
            false => Answer::Result(result),
        })?;
        Ok(0)
    }

    /// A file of the supervisor's becomes one of the caller's.
    fn add_file(&self, task: &Current, at: UserAddr) -> SysResult {
        let given: SeccompNotifAddfd = task.mem().read(at.cast())?;
        let cloexec = syscalls::abi::fs::OpenFlags::CLOEXEC.bits();
        let chooses = given.flags & ADDFD_SETFD != 0;
        if given.newfd_flags & !cloexec != 0
            || given.flags & !(ADDFD_SETFD | ADDFD_SEND) != 0
            || (given.newfd != 0 && !chooses)
        {
            return Err(EINVAL.into());
        }
        let file = task.fds.get().get_any(Fd(given.srcfd.cast_signed()))?;
        let request = self.find(given.id)?;
        if *request.stage.lock() != Stage::Taken {
            return Err(EINPROGRESS.into());
        }
        let close = CloseOnExec::when(given.newfd_flags & cloexec != 0);
        let target = &request.task;
        let fd = if chooses {
            let limit = target.group.limits.soft(Resource::Nofile);
            if u64::from(given.newfd) >= limit {
                return Err(EBADF.into());
            }
            let fd = Fd(given.newfd.cast_signed());
            let table = target.fds.get();
            let entry = FdEntry {
                file,
                close_on_exec: close == CloseOnExec::Yes,
            };
            if let Some(old) = table.replace(fd, entry)? {
                // What closing it says is nobody's business.
                let _ = table.closed(old);
            }
            fd
        } else {
            target.reserve_fd()?.fill(file, close)
        };
        let number = u64::from(fd.0.cast_unsigned());
        if given.flags & ADDFD_SEND != 0 {
            request.answer(Answer::Result(number))?;
        }
        Ok(number)
    }
}

impl Request {
    /// `EINPROGRESS` unless it was taken and has no answer yet.
    fn answer(&self, answer: Answer) -> Result<(), Errno> {
        {
            let mut stage = self.stage.lock();
            if *stage != Stage::Taken {
                return Err(EINPROGRESS);
            }
            *stage = Stage::Answered(answer);
        }
        self.queue.notify(Ready::READABLE);
        Ok(())
    }
}

/// The file.
struct Supervisor(Arc<Listener>);

impl FileOps for Supervisor {
    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        let at = UserAddr::new(argument);
        match command {
            RECV => self.0.receive(task, at),
            SEND => self.0.send(task, at),
            ID_VALID | ID_VALID_OLD => {
                let request = self.0.find(task.mem().read(at.cast())?)?;
                let taken = *request.stage.lock() == Stage::Taken;
                taken.then_some(0).ok_or_else(|| ENOENT.into())
            }
            ADDFD => self.0.add_file(task, at),
            // Where whoever is woken runs is the host's business.
            SET_FLAGS if argument <= 1 => Ok(0),
            _ => Err(EINVAL.into()),
        }
    }

    fn poll(&self) -> Ready {
        let mut ready = Ready::empty();
        ready.set(Ready::READABLE, self.0.has(Stage::New));
        ready.set(Ready::WRITABLE, self.0.has(Stage::Taken));
        ready.set(Ready::HUP, self.0.abandoned.load(Ordering::SeqCst));
        ready
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(&self.0.queue))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        let waiting = self.0.requests.lock().clone();
        for request in waiting {
            request.queue.notify(Ready::READABLE);
        }
    }
}
