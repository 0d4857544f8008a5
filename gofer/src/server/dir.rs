//! Listings.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, OFlags, RawDir, RawDirEntry, SeekFrom, seek};
use syscalls::Errno;
use syscalls::errno::{EBADF, EINVAL, EMFILE};
use zerocopy::IntoBytes;

use super::Files;
use super::attr::{attributes, named_attributes};
use super::dispatch::Serve;
use super::node::Node;
use crate::host::HostResult;
use crate::types::dir::{HAS_ATTR, HAS_HANDLE, RawEntry};
use crate::wire::layout::BODY_SIZE;
use crate::wire::request::{self, ReaddirReply};
use crate::{Attr, Detail, Handle};

/// Bytes of one getdents64(2): small where entries grow a lot on their way, as only a batch
/// that surely fits is begun.
const NAMES_BATCH: usize = 16 << 10;
const DETAIL_BATCH: usize = 2 << 10;

/// Bytes on the wire, at most, of a batch with details or without. The smallest host entry
/// has 24 bytes; ours has up to 8 more, and the details.
const fn worst(batch: usize, detail: Detail) -> usize {
    let details = match detail {
        Detail::Names => 0,
        Detail::Attrs => size_of::<Attr>(),
        Detail::Handles => size_of::<Attr>() + size_of::<Handle>(),
    };
    batch + batch / 24 * (8 + details)
}

/// What entries may fill.
const ROOM: usize = BODY_SIZE - size_of::<ReaddirReply>();
const _: () = assert!(worst(NAMES_BATCH, Detail::Names) <= ROOM);
const _: () = assert!(worst(DETAIL_BATCH, Detail::Handles) <= ROOM);

impl Serve for request::Readdir {
    fn serve(self, files: &Files, _: &[u8], out: &mut Vec<u8>) -> Result<ReaddirReply, Errno> {
        let node = files.dir(self.handle)?;
        let detail = match self.detail {
            0 => Detail::Names,
            1 => Detail::Attrs,
            2 => Detail::Handles,
            _ => return Err(EINVAL),
        };
        if node.sealed {
            return Ok(ReaddirReply { end: 1 });
        }
        let mut listing = Listing {
            files,
            node: &node,
            detail,
            most: self.most,
            out,
        };
        let mut list = |dir: &OwnedFd, position: &mut u64| {
            if self.from == 0 || self.from != *position {
                *position = seek(dir, SeekFrom::Start(self.from)).host()?;
            }
            listing.fill(dir, position)
        };
        let end = match files.with_room(|| node.reader()) {
            Ok(_) => node.list(list)?,
            Err(EBADF) => list(&files.with_room(|| node.open_as(OFlags::RDONLY))?, &mut 0)?,
            Err(errno) => return Err(errno),
        };
        Ok(ReaddirReply {
            end: u64::from(end),
        })
    }
}

struct Listing<'a> {
    files: &'a Files,
    node: &'a Node,
    detail: Detail,
    /// No further batch after so many entries.
    most: u32,
    out: &'a mut Vec<u8>,
}

impl Listing<'_> {
    /// Fills the reply from where the directory stands; returns whether that was the rest.
    fn fill(&mut self, dir: &OwnedFd, position: &mut u64) -> Result<bool, Errno> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); NAMES_BATCH];
        let batch = match self.detail {
            Detail::Names => NAMES_BATCH,
            Detail::Attrs | Detail::Handles => DETAIL_BATCH,
        };
        let mut entries = RawDir::new(dir, &mut buffer[..batch]);
        let mut count = 0;
        while count < self.most && self.out.len() + worst(batch, self.detail) <= ROOM {
            loop {
                let entry = match entries.next() {
                    None => return Ok(true),
                    Some(Ok(entry)) => entry,
                    // What was listed before is told first; the error comes again.
                    Some(Err(_)) if !self.out.is_empty() => return Ok(false),
                    Some(Err(error)) => return Err(Errno::from_raw(error.raw_os_error())),
                };
                *position = entry.next_entry_cookie();
                self.add(&entry);
                count += 1;
                if entries.is_buffer_empty() {
                    break;
                }
            }
        }
        Ok(false)
    }

    fn add(&mut self, entry: &RawDirEntry<'_>) {
        let name = entry.file_name();
        let bytes = name.to_bytes();
        let (attr, handle) = self.details(name);
        let has = |present: bool, bit: u8| if present { bit } else { 0 };
        let raw = RawEntry {
            ino: entry.ino(),
            next: entry.next_entry_cookie(),
            name_len: u16::try_from(bytes.len()).unwrap_or(0),
            file_type: attr.map_or_else(|| raw_type(entry), |attr| attr.file_type().raw()),
            flags: has(attr.is_some(), HAS_ATTR) | has(handle.is_some(), HAS_HANDLE),
            pad: 0,
        };
        let out = &mut *self.out;
        out.extend_from_slice(raw.as_bytes());
        if let Some(attr) = attr {
            out.extend_from_slice(attr.as_bytes());
        }
        if let Some(handle) = handle {
            out.extend_from_slice(handle.as_bytes());
        }
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(8), 0);
    }

    /// What was asked for beyond the name. Nothing if the entry has gone meanwhile; no
    /// handle if there is no room for it.
    fn details(&self, name: &CStr) -> (Option<Attr>, Option<Handle>) {
        let itself = match (self.detail, name.to_bytes()) {
            (Detail::Names, _) => return (None, None),
            // The parent of a root is not the client's to see.
            (_, b"..") => return (None, None),
            (_, b".") => true,
            (Detail::Attrs, _) => false,
            (Detail::Handles, _) => {
                let child = self.files.lookup(self.node, name);
                match child.and_then(|child| self.files.hand_out(self.node.tree, child)) {
                    Ok((found, _)) => return (Some(found.attr), Some(found.handle)),
                    Err(EMFILE) => false,
                    Err(_) => return (None, None),
                }
            }
        };
        let dir = self.node.path();
        let attr = if itself {
            attributes(dir)
        } else {
            named_attributes(dir, name, AtFlags::empty())
        };
        (attr.ok(), None)
    }
}

fn raw_type(entry: &RawDirEntry<'_>) -> u8 {
    use rustix::fs::FileType as Host;
    let file_type = match entry.file_type() {
        Host::RegularFile => crate::FileType::Regular,
        Host::Directory => crate::FileType::Directory,
        Host::Symlink => crate::FileType::Symlink,
        Host::Fifo => crate::FileType::Fifo,
        Host::Socket => crate::FileType::Socket,
        Host::CharacterDevice => crate::FileType::CharDevice,
        Host::BlockDevice => crate::FileType::BlockDevice,
        Host::Unknown => crate::FileType::Unknown,
    };
    file_type.raw()
}
