//! Signals that file operations send.

use std::sync::Arc;

use syscalls::Fd;
use syscalls::abi::fs::{F_OWNER_PGRP, F_OWNER_TID};
use syscalls::abi::signal::{
    POLL_ERR, POLL_HUP, POLL_IN, POLL_MSG, POLL_OUT, POLL_PRI, SI_SIGIO, Siginfo,
};

use super::{File, SignalOwner};
use crate::kernel::Kernel;
use crate::signal::{Signal, Source};
use crate::task::{Credentials, ThreadGroup};
use crate::wait::Ready;

/// `si_code` and `si_band` of each kind of readiness, the first that fits counts.
const BANDS: [(Ready, i32, Ready); 6] = [
    (Ready::IN, POLL_IN, Ready::READABLE),
    (Ready::OUT, POLL_OUT, Ready::WRITABLE.union(Ready::WRBAND)),
    (Ready::RDBAND, POLL_MSG, Ready::READABLE),
    (Ready::ERR, POLL_ERR, Ready::ERR),
    (Ready::PRI, POLL_PRI, Ready::PRI.union(Ready::RDBAND)),
    (Ready::HUP, POLL_HUP, Ready::HUP.union(Ready::ERR)),
];

/// Sends SIGIO, or what F_SETSIG chose, to the owner of `file`, as far as `creds` may.
pub(super) fn io(kernel: &Kernel, creds: &Credentials, file: &File, fd: Fd, ready: Ready) {
    let owner = *file.owner.lock();
    if owner.id == 0 {
        return;
    }
    let signal = Signal::new(owner.signal);
    let kind = BANDS.iter().find(|(bits, ..)| ready.intersects(*bits));
    let info = match (signal, kind) {
        (Ok(signal), Some((_, code, band))) => {
            Siginfo::poll(signal.raw(), *code, i64::from(band.bits()), fd.0)
        }
        (Ok(signal), None) => Siginfo::poll(signal.raw(), SI_SIGIO, 0, fd.0),
        (Err(_), _) => Siginfo::kernel(Signal::IO.raw()),
    };
    tell(kernel, creds, owner, &info);
}

/// Sends SIGURG to the owner of `file`, as far as `creds` may.
pub(super) fn urgent(kernel: &Kernel, creds: &Credentials, file: &File) {
    let owner = *file.owner.lock();
    if owner.id != 0 {
        tell(kernel, creds, owner, &Siginfo::kernel(Signal::URG.raw()));
    }
}

fn tell(kernel: &Kernel, creds: &Credentials, owner: SignalOwner, info: &Siginfo) {
    let may = |group: &Arc<ThreadGroup>| {
        let target = group.leader().map(|task| task.creds.get());
        target.is_some_and(|target| {
            let ids = [target.uid.real, target.uid.saved];
            creds.uid.effective == 0
                || ids.contains(&creds.uid.effective)
                || ids.contains(&creds.uid.real)
        })
    };
    if owner.kind == F_OWNER_TID {
        if let Some(task) = kernel.pids.task(owner.id).filter(|task| may(&task.group)) {
            // Lost at the limit of queued signals, as in Linux but for a plain SIGIO.
            let _ = kernel.signal_task(&task, info);
        }
        return;
    }
    let groups = kernel.pids.groups();
    let meant = groups.iter().filter(|group| {
        if owner.kind == F_OWNER_PGRP {
            group.pgid() == owner.id
        } else {
            group.pid == owner.id
        }
    });
    for group in meant.filter(|group| may(group)) {
        let _ = kernel.signal_process(group, info, Source::Inside);
    }
}
