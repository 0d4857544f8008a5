//! signalfd(2).
//!
//! Signals are those of who reads or polls, not of who made the descriptor: a child that
//! inherited it sees its own. An epoll(7) waits for arrivals at the process that added the
//! descriptor, as Linux does.

use std::any::Any;
use std::borrow::Cow;

use syscalls::abi::signal::{Siginfo, SignalfdFlags, SignalfdSiginfo};
use syscalls::errno::{EAGAIN, EINVAL};
use syscalls::{Errno, Fd, Run, SysResult, UserPtr, call};
use zerocopy::{FromZeros, IntoBytes};

use super::{SigSet, Signal};
use crate::fd::CloseOnExec;
use crate::sync::{Level, Slot};
use crate::task::{Current, PidNamespace, of_this_thread};
use crate::vfs::{AnonKind, File, FileOps, OpenMode, Sink};
use crate::wait::{Ready, WaitQueue};

struct SignalFd {
    wanted: Slot<SigSet>,
}

impl SignalFd {
    /// One of the wanted signals, those of the calling thread first.
    fn take(&self) -> Option<Siginfo> {
        let reader = of_this_thread()?;
        let others = self.wanted.get().complement();
        let of_process = || reader.group.signals.take(others);
        let taken = reader.signals.take(others).or_else(of_process);
        taken.map(|info| reader.group.told_of(info))
    }

    fn is_pending(&self) -> bool {
        let Some(reader) = of_this_thread() else {
            return false;
        };
        let pending = reader
            .signals
            .pending()
            .union(reader.group.signals.pending());
        !pending.intersection(self.wanted.get()).is_empty()
    }
}

/// A signal as signalfd(2) tells it.
fn record(info: &Siginfo) -> SignalfdSiginfo {
    let unsigned = |value: i32| u32::from_ne_bytes(value.to_ne_bytes());
    let times = info.child_times();
    let tick = |ticks: i64| u64::try_from(ticks).unwrap_or(0);
    let child = info.signo == Signal::CHLD.raw();
    let mut record = SignalfdSiginfo::new_zeroed();
    record.signo = unsigned(info.signo);
    record.errno = info.errno;
    record.code = info.code;
    record.pid = unsigned(info.pid());
    record.uid = info.uid();
    let value = info.value();
    record.ptr = value;
    record.int = i32::from_ne_bytes(
        u32::try_from(value & u64::from(u32::MAX))
            .unwrap_or(0)
            .to_ne_bytes(),
    );
    if child {
        record.status = info.status();
        record.utime = tick(times.0);
        record.stime = tick(times.1);
    } else if info.code == syscalls::abi::signal::SI_TIMER {
        record.tid = unsigned(info.timer_id());
        record.overrun = unsigned(info.overrun());
    }
    record
}

impl FileOps for SignalFd {
    fn is_the_same_anywhere(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        let size = size_of::<SignalfdSiginfo>();
        if dst.remaining() < size {
            return Err(EINVAL);
        }
        let mut done = 0;
        while dst.remaining() >= size {
            let Some(info) = self.take() else { break };
            done += dst.write(record(&info).as_bytes())?;
        }
        if done == 0 { Err(EAGAIN) } else { Ok(done) }
    }

    fn poll(&self) -> Ready {
        if self.is_pending() {
            Ready::READABLE
        } else {
            Ready::empty()
        }
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        of_this_thread().map(|reader| Cow::Owned(reader.group.signals.arrivals.clone()))
    }

    fn fd_info(&self, _: &PidNamespace) -> String {
        format!("sigmask:\t{:016x}\n", self.wanted.get().bits())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn signalfd(
    task: &Current,
    fd: Fd,
    mask: UserPtr<u64>,
    size: usize,
    flags: SignalfdFlags,
) -> SysResult {
    if size != 8 {
        return Err(EINVAL.into());
    }
    let mut wanted = SigSet::from_bits(task.mem().read(mask)?);
    wanted.remove(Signal::KILL);
    wanted.remove(Signal::STOP);
    if fd.0 != -1 {
        let file = task.fds.get().get(fd)?;
        let known = file.downcast::<SignalFd>().ok_or(EINVAL)?;
        known.wanted.set(wanted);
        task.group.signals.arrivals.notify(Ready::READABLE);
        return fd.to_result();
    }
    let reserved = task.reserve_fd()?;
    let ops = SignalFd {
        wanted: Slot::new(Level::Leaf, wanted),
    };
    let nonblocking = flags.contains(SignalfdFlags::NONBLOCK);
    let status = if nonblocking {
        OpenMode::NONBLOCK
    } else {
        OpenMode::empty()
    };
    let file =
        AnonKind::Inode("[signalfd]").open(task, Box::new(ops), status | OpenMode::READ_WRITE);
    reserved
        .fill(
            file,
            CloseOnExec::when(flags.contains(SignalfdFlags::CLOEXEC)),
        )
        .to_result()
}

impl Run<Current> for call::Signalfd {
    fn run(self, task: &mut Current) -> SysResult {
        signalfd(
            task,
            self.fd,
            self.mask,
            self.sizemask,
            SignalfdFlags::empty(),
        )
    }
}

impl Run<Current> for call::Signalfd4 {
    fn run(self, task: &mut Current) -> SysResult {
        signalfd(task, self.fd, self.mask, self.sizemask, self.flags)
    }
}
