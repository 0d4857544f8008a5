//! mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2),
//! mq_getsetattr(2).

use std::sync::Arc;

use syscalls::abi::fs::OpenFlags;
use syscalls::abi::ipc::MqAttr;
use syscalls::abi::time::Timespec;
use syscalls::errno::{EACCES, EBADF, EINVAL, EMSGSIZE, ENOENT, ENOTDIR};
use syscalls::{Errno, Fd, Run, Stop, SysResult, UserCStr, UserPtr, call};

use super::dir::QueueDir;
use super::file::QueueFile;
use super::limits::{Maker, PRIORITIES, Shape};
use super::notify::Notification;
use super::queue::Sender;
use crate::fd::CloseOnExec;
use crate::fs::synth::Synthetic;
use crate::task::Current;
use crate::time::{duration, realtime_deadline};
use crate::vfs::open::Opening;
use crate::vfs::{File, FileName, Location, OpenMode};
use crate::wait::{Deadline, Ready};

/// The directory of the task's queues.
fn directory(task: &Current) -> Location {
    let mount = task.ipc.get().queues(&task.kernel);
    Location {
        dentry: mount.root.clone(),
        mount,
    }
}

/// A queue's name, which mq_open(3) gives without its '/'.
fn queue_name(task: &Current, at: UserCStr) -> Result<FileName, Errno> {
    let path = task.read_path(at)?;
    match path.as_slice() {
        b"" => Err(ENOENT),
        b"." | b".." => Err(EACCES),
        name if name.contains(&b'/') => Err(EACCES),
        name => FileName::new(name),
    }
}

impl Run<Current> for call::MqOpen {
    fn run(self, task: &mut Current) -> SysResult {
        let attr = match self.attr.non_null() {
            Some(at) => Some(task.mem().read(at)?),
            None => None,
        };
        let name = queue_name(task, self.name)?;
        let ignored = OpenFlags::TRUNC | OpenFlags::DIRECTORY | OpenFlags::PATH;
        let opening = Opening::lenient(self.oflag - ignored, self.mode)?;
        let fd = task.reserve_fd()?;
        let dir = directory(task);
        // Only a queue that exists is asked for rights.
        if self.oflag.contains(OpenFlags::ACCMODE) && dir.inode().lookup(&name).is_ok() {
            return Err(EINVAL.into());
        }
        let maker = Maker::of(task);
        let file = task.open_named(&dir, &name, &opening, |owner| {
            let shape = match &attr {
                Some(attr) => Shape::of(attr, &task.kernel, &maker.creds)?,
                None => Shape::default_of(&task.kernel),
            };
            let queues = dir.inode().as_any().downcast_ref::<Synthetic<QueueDir>>();
            let queues = queues.ok_or(ENOTDIR)?;
            queues
                .behaviour
                .make(&queues.node, &name, owner, shape, &maker)
        })?;
        fd.fill(file, CloseOnExec::Yes).to_result()
    }
}

impl Run<Current> for call::MqUnlink {
    fn run(self, task: &mut Current) -> SysResult {
        let name = queue_name(task, self.name)?;
        task.remove_named(&directory(task), &name)?;
        Ok(0)
    }
}

/// The file behind a queue's descriptor, if `allowed` says so of its mode; `EBADF`.
fn queue_file(task: &Current, fd: Fd, allowed: fn(OpenMode) -> bool) -> Result<Arc<File>, Errno> {
    let file = task.file(fd)?;
    let queue = file.downcast::<QueueFile>().is_some();
    (queue && allowed(file.mode())).then_some(file).ok_or(EBADF)
}

fn open(file: &File) -> Result<&QueueFile, Errno> {
    file.downcast().ok_or(EBADF)
}

fn deadline(task: &Current, at: UserPtr<Timespec>) -> Result<Option<Deadline>, Errno> {
    let Some(at) = at.non_null() else {
        return Ok(None);
    };
    let time = duration(task.mem().read(at)?)?;
    Ok(Some(realtime_deadline(time)))
}

/// Waits until `attempt` succeeds, unless the file does not block.
fn wait<T>(
    task: &Current,
    file: &File,
    ready: Ready,
    deadline: Option<Deadline>,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, Stop> {
    if file.nonblocking() {
        return Ok(attempt()?);
    }
    let queue = &open(file)?.queue().waiters;
    task.block_on(queue, ready, deadline, || Ok(attempt()?))
}

impl Run<Current> for call::MqTimedsend {
    fn run(self, task: &mut Current) -> SysResult {
        let deadline = deadline(task, self.abs_timeout)?;
        if self.msg_prio >= PRIORITIES {
            return Err(EINVAL.into());
        }
        let file = queue_file(task, self.mqdes, OpenMode::writes)?;
        let queue = open(&file)?.queue();
        if self.msg_len as u64 > queue.shape().size {
            return Err(EMSGSIZE.into());
        }
        let mut text = vec![0; self.msg_len];
        task.mem().read_bytes(self.msg_ptr.addr(), &mut text)?;
        let sender = Sender {
            numbers: task.group.numbers.clone(),
            uid: task.creds.get().uid.real,
        };
        wait(task, &file, Ready::WRITABLE, deadline, || {
            queue.send(&text, self.msg_prio, &sender)
        })?;
        Ok(0)
    }
}

impl Run<Current> for call::MqTimedreceive {
    fn run(self, task: &mut Current) -> SysResult {
        let deadline = deadline(task, self.abs_timeout)?;
        let file = queue_file(task, self.mqdes, OpenMode::reads)?;
        let queue = open(&file)?.queue();
        if (self.msg_len as u64) < queue.shape().size {
            return Err(EMSGSIZE.into());
        }
        queue.count_receiver(1);
        let received = wait(task, &file, Ready::READABLE, deadline, || queue.receive());
        queue.count_receiver(-1);
        let (text, priority) = received?;
        if let Some(to) = self.msg_prio.non_null() {
            task.mem().write(to, &priority)?;
        }
        task.mem().write_bytes(self.msg_ptr.addr(), &text)?;
        Ok(text.len() as u64)
    }
}

impl Run<Current> for call::MqNotify {
    fn run(self, task: &mut Current) -> SysResult {
        let new = match self.sevp.non_null() {
            Some(at) => Some(Notification::new(task, &task.mem().read(at)?)?),
            None => None,
        };
        let file = queue_file(task, self.mqdes, |_| true)?;
        let queue = open(&file)?.queue();
        match new {
            Some(new) => queue.set_notification(new)?,
            None => queue.end_notification(task.fds.get().lock_owner()),
        }
        Ok(0)
    }
}

impl Run<Current> for call::MqGetsetattr {
    fn run(self, task: &mut Current) -> SysResult {
        let nonblock = i64::from(OpenMode::NONBLOCK.bits());
        let new: Option<MqAttr> = match self.newattr.non_null() {
            Some(at) => Some(task.mem().read(at)?),
            None => None,
        };
        if new.is_some_and(|new| new.flags & !nonblock != 0) {
            return Err(EINVAL.into());
        }
        let file = queue_file(task, self.mqdes, |_| true)?;
        let mut old = open(&file)?.queue().attributes();
        old.flags = if file.nonblocking() { nonblock } else { 0 };
        if let Some(new) = new {
            let mut mode = file.mode();
            mode.set(OpenMode::NONBLOCK, new.flags != 0);
            file.set_status(mode);
        }
        if let Some(to) = self.oldattr.non_null() {
            task.mem().write(to, &old)?;
        }
        Ok(0)
    }
}
