//! Data of files: open, close, transfers, fsync, fallocate, seek.

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, OFlags, SeekFrom, fallocate, fdatasync, fsync, seek};
use syscalls::Errno;
use syscalls::errno::EINVAL;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::Files;
use super::attr::attributes;
use super::confine::only_name;
use super::dispatch::Serve;
use super::node::Node;
use crate::host::HostResult;
use crate::wire::request::{self, Count, NOT_READ, Nothing, Opened};
use crate::{Access, Attr, Client, Segment};

impl Serve for request::Open {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<Opened, Errno> {
        let access = match self.access {
            1 => Access::Read,
            2 => Access::Write,
            3 => Access::ReadWrite,
            _ => return Err(EINVAL),
        };
        let mut opened = Opened {
            node: FromZeros::new_zeroed(),
            bytes: 0,
            errno: 0,
            pad: 0,
        };
        if tail.is_empty() {
            let node = files.node(self.handle)?;
            opened.bytes = self.open(files, &node, access)?;
            return Ok(opened);
        }
        let dir = files.dir(self.handle)?;
        let found = files.lookup(&dir, only_name(tail)?)?;
        let (found, node) = files.hand_out(dir.tree, found)?;
        opened.node = found;
        match self.open(files, &node, access) {
            Ok(bytes) => opened.bytes = bytes,
            Err(errno) => opened.errno = u32::from(errno.raw()),
        }
        Ok(opened)
    }
}

impl request::Open {
    /// Opens `node` and reads what is wanted; returns how much that was.
    fn open(&self, files: &Files, node: &Node, access: Access) -> Result<u64, Errno> {
        if access.writes() {
            files.check_writable(node)?;
        }
        files.with_room(|| node.open(access))?;
        if self.len == 0 {
            return Ok(0);
        }
        let beginning = Segment {
            file_pos: 0,
            mem_offset: self.mem_offset,
            len: self.len,
        };
        let read = segments(beginning.as_bytes()).and_then(|list| read(files, node, &list));
        Ok(read.map_or(NOT_READ, |count| count.bytes))
    }
}

impl Serve for request::Close {
    fn serve(self, files: &Files, _: &[u8], _: &mut Vec<u8>) -> Result<Nothing, Errno> {
        files.node(self.handle)?.close();
        Ok(Nothing {})
    }
}

/// The segments of a transfer, checked: their number and their sum are bounded, and no
/// range wraps.
fn segments(tail: &[u8]) -> Result<Vec<Segment>, Errno> {
    let chunks = tail.chunks_exact(size_of::<Segment>());
    if !chunks.remainder().is_empty() || chunks.len() > Client::MAX_SEGMENTS {
        return Err(EINVAL);
    }
    let mut total: u64 = 0;
    chunks
        .map(|bytes| {
            let segment = Segment::read_from_bytes(bytes).map_err(|_| EINVAL)?;
            let Segment {
                file_pos,
                mem_offset,
                len,
            } = segment;
            total = total.checked_add(len).ok_or(EINVAL)?;
            let wraps = |start: u64| start.checked_add(len).is_none_or(|end| end > MAX_OFFSET);
            if total > Client::MAX_TRANSFER || wraps(file_pos) || wraps(mem_offset) {
                return Err(EINVAL);
            }
            Ok(segment)
        })
        .collect()
}

/// The largest `loff_t`.
const MAX_OFFSET: u64 = u64::MAX >> 1;

/// Moves segments one after the other. `one(file position, memory offset, bytes)` says how
/// many it moved, 0 at the end.
fn transfer(
    segments: &[Segment],
    one: impl Fn(u64, u64, usize) -> Result<usize, Errno>,
) -> Result<Count, Errno> {
    let mut total: u64 = 0;
    for segment in segments {
        let mut done: u64 = 0;
        while done < segment.len {
            let left = usize::try_from(segment.len - done).map_err(|_| EINVAL)?;
            match one(segment.file_pos + done, segment.mem_offset + done, left) {
                // A short count need not be the end.
                Ok(moved @ 1..) => done += u64::try_from(moved.min(left)).unwrap_or(0),
                Ok(0) => {
                    return Ok(Count {
                        bytes: total + done,
                    });
                }
                Err(errno) if total + done == 0 => return Err(errno),
                Err(_) => {
                    return Ok(Count {
                        bytes: total + done,
                    });
                }
            }
        }
        total += done;
    }
    Ok(Count { bytes: total })
}

fn read(files: &Files, node: &Node, segments: &[Segment]) -> Result<Count, Errno> {
    let file = files.with_room(|| node.reader())?;
    transfer(segments, |pos, offset, len| {
        files.memory.read_from_host(file.as_fd(), pos, offset, len)
    })
}

impl Serve for request::ReadInto {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<Count, Errno> {
        let node = files.node(self.handle)?;
        read(files, &node, &segments(tail)?)
    }
}

impl Serve for request::WriteFrom {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<Count, Errno> {
        let node = files.writable(self.handle)?;
        let file = files.with_room(|| node.writer())?;
        transfer(&segments(tail)?, |pos, offset, len| {
            files.memory.write_to_host(file.as_fd(), pos, offset, len)
        })
    }
}

/// Any descriptor for data: an open one, or a new one.
fn any_data(files: &Files, node: &Node) -> Result<Arc<std::os::fd::OwnedFd>, Errno> {
    node.writer()
        .or_else(|_| node.reader())
        .or_else(|_| files.with_room(|| node.open_as(OFlags::RDONLY).map(Arc::new)))
}

impl Serve for request::Fsync {
    fn serve(self, files: &Files, _: &[u8], _: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let node = files.node(self.handle)?;
        let file = any_data(files, &node)?;
        match self.data_only {
            0 => fsync(file).host()?,
            1 => fdatasync(file).host()?,
            _ => return Err(EINVAL),
        }
        Ok(Nothing {})
    }
}

impl Serve for request::Fallocate {
    fn serve(self, files: &Files, _: &[u8], _: &mut Vec<u8>) -> Result<Attr, Errno> {
        let node = files.writable(self.handle)?;
        let file = files.with_room(|| node.writer())?;
        let mode = FallocateFlags::from_bits_retain(self.mode);
        fallocate(file, mode, self.offset, self.len).host()?;
        attributes(node.path())
    }
}

impl Serve for request::SeekTo {
    fn serve(self, files: &Files, _: &[u8], _: &mut Vec<u8>) -> Result<Count, Errno> {
        let node = files.node(self.handle)?;
        let file = files.with_room(|| node.reader())?;
        if self.pos > MAX_OFFSET {
            return Err(EINVAL);
        }
        // The descriptor's own position means nothing to anybody.
        let to = match self.whence {
            0 => SeekFrom::Data(self.pos),
            1 => SeekFrom::Hole(self.pos),
            _ => return Err(EINVAL),
        };
        let bytes = seek(file, to).host()?;
        Ok(Count { bytes })
    }
}
