//! Making inodes.
//!
//! The Gofer makes them as itself, without set-id bits, then gives them their owner and
//! then the bits (a change of owner takes set-user-id bits away). Regular files are ours
//! from open(2) on. For what has to be looked up after it was made, another process with
//! access to the directory could have put something else in its place: so it is checked to
//! be of the right type and the Gofer's own before its owner changes.

use std::ffi::CStr;
use std::os::fd::AsFd;

use rustix::fs::{
    AtFlags, CWD, FileType as HostType, Mode, OFlags, mkdirat, mknodat, openat, symlinkat, unlinkat,
};
use syscalls::Errno;
use syscalls::errno::{EINVAL, ENAMETOOLONG, ENOENT, EPERM, ESTALE};

use super::attr::{attributes, change_mode, change_owner};
use super::confine::{only_name, take_name};
use super::dispatch::Serve;
use super::node::{Node, fd_path};
use super::{Files, Owners};
use crate::host::HostResult;
use crate::wire::{name, request};
use crate::{Attr, FileType, Owner};

const SET_BITS: u32 = 0o7000;

fn permissions(mode: u32) -> Mode {
    Mode::from_bits_truncate(mode & 0o777)
}

/// Accepts a type and permission bits.
fn check_mode(mode: u32, types: u32) -> Result<(), Errno> {
    if mode & !(0o7777 | types) == 0 {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

impl Files {
    /// Gives a new inode its owner, then the mode's upper bits; returns its attributes.
    fn settle(&self, node: &Node, owner: Owner, mode: u32) -> Result<Attr, Errno> {
        let made = attributes(node.path())?;
        let mut current = made;
        if (made.uid, made.gid) != (owner.uid, owner.gid) {
            match change_owner(node, Some(owner.uid), Some(owner.gid)) {
                // No right to it, or an id that the user namespace does not have.
                Err(EPERM | EINVAL) if self.owners == Owners::Approximate => {}
                result => result?,
            }
            current = attributes(node.path())?;
        }
        let is_link = node.file_type == FileType::Symlink;
        if !is_link && (current.mode ^ mode) & SET_BITS != 0 {
            change_mode(node, current.mode & 0o777 | mode & SET_BITS)?;
            current = attributes(node.path())?;
        }
        Ok(current)
    }

    /// Settles and hands out an inode; if that fails, removes its name again.
    fn finish(
        &self,
        dir: &Node,
        name: &CStr,
        node: Node,
        owner: Owner,
        mode: u32,
    ) -> Result<request::Node, Errno> {
        let undo = match node.file_type {
            FileType::Directory => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        self.settle(&node, owner, mode)
            .and_then(|attr| self.hand_out_node(node, attr))
            .map(|(reply, _)| reply)
            .inspect_err(|_| {
                if !name.is_empty() {
                    let _ = unlinkat(dir.path(), name, undo);
                }
            })
    }

    /// Looks up what was just made as `name`.
    fn made(&self, dir: &Node, name: &CStr, file_type: FileType) -> Result<Node, Errno> {
        let found = self.lookup(dir, name)?;
        let attr = attributes(&found.path)?;
        if attr.file_type() != file_type || attr.uid != self.uid || found.sealed {
            return Err(ESTALE.why("a new inode was replaced"));
        }
        Ok(Node::new(found.path, dir.tree, file_type, false))
    }
}

impl Serve for request::Create {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<request::Node, Errno> {
        let dir = files.writable_dir(self.dir)?;
        check_mode(self.mode, 0)?;
        let unnamed = tail == b"\0";
        let (name, made, kind) = if unnamed {
            (c"", c".", OFlags::TMPFILE)
        } else {
            let name = only_name(tail)?;
            (name, name, OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW)
        };
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | kind;
        let file =
            files.with_room(|| openat(dir.path(), made, flags, permissions(self.mode)).host())?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let path =
            files.with_room(|| openat(CWD, fd_path(file.as_fd()), flags, Mode::empty()).host())?;
        let owner = Owner {
            uid: self.uid,
            gid: self.gid,
        };
        let node = Node::with_file(path, dir.tree, file);
        files.finish(&dir, name, node, owner, self.mode)
    }
}

impl Serve for request::Mkdir {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<request::Node, Errno> {
        let dir = files.writable_dir(self.dir)?;
        check_mode(self.mode, 0)?;
        let name = only_name(tail)?;
        mkdirat(dir.path(), name, permissions(self.mode)).host()?;
        let node = files.made(&dir, name, FileType::Directory)?;
        let owner = Owner {
            uid: self.uid,
            gid: self.gid,
        };
        files.finish(&dir, name, node, owner, self.mode)
    }
}

impl Serve for request::Symlink {
    fn serve(
        self,
        files: &Files,
        mut tail: &[u8],
        _: &mut Vec<u8>,
    ) -> Result<request::Node, Errno> {
        let dir = files.writable_dir(self.dir)?;
        let name = take_name(&mut tail)?;
        name::check(name.to_bytes())?;
        let target = take_name(&mut tail)?;
        match target.count_bytes() {
            0 => return Err(ENOENT),
            1..=4095 if tail.is_empty() => {}
            1..=4095 => return Err(EINVAL),
            _ => return Err(ENAMETOOLONG),
        }
        symlinkat(target, dir.path(), name).host()?;
        let node = files.made(&dir, name, FileType::Symlink)?;
        let owner = Owner {
            uid: self.uid,
            gid: self.gid,
        };
        files.finish(&dir, name, node, owner, 0)
    }
}

impl Serve for request::Mknod {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<request::Node, Errno> {
        let dir = files.writable_dir(self.dir)?;
        check_mode(self.mode, 0o170_000)?;
        let name = only_name(tail)?;
        let file_type = FileType::from_mode(self.mode);
        let host_type = match file_type {
            FileType::Regular => HostType::RegularFile,
            FileType::Fifo => HostType::Fifo,
            FileType::Socket => HostType::Socket,
            FileType::CharDevice => HostType::CharacterDevice,
            FileType::BlockDevice => HostType::BlockDevice,
            FileType::Directory | FileType::Symlink | FileType::Unknown => return Err(EINVAL),
        };
        let mode = permissions(self.mode);
        mknodat(dir.path(), name, host_type, mode, self.rdev).host()?;
        let node = files.made(&dir, name, file_type)?;
        let owner = Owner {
            uid: self.uid,
            gid: self.gid,
        };
        files.finish(&dir, name, node, owner, self.mode)
    }
}
