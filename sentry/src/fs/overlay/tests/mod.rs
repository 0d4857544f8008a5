//! An overlay over a tmpfs, used without dentries: nothing but the overlay itself keeps
//! its inodes.

mod model;
mod rules;

use std::ops::ControlFlow;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EISDIR, ENOTDIR};

use crate::fs::{overlay, tmpfs};
use crate::task::Current;
use crate::testing;
use crate::vfs::{
    Dentry, DirEntry, File, FileKind, FileName, InodeRef, LinkTarget, Location, Mode, Mount,
    MountFlags, NewNode, OpenMode, Owner, RenameMode, SetAttr, Sink, Source,
};

const OWNER: Owner = Owner {
    uid: 7,
    gid: 8,
    mode: Mode::from_raw(0o640),
};

fn name(text: &str) -> FileName {
    FileName::new(text.as_bytes()).expect("a name")
}

/// Directory and last name of a path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// A tree by paths without a leading slash.
struct Tree<'a> {
    task: &'a Current,
    root: InodeRef,
}

impl<'a> Tree<'a> {
    fn empty(task: &'a Current) -> Self {
        let options = tmpfs::Options::default();
        let root = tmpfs::new(&task.kernel.memory, options, "lower");
        Tree { task, root }
    }

    /// An overlay over this.
    fn over(&self) -> Self {
        let root = overlay::new(self.root.clone(), &self.task.kernel.memory, "overlay");
        Tree {
            task: self.task,
            root,
        }
    }

    fn at(&self, path: &str) -> Result<InodeRef, Errno> {
        let mut inode = self.root.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if inode.kind() != FileKind::Directory {
                return Err(ENOTDIR);
            }
            inode = inode.lookup(&name(part))?;
        }
        Ok(inode)
    }

    fn get(&self, path: &str) -> InodeRef {
        self.at(path).expect(path)
    }

    fn dir_of<'p>(&self, path: &'p str) -> Result<(InodeRef, &'p str), Errno> {
        let (dir, last) = split(path);
        let dir = self.at(dir)?;
        if dir.kind() == FileKind::Directory {
            Ok((dir, last))
        } else {
            Err(ENOTDIR)
        }
    }

    fn make(&self, path: &str, node: NewNode<'_>) -> Result<InodeRef, Errno> {
        let (dir, last) = self.dir_of(path)?;
        if dir.lookup(&name(last)).is_ok() {
            return Err(syscalls::errno::EEXIST);
        }
        dir.create(&name(last), node, OWNER)
    }

    fn mkdir(&self, path: &str) {
        self.make(path, NewNode::Directory).expect(path);
    }

    fn put(&self, path: &str, data: &[u8]) {
        self.make(path, NewNode::Regular).expect(path);
        self.write(path, 0, data).expect(path);
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        let (dir, last) = self.dir_of(path)?;
        let child = dir.lookup(&name(last))?;
        if child.kind() == FileKind::Directory {
            return Err(EISDIR);
        }
        dir.unlink(&name(last), &child)
    }

    fn rmdir(&self, path: &str) -> Result<(), Errno> {
        let (dir, last) = self.dir_of(path)?;
        let child = dir.lookup(&name(last))?;
        if child.kind() != FileKind::Directory {
            return Err(ENOTDIR);
        }
        dir.rmdir(&name(last), &child)
    }

    fn link(&self, old: &str, new: &str) -> Result<(), Errno> {
        let inode = self.at(old)?;
        let (dir, last) = self.dir_of(new)?;
        if inode.kind() == FileKind::Directory {
            return Err(EISDIR);
        }
        if dir.lookup(&name(last)).is_ok() {
            return Err(syscalls::errno::EEXIST);
        }
        dir.link(&name(last), &inode)
    }

    /// As the callers of file systems do it, with their checks.
    fn rename(&self, old: &str, new: &str, mode: RenameMode) -> Result<(), Errno> {
        let (from, from_name) = self.dir_of(old)?;
        let (to, to_name) = self.dir_of(new)?;
        let moved = from.lookup(&name(from_name))?;
        let there = to.lookup(&name(to_name)).ok();
        let below = |a: &str, b: &str| b.starts_with(&format!("{a}/"));
        if below(old, new) || below(new, old) {
            return Err(syscalls::errno::EINVAL);
        }
        if let Some(there) = &there {
            let is_dir = |inode: &InodeRef| inode.kind() == FileKind::Directory;
            if Arc::ptr_eq(there, &moved) {
                return Ok(());
            }
            match (is_dir(&moved), is_dir(there)) {
                (true, false) if mode == RenameMode::Replace => return Err(ENOTDIR),
                (false, true) if mode == RenameMode::Replace => return Err(EISDIR),
                _ => {}
            }
        }
        from.rename(&name(from_name), &to, &name(to_name), mode)
    }

    fn open(&self, path: &str, mode: OpenMode) -> Result<Arc<File>, Errno> {
        let inode = self.at(path)?;
        let ops = inode.clone().open(self.task, mode)?;
        let dentry = Dentry::root(inode);
        let mount = Mount::new(dentry.clone(), MountFlags::empty());
        Ok(File::new(Location { mount, dentry }, ops, mode))
    }

    fn write(&self, path: &str, pos: u64, data: &[u8]) -> Result<usize, Errno> {
        let file = self.open(path, OpenMode::READ_WRITE)?;
        file.ops.write(&file, &mut Source::kernel(data), pos)
    }

    fn read(&self, path: &str) -> Vec<u8> {
        contents(&self.open(path, OpenMode::empty()).expect(path))
    }

    fn truncate(&self, path: &str, size: u64) -> Result<(), Errno> {
        self.at(path)?.set_attr(&SetAttr {
            size: Some(size),
            ..SetAttr::default()
        })
    }

    fn link_text(&self, inode: &InodeRef) -> Vec<u8> {
        match inode.read_link(self.task) {
            Ok(LinkTarget::Text(text)) => text,
            _ => panic!("no text"),
        }
    }

    /// Names as readdir gives them, but for "." and "..", sorted.
    fn names(&self, path: &str) -> Vec<(String, u64)> {
        let file = self.open(path, OpenMode::empty()).expect(path);
        let mut names = list(&file, 0, usize::MAX).0;
        names.retain(|(name, _)| name != "." && name != "..");
        names.sort();
        names
    }
}

fn contents(file: &File) -> Vec<u8> {
    let mut data = vec![0; 1 << 16];
    let count = file
        .ops
        .read(file, &mut Sink::kernel(&mut data), 0)
        .expect("read");
    data.truncate(count);
    data
}

/// Up to `max` entries from `pos` on, and where to go on.
fn list(file: &File, pos: u64, max: usize) -> (Vec<(String, u64)>, u64) {
    let mut names = Vec::new();
    let mut sink = |entry: DirEntry<'_>| {
        if names.len() == max {
            return ControlFlow::Break(());
        }
        let name = String::from_utf8(entry.name.to_vec()).expect("text");
        names.push((name, entry.ino));
        ControlFlow::Continue(())
    };
    let next = file.ops.read_dir(file, pos, &mut sink).expect("list");
    (names, next)
}
