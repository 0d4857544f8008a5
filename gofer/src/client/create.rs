//! Names: making, linking, moving and removing them.
//!
//! New inodes are made exclusively (`EEXIST` if the name is taken) and get exactly the mode
//! given, unless the directory has a default ACL or the host refuses a set-id bit.

use syscalls::Errno;

use super::Client;
use crate::wire::name;
use crate::wire::request::{self, Node};
use crate::{Attr, Handle, Owner, Rename};

fn pair(node: Node) -> (Handle, Attr) {
    (node.handle, node.attr)
}

impl Client {
    /// Makes a regular file, opened as by [`Self::open`] for reading and writing.
    pub fn create(
        &self,
        dir: Handle,
        name: &[u8],
        mode: u32,
        owner: Owner,
    ) -> Result<(Handle, Attr), Errno> {
        name::check(name)?;
        self.create_at(dir, name, mode, owner)
    }

    /// Makes a regular file without a name (`O_TMPFILE`), opened for reading and writing.
    /// [`Self::link`] can give it one.
    pub fn create_unnamed(
        &self,
        dir: Handle,
        mode: u32,
        owner: Owner,
    ) -> Result<(Handle, Attr), Errno> {
        self.create_at(dir, b"", mode, owner)
    }

    fn create_at(
        &self,
        dir: Handle,
        name: &[u8],
        mode: u32,
        owner: Owner,
    ) -> Result<(Handle, Attr), Errno> {
        let request = request::Create {
            dir,
            mode,
            uid: owner.uid,
            gid: owner.gid,
            pad: 0,
        };
        let answer = self.exchange.call(&request, &[name, b"\0"])?;
        Ok(pair(answer.reply))
    }

    /// Makes a directory.
    pub fn mkdir(
        &self,
        dir: Handle,
        name: &[u8],
        mode: u32,
        owner: Owner,
    ) -> Result<(Handle, Attr), Errno> {
        name::check(name)?;
        let request = request::Mkdir {
            dir,
            mode,
            uid: owner.uid,
            gid: owner.gid,
            pad: 0,
        };
        let answer = self.exchange.call(&request, &[name, b"\0"])?;
        Ok(pair(answer.reply))
    }

    /// Makes a symbolic link to `target`: 1 to 4095 bytes without NUL.
    pub fn symlink(
        &self,
        dir: Handle,
        name: &[u8],
        target: &[u8],
        owner: Owner,
    ) -> Result<(Handle, Attr), Errno> {
        name::check(name)?;
        let request = request::Symlink {
            dir,
            uid: owner.uid,
            gid: owner.gid,
        };
        let names = [name, b"\0", target, b"\0"].concat();
        Ok(pair(self.exchange.call(&request, &[&names])?.reply))
    }

    /// Makes a FIFO, socket, device or regular file, as the type in `mode` says. `rdev` as
    /// stat(2) packs it. Devices need rights that a jailed Gofer does not have: `EPERM`.
    pub fn mknod(
        &self,
        dir: Handle,
        name: &[u8],
        mode: u32,
        rdev: u64,
        owner: Owner,
    ) -> Result<(Handle, Attr), Errno> {
        name::check(name)?;
        let request = request::Mknod {
            dir,
            rdev,
            mode,
            uid: owner.uid,
            gid: owner.gid,
            pad: 0,
        };
        let answer = self.exchange.call(&request, &[name, b"\0"])?;
        Ok(pair(answer.reply))
    }

    /// Makes another name for the inode `handle`; returns its attributes after. `EXDEV`
    /// between trees.
    pub fn link(&self, handle: Handle, dir: Handle, name: &[u8]) -> Result<Attr, Errno> {
        name::check(name)?;
        let request = request::Link { handle, dir };
        Ok(self.exchange.call(&request, &[name, b"\0"])?.reply)
    }

    /// Removes a name that is not a directory's. The inode's handle stays valid.
    pub fn unlink(&self, dir: Handle, name: &[u8]) -> Result<(), Errno> {
        name::check(name)?;
        self.exchange
            .call(&request::Unlink { dir }, &[name, b"\0"])
            .map(|_| ())
    }

    /// Removes an empty directory.
    pub fn rmdir(&self, dir: Handle, name: &[u8]) -> Result<(), Errno> {
        name::check(name)?;
        self.exchange
            .call(&request::Rmdir { dir }, &[name, b"\0"])
            .map(|_| ())
    }

    /// Moves a name. Handles stay valid. `EXDEV` between trees.
    pub fn rename(
        &self,
        old_dir: Handle,
        old_name: &[u8],
        new_dir: Handle,
        new_name: &[u8],
        how: Rename,
    ) -> Result<(), Errno> {
        name::check(old_name)?;
        name::check(new_name)?;
        let request = request::Rename {
            old_dir,
            new_dir,
            how: match how {
                Rename::Replace => 0,
                Rename::NoReplace => 1,
                Rename::Exchange => 2,
            },
            pad: 0,
        };
        let names = [old_name, b"\0", new_name, b"\0"].concat();
        self.exchange.call(&request, &[&names]).map(|_| ())
    }
}
