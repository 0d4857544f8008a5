//! Finding inodes, and what is known about them.

use syscalls::Errno;
use syscalls::errno::EIO;
use zerocopy::{FromBytes, IntoBytes};

use super::Client;
use crate::wire::layout::BODY_SIZE;
use crate::wire::name;
use crate::wire::request::{self, Node, valid};
use crate::{Attr, FileType, Handle, SetAttr, SetTime, StatFs, Time, TreeId, Walked};

/// Components of one request: their answer surely fits.
const WALK_MAX: usize = 64;
/// Handles of one request.
const FORGET_MAX: usize = BODY_SIZE / size_of::<Handle>();

impl Client {
    /// The root of a tree: a directory, or the file itself where the tree is a single
    /// file. `ENOENT` if the server was given no such tree.
    pub fn attach(&self, tree: TreeId) -> Result<(Handle, Attr), Errno> {
        let request = request::Attach {
            tree: tree.0,
            pad: 0,
        };
        let node = self.exchange.call(&request, &[])?.reply;
        Ok((node.handle, node.attr))
    }

    /// Looks up `names` one below the other, starting in `dir`, as far as they are
    /// directories. Fails only if nothing could be looked up at all (a bad handle, `dir`
    /// not a directory, a bad name anywhere); what stopped it later is in the answer.
    ///
    /// A directory on which the host has mounted something that the tree does not include
    /// is found, and empty.
    pub fn walk(&self, dir: Handle, names: &[&[u8]]) -> Result<Walked, Errno> {
        for component in names {
            name::check(component)?;
        }
        let mut walked = Walked {
            found: Vec::with_capacity(names.len()),
            stop: None,
        };
        let mut from = dir;
        for part in names.chunks(WALK_MAX) {
            match self.walk_part(from, part, &mut walked) {
                Ok(true) => {}
                Ok(false) => break,
                Err(errno) if walked.found.is_empty() => return Err(errno),
                Err(errno) => {
                    walked.stop = Some(errno);
                    break;
                }
            }
            match walked.found.last() {
                Some(&(handle, _)) => from = handle,
                None => break,
            }
        }
        Ok(walked)
    }

    /// Returns true if every component was found and more can follow.
    fn walk_part(&self, dir: Handle, names: &[&[u8]], walked: &mut Walked) -> Result<bool, Errno> {
        let mut tail = Vec::with_capacity(names.iter().map(|n| n.len() + 1).sum());
        for component in names {
            tail.extend_from_slice(component);
            tail.push(0);
        }
        let answer = self.exchange.call(&request::Walk { dir }, &[&tail])?;
        let found = usize::try_from(answer.reply.found).map_err(|_| EIO)?;
        if found > names.len() {
            return Err(EIO.why("more found than asked for"));
        }
        let bytes = answer.tail();
        let before = walked.found.len();
        for chunk in bytes.chunks_exact(size_of::<Node>()).take(found) {
            let node = Node::read_from_bytes(chunk).map_err(|_| EIO)?;
            walked.found.push((node.handle, node.attr));
        }
        let complete = walked.found.len() - before == names.len();
        if answer.reply.errno != 0 {
            let errno = i32::try_from(answer.reply.errno).unwrap_or(0);
            walked.stop = Some(Errno::from_raw(errno));
            return Ok(false);
        }
        let leads_on = |&(_, attr): &(Handle, Attr)| attr.file_type() == FileType::Directory;
        Ok(complete && walked.found.last().is_some_and(leads_on))
    }

    /// Gives back one reference for each mention of a handle. Unknown ones are ignored.
    pub fn forget(&self, handles: &[Handle]) -> Result<(), Errno> {
        for part in handles.chunks(FORGET_MAX) {
            self.exchange
                .call(&request::Forget {}, &[part.as_bytes()])?;
        }
        Ok(())
    }

    /// Attributes, statx(2).
    pub fn getattr(&self, handle: Handle) -> Result<Attr, Errno> {
        Ok(self.exchange.call(&request::GetAttr { handle }, &[])?.reply)
    }

    /// Changes attributes; returns all as they are then.
    pub fn setattr(&self, handle: Handle, change: &SetAttr) -> Result<Attr, Errno> {
        let mut bits = 0;
        let mut given = |value: Option<u32>, bit: u32| {
            bits |= if value.is_some() { bit } else { 0 };
            value.unwrap_or(0)
        };
        let mode = given(change.mode, valid::MODE);
        let uid = given(change.uid, valid::UID);
        let gid = given(change.gid, valid::GID);
        let mut time = |time: SetTime, set: u32, now: u32| {
            bits |= match time {
                SetTime::Keep => 0,
                SetTime::Now => now,
                SetTime::At(_) => set,
            };
            match time {
                SetTime::At(at) => at,
                SetTime::Keep | SetTime::Now => Time::default(),
            }
        };
        let atime = time(change.atime, valid::ATIME, valid::ATIME_NOW);
        let mtime = time(change.mtime, valid::MTIME, valid::MTIME_NOW);
        if change.size.is_some() {
            bits |= valid::SIZE;
        }
        let request = request::SetAttr {
            handle,
            size: change.size.unwrap_or(0),
            atime,
            mtime,
            mode,
            uid,
            gid,
            valid: bits,
        };
        Ok(self.exchange.call(&request, &[])?.reply)
    }

    /// Undoes one [`Self::open`], or that a file was made open. With the last one the server
    /// closes the descriptor. The handle stays valid; forgetting it closes too.
    pub fn close(&self, handle: Handle) -> Result<(), Errno> {
        self.exchange
            .call(&request::Close { handle }, &[])
            .map(|_| ())
    }

    /// The target of a symbolic link, without NUL. `EINVAL` for other inodes.
    pub fn readlink(&self, handle: Handle) -> Result<Vec<u8>, Errno> {
        Ok(self
            .exchange
            .call(&request::Readlink { handle }, &[])?
            .tail())
    }

    /// Figures of the file system that the inode is on.
    pub fn statfs(&self, handle: Handle) -> Result<StatFs, Errno> {
        Ok(self
            .exchange
            .call(&request::StatFsOf { handle }, &[])?
            .reply)
    }
}
