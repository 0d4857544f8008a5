//! Shared memory segments, shmget(2) and shmat(2).
//!
//! A segment is pages that memories map. Who is attached to it is who maps it
//! ([`crate::mm::Mappings`]): fork(2), munmap(2), execve(2) and exit count without being
//! told. (Differs from Linux: `shm_lpid` is who called shmat(2) or shmdt(2) last; the end
//! of a memory changes only the time.) A removed segment is held by its mappings alone and goes with the last.

mod attach;
mod calls;
mod control;

use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};

use platform::{MemoryFile, Pages};
use syscalls::Errno;
use syscalls::abi::ipc::ShmidDs;

use super::perm::Perm;
use super::table::Named;
use crate::fs::page_cache::PageCache;
use crate::mm::{Mappable, Mappings};
use crate::sync::{Level, Mutex};
use crate::task::Pid;

/// In `mode`: removed, and gone with the last that is attached.
const DEST: u32 = 0o1000;
/// In `mode`: SHM_LOCK.
const LOCKED: u32 = 0o2000;

/// See the module.
pub(crate) struct Segment {
    /// Bytes, as shmget(2) was told.
    size: u64,
    pages: PageCache,
    creator: Pid,
    state: Mutex<State>,
    /// Seconds since 1970, or 0.
    attached_at: AtomicI64,
    detached_at: AtomicI64,
    /// Who attached or detached last.
    last: AtomicI32,
}

struct State {
    perm: Perm,
    changed_at: i64,
}

impl Segment {
    fn new(file: &MemoryFile, size: u64, perm: Perm, creator: Pid) -> Self {
        let whole = size.next_multiple_of(syscalls::PAGE_SIZE);
        Segment {
            size,
            pages: PageCache::new(file.clone(), None, None, whole),
            creator,
            state: Mutex::new(
                Level::Ipc,
                State {
                    perm,
                    changed_at: super::now(),
                },
            ),
            attached_at: AtomicI64::new(0),
            detached_at: AtomicI64::new(0),
            last: AtomicI32::new(0),
        }
    }

    fn note_attach(&self, pid: Pid) {
        self.attached_at.store(super::now(), Ordering::Relaxed);
        self.last.store(pid, Ordering::Relaxed);
    }

    fn note_detach(&self, pid: Pid) {
        self.detached_at.store(super::now(), Ordering::Relaxed);
        self.last.store(pid, Ordering::Relaxed);
    }

    /// Bytes that are in memory.
    pub(crate) fn resident(&self) -> u64 {
        self.pages.resident()
    }

    pub(crate) fn stat(named: &Named<Segment>) -> ShmidDs {
        let segment = &named.object;
        let state = segment.state.lock();
        ShmidDs {
            perm: state.perm.abi(named.key, named.id),
            segsz: segment.size,
            atime: segment.attached_at.load(Ordering::Relaxed),
            dtime: segment.detached_at.load(Ordering::Relaxed),
            ctime: state.changed_at,
            cpid: segment.creator,
            lpid: segment.last.load(Ordering::Relaxed),
            nattch: segment.pages.mappings().count(),
            ..ShmidDs::default()
        }
    }
}

impl Mappable for Segment {
    fn pages(&self, index: u64, max: u64, write: bool) -> Result<Pages, Errno> {
        self.pages.pages(index, max, write)
    }

    fn mappings(&self) -> &Mappings {
        self.pages.mappings()
    }

    fn write_around(&self) -> u64 {
        self.pages.write_around()
    }

    fn punch_hole(&self, from: u64, to: u64) -> Result<(), Errno> {
        self.pages.punch_hole(from, to)
    }

    fn is_resident(&self, index: u64) -> bool {
        self.pages.is_resident(index)
    }

    fn segment_size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn unmapped(&self) {
        self.detached_at.store(super::now(), Ordering::Relaxed);
    }
}
