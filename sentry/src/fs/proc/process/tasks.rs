//! The threads of a process.

use std::ops::ControlFlow;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::ENOENT;

use super::{Context, Process};
use crate::fs::proc::root::number;
use crate::fs::synth::{Behaviour, Listed, Listing, Node, Opener, Site, Synthetic, open_dir, put};
use crate::task::{Current, Numbers, Pid};
use crate::vfs::{Attr, FileKind, FileName, FileOps, InodeRef, OpenMode, Owner, SetAttr};

/// /proc/PID/task.
struct Tasks(Process);

pub(super) fn directory(site: &Site<'_, Process>) -> InodeRef {
    site.put(FileKind::Directory, Tasks(site.context.clone()))
}

impl Tasks {
    /// The threads by the numbers that are shown, rising, each with the kernel's number. A
    /// process that has ended has its leader.
    fn tids(&self) -> Result<Vec<(Pid, Pid)>, Errno> {
        let group = self.0.task()?.group.clone();
        let both = |numbers: &Numbers| (numbers.seen_from(self.0.pids()), numbers.kernel());
        let threads = group.threads();
        let mut tids: Vec<_> = threads.iter().map(|t| both(&t.numbers())).collect();
        let leader = both(&group.numbers);
        if !tids.contains(&leader) {
            tids.push(leader);
        }
        tids.sort_unstable();
        Ok(tids)
    }

    fn thread(&self, name: &FileName) -> Result<Process, Errno> {
        let tid = self.0.pids().resolve(number(name).ok_or(ENOENT)?);
        let tid = tid.ok_or(ENOENT)?;
        let thread = self.0.thread(tid);
        thread.task().map_err(|_| ENOENT)?;
        Ok(thread)
    }
}

impl Behaviour for Tasks {
    fn owner(&self, stored: Owner) -> Result<Owner, Errno> {
        self.0.owner(stored.mode)
    }

    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        let threads = self.tids().map_or(0, |tids| tids.len());
        attr.nlink = attr
            .nlink
            .saturating_add(u32::try_from(threads).unwrap_or(0));
        Ok(())
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.0.check_change(set)
    }

    fn lookup(&self, node: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        Ok(self.thread(name)?.directory(node.super_block()))
    }

    fn revalidate(
        &self,
        node: &Node,
        name: &FileName,
        cached: &InodeRef,
    ) -> Result<Option<InodeRef>, Errno> {
        let thread = self.thread(name)?;
        if thread.is_directory(cached) {
            Ok(None)
        } else {
            Ok(Some(thread.directory(node.super_block())))
        }
    }

    fn open(
        inode: &Arc<Synthetic<Self>>,
        _: &Current,
        _: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        Ok(open_dir(inode))
    }
}

impl Listing for Tasks {
    fn list(
        &self,
        _: &Node,
        from: u64,
        add: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        for (number, tid) in self.tids().map_err(|_| ENOENT)? {
            let key = u64::from(number.unsigned_abs());
            let name = number.to_string();
            let child = Listed {
                key,
                name: name.as_bytes(),
                ino: self.0.thread(tid).ino(),
                kind: FileKind::Directory,
            };
            if key >= from && add(child).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// proc_tid_children(5): the processes that the thread has made.
pub(super) fn children(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = process.kernel()?;
    let task = process.task()?;
    let mut text = String::new();
    let tree = kernel.pids.lock();
    if let Some(parent) = tree.process(task.group.pid) {
        for &child in &parent.children {
            if tree
                .process(child)
                .is_some_and(|c| c.parent_tid == task.tid())
            {
                put!(text, "{} ", tree.number_in(child, process.pids()));
            }
        }
    }
    Ok(text.into_bytes())
}
