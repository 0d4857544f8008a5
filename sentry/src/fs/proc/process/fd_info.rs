//! proc_pid_fdinfo(5).

use std::ops::ControlFlow;
use std::sync::Arc;

use syscalls::errno::{EACCES, ENOENT};
use syscalls::{Errno, Fd};

use super::fd::{find, list, owner, table};
use super::{Context, FD_INFOS, Process};
use crate::fs::synth::{
    Behaviour, Listed, Listing, Node, Opener, Site, Synthetic, Text, open_dir, open_text, put,
};
use crate::task::Current;
use crate::vfs::{File, FileKind, FileName, FileOps, InodeRef, Mode, OpenMode, Owner, SetAttr};

/// /proc/PID/fdinfo.
struct Infos(Process);

/// One of its files.
struct Info {
    process: Process,
    fd: Fd,
}

pub(super) fn directory(site: &Site<'_, Process>) -> InodeRef {
    site.put(FileKind::Directory, Infos(site.context.clone()))
}

impl Behaviour for Infos {
    fn owner(&self, stored: Owner) -> Result<Owner, Errno> {
        Ok(owner(&self.0, stored.mode))
    }

    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.0.check_change(set)
    }

    fn lookup(&self, node: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        let (fd, _) = find(&self.0, name)?;
        let ino = self.0.ino() + FD_INFOS + u64::from(fd.0.unsigned_abs());
        let info = Info {
            process: self.0.clone(),
            fd,
        };
        let owner = owner(&self.0, Mode::from_raw(0o444));
        Ok(Synthetic::new(
            node.super_block(),
            ino,
            FileKind::Regular,
            owner,
            info,
        ))
    }

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

impl Listing for Infos {
    fn list(
        &self,
        _: &Node,
        from: u64,
        add: &mut dyn FnMut(Listed<'_>) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        list(&self.0, (FD_INFOS, FileKind::Regular), from, add)
    }
}

/// The position, unless somebody is just using it. The reader may hold the lock of its
/// own position, so nobody waits here.
fn position(file: &File) -> u64 {
    match file.ops.outside_position() {
        Some(outside) => outside.get().unwrap_or(0),
        None => file.offset.try_lock().map_or(0, |offset| *offset),
    }
}

/// O_CLOEXEC, which is the descriptor's and not the file's.
const CLOSE_ON_EXEC: u32 = 0o2_000_000;

impl Behaviour for Info {
    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        self.process.check_change(set)
    }

    fn open(
        inode: &Arc<Synthetic<Self>>,
        task: &Current,
        _: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        let process = &inode.behaviour.process;
        process.inspected_by(task).map_err(|_| EACCES)?;
        Ok(open_text(inode, task))
    }
}

impl Text for Info {
    fn text(&self, _: &Opener) -> Result<Vec<u8>, Errno> {
        let entry = table(&self.process)?.entry(self.fd).map_err(|_| ENOENT)?;
        let file = &entry.file;
        let mut flags = file.mode().bits();
        if entry.close_on_exec {
            flags |= CLOSE_ON_EXEC;
        }
        let mut text = String::new();
        put!(text, "pos:\t{}\nflags:\t0{flags:o}\n", position(file));
        put!(text, "mnt_id:\t{}\n", file.location.mount.id);
        put!(text, "ino:\t{}\n", file.inode().ino());
        text.push_str(&file.ops.fd_info(self.process.pids()));
        Ok(text.into_bytes())
    }
}
