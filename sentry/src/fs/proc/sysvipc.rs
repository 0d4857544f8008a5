//! System V IPC objects, sysvipc(7).

use super::system::System;
use crate::fs::synth::Entry;

/// Nothing exists yet but the columns' names.
pub(super) const ENTRIES: &[Entry<System>] = &[
    Entry::fixed(
        "msg",
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid\
         \x20     stime      rtime      ctime\n",
    ),
    Entry::fixed(
        "sem",
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
    ),
    Entry::fixed(
        "shm",
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid\
         \x20 cgid      atime      dtime      ctime                   rss                  swap\n",
    ),
];
