//! System V IPC objects, sysvipc(7).

use std::fmt::Write as _;
use std::sync::Arc;

use syscalls::Errno;

use super::system::System;
use crate::fs::synth::{Entry, Opener};
use crate::ipc::IpcNamespace;
use crate::ipc::msg::Queue;
use crate::ipc::perm::shown_to;
use crate::ipc::sem::SemSet;
use crate::ipc::shm::Segment;
use crate::task::Pid;

pub(super) const ENTRIES: &[Entry<System>] = &[
    Entry::text("msg", queues),
    Entry::text("sem", semaphores),
    Entry::text("shm", segments),
];

fn queues(system: &System, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::from(
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid\
         \x20     stime      rtime      ctime\n",
    );
    for named in seen(system, opener)?.msg.list() {
        let (id, ds) = (named.id, Queue::stat(&named));
        let perm = shown_to(&opener.creds.user, ds.perm);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:10} {id:10}  {:4o}  {:10} {:10} {:5} {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10}",
            perm.key,
            perm.mode,
            ds.cbytes,
            ds.qnum,
            number(opener, ds.lspid),
            number(opener, ds.lrpid),
            perm.uid,
            perm.gid,
            perm.cuid,
            perm.cgid,
            ds.stime,
            ds.rtime,
            ds.ctime,
        );
    }
    Ok(text.into_bytes())
}

fn semaphores(system: &System, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::from(
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
    );
    for named in seen(system, opener)?.sem.list() {
        let (id, ds) = (named.id, SemSet::stat(&named));
        let perm = shown_to(&opener.creds.user, ds.perm);
        let _ = writeln!(
            text,
            "{:10} {id:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {:10} {:10}",
            perm.key,
            perm.mode,
            ds.nsems,
            perm.uid,
            perm.gid,
            perm.cuid,
            perm.cgid,
            ds.otime,
            ds.ctime,
        );
    }
    Ok(text.into_bytes())
}

fn segments(system: &System, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::from(
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid\
         \x20 cgid      atime      dtime      ctime                   rss                  swap\n",
    );
    for named in seen(system, opener)?.shm.list() {
        let (id, ds) = (named.id, Segment::stat(&named));
        let perm = shown_to(&opener.creds.user, ds.perm);
        let _ = writeln!(
            text,
            "{:10} {id:10}  {:4o} {:21} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {:21} {:21}",
            perm.key,
            perm.mode,
            ds.segsz,
            number(opener, ds.cpid),
            number(opener, ds.lpid),
            ds.nattch,
            perm.uid,
            perm.gid,
            perm.cuid,
            perm.cgid,
            ds.atime,
            ds.dtime,
            ds.ctime,
            named.object.resident(),
            0,
        );
    }
    Ok(text.into_bytes())
}

/// The opener's number for a process.
fn number(opener: &Opener, pid: Pid) -> Pid {
    let opener = opener.task.upgrade();
    opener.map_or(pid, |opener| opener.number_of(pid))
}

/// The objects that the opener sees, or where it is gone the first process.
fn seen(system: &System, opener: &Opener) -> Result<Arc<IpcNamespace>, Errno> {
    match opener.task.upgrade() {
        Some(task) => Ok(task.ipc.get()),
        None => Ok(system.kernel()?.ipc.clone()),
    }
}
