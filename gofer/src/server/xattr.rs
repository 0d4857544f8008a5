//! Extended attributes. These calls want an open file or a path; the inode's path in
//! procfs serves where it cannot be opened (symbolic links, special files, no right to read).

use std::ffi::CStr;
use std::sync::Arc;

use rustix::fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr};
use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL, ERANGE};

use super::Files;
use super::confine::take_name;
use super::dispatch::Serve;
use super::node::Node;
use crate::host::HostResult;
use crate::wire::request::{self, Nothing};

/// The longest value, and the longest list of names.
const LONGEST: usize = 64 << 10;
/// What most fit in.
const SHORT: usize = 256;

/// An attribute's name: 1 to 255 bytes.
fn take_attribute<'a>(tail: &mut &'a [u8]) -> Result<&'a CStr, Errno> {
    let name = take_name(tail)?;
    match name.count_bytes() {
        1..=255 => Ok(name),
        _ => Err(EINVAL),
    }
}

fn only_attribute(mut tail: &[u8]) -> Result<&CStr, Errno> {
    let name = take_attribute(&mut tail)?;
    if tail.is_empty() {
        Ok(name)
    } else {
        Err(EINVAL)
    }
}

fn readable(files: &Files, handle: crate::Handle) -> Result<Arc<Node>, Errno> {
    let node = files.node(handle)?;
    if node.sealed { Err(EACCES) } else { Ok(node) }
}

/// Lets `read` fill `out`, first a short one: for a long one the host allocates and clears
/// as much of its own.
fn fill(
    out: &mut Vec<u8>,
    read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
) -> Result<Nothing, Errno> {
    for room in [SHORT, LONGEST] {
        out.resize(room, 0);
        match read(out.as_mut_slice()).host() {
            Err(ERANGE) if room == SHORT => {}
            result => {
                out.truncate(result?);
                break;
            }
        }
    }
    Ok(Nothing {})
}

impl Serve for request::GetXattr {
    fn serve(self, files: &Files, tail: &[u8], out: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let node = readable(files, self.handle)?;
        let name = only_attribute(tail)?;
        fill(out, |room| getxattr(node.proc_path(), name, room))
    }
}

impl Serve for request::SetXattr {
    fn serve(self, files: &Files, mut tail: &[u8], _: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let node = files.writable(self.handle)?;
        let name = take_attribute(&mut tail)?;
        let flags = match self.how {
            0 => XattrFlags::empty(),
            1 => XattrFlags::CREATE,
            2 => XattrFlags::REPLACE,
            _ => return Err(EINVAL),
        };
        setxattr(node.proc_path(), name, tail, flags).host()?;
        Ok(Nothing {})
    }
}

impl Serve for request::ListXattr {
    fn serve(self, files: &Files, _: &[u8], out: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let node = readable(files, self.handle)?;
        fill(out, |room| listxattr(node.proc_path(), room))
    }
}

impl Serve for request::RemoveXattr {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let node = files.writable(self.handle)?;
        removexattr(node.proc_path(), only_attribute(tail)?).host()?;
        Ok(Nothing {})
    }
}
