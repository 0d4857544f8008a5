//! The descriptors of a process, proc_pid_fd(5).

use std::ops::ControlFlow;
use std::sync::Arc;

use syscalls::errno::{EACCES, ENOENT};
use syscalls::{Errno, Fd};

use super::links::jump;
use super::{Context, FDS, Process};
use crate::fd::{FdEntry, FdTable};
use crate::fs::proc::root::number;
use crate::fs::synth::{Behaviour, Listed, Listing, Node, Site, Synthetic, open_dir};
use crate::task::Current;
use crate::vfs::{
    Attr, FileKind, FileName, FileOps, InodeRef, LinkTarget, Mode, OpenMode, Owner, SetAttr,
};

/// /proc/PID/fd.
struct Descriptors(Process);

/// One of its links.
struct Link {
    process: Process,
    fd: Fd,
}

/// What `readlink` shows is not measured; Linux says this.
const LINK_SIZE: u64 = 64;

pub(super) fn directory(site: &Site<'_, Process>) -> InodeRef {
    site.put(FileKind::Directory, Descriptors(site.context.clone()))
}

/// The descriptor that `name` names in the table of `process`; `ENOENT`.
pub(super) fn find(process: &Process, name: &FileName) -> Result<(Fd, FdEntry), Errno> {
    let fd = Fd(number(name).ok_or(ENOENT)?);
    let entry = table(process)?.entry(fd).map_err(|_| ENOENT)?;
    Ok((fd, entry))
}

/// `ENOENT` once the process is gone.
pub(super) fn table(process: &Process) -> Result<Arc<FdTable>, Errno> {
    Ok(process.task().map_err(|_| ENOENT)?.fds.get())
}

/// Gives `add` the open descriptors from `from` on, with numbers from `first` on.
pub(super) fn list(
    process: &Process,
    (first, kind): (u64, FileKind),
    from: u64,
    add: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
) -> Result<(), Errno> {
    for (fd, _) in table(process)?.list() {
        let key = u64::from(fd.0.unsigned_abs());
        let name = fd.0.to_string();
        let child = Listed {
            key,
            name: name.as_bytes(),
            ino: process.ino() + first + key,
            kind,
        };
        if key >= from && add(child).is_break() {
            break;
        }
    }
    Ok(())
}

/// The user's, also of a process that hides from others: it must be able to look at its
/// own descriptors. Who else may is decided when they are opened and read.
pub(super) fn owner(process: &Process, mode: Mode) -> Owner {
    Owner {
        mode,
        ..process.owned(Mode::from_raw(0o555))
    }
}

impl Descriptors {
    fn link(&self, node: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        let (fd, _) = find(&self.0, name)?;
        let ino = self.0.ino() + FDS + u64::from(fd.0.unsigned_abs());
        let link = Link {
            process: self.0.clone(),
            fd,
        };
        let owner = owner(&self.0, Mode::from_raw(0o700));
        Ok(Synthetic::new(
            node.super_block(),
            ino,
            FileKind::Symlink,
            owner,
            link,
        ))
    }
}

impl Behaviour for Descriptors {
    fn owner(&self, stored: Owner) -> Result<Owner, Errno> {
        Ok(owner(&self.0, stored.mode))
    }

    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        attr.size = table(&self.0).map_or(0, |table| table.list().len() as u64);
        Ok(())
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.0.check_change(set)
    }

    fn lookup(&self, node: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        self.link(node, name)
    }

    /// A link stays the same whatever its descriptor is now.
    fn revalidate(
        &self,
        _: &Node,
        name: &FileName,
        _: &InodeRef,
    ) -> Result<Option<InodeRef>, Errno> {
        find(&self.0, name).map(|_| None)
    }

    fn open(
        inode: &Arc<Synthetic<Self>>,
        task: &Current,
        _: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        inode.behaviour.0.inspected_by(task)?;
        Ok(open_dir(inode))
    }
}

impl Listing for Descriptors {
    fn list(
        &self,
        _: &Node,
        from: u64,
        add: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        list(&self.0, (FDS, FileKind::Symlink), from, add)
    }
}

impl Link {
    fn entry(&self) -> Result<FdEntry, Errno> {
        table(&self.process)?.entry(self.fd).map_err(|_| ENOENT)
    }
}

impl Behaviour for Link {
    /// The mode says how the descriptor is open.
    fn owner(&self, stored: Owner) -> Result<Owner, Errno> {
        let mode = self.entry().map_or(OpenMode::PATH, |e| e.file.mode());
        let mut bits = 0;
        if mode.reads() {
            bits |= 0o500;
        }
        if mode.writes() {
            bits |= 0o300;
        }
        Ok(Owner {
            mode: Mode::from_raw(bits),
            ..stored
        })
    }

    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        attr.size = LINK_SIZE;
        Ok(())
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.process.check_change(set)
    }

    fn read_link(&self, task: &Current) -> Result<LinkTarget, Errno> {
        self.process.inspected_by(task).map_err(|_| EACCES)?;
        let file = self.entry()?.file;
        Ok(jump(file.location.clone(), task))
    }
}
