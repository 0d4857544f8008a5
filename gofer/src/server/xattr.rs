//! Extended attributes. These calls want an open file or a path; the inode's path in
//! procfs serves where it cannot be opened (symbolic links, special files, no right to read).

use rustix::fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr};
use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL};

use super::Files;
use super::confine::take_name;
use super::dispatch::Serve;
use super::node::Node;
use crate::host::HostResult;
use crate::wire::request::{self, Nothing};
use std::ffi::CStr;
use std::sync::Arc;

/// The longest value, and the longest list of names.
const LONGEST: usize = 64 << 10;

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

impl Serve for request::GetXattr {
    fn serve(self, files: &Files, tail: &[u8], out: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let node = readable(files, self.handle)?;
        let name = only_attribute(tail)?;
        out.resize(LONGEST, 0);
        let len = getxattr(node.proc_path(), name, out.as_mut_slice()).host()?;
        out.truncate(len);
        Ok(Nothing {})
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
        out.resize(LONGEST, 0);
        let len = listxattr(node.proc_path(), out.as_mut_slice()).host()?;
        out.truncate(len);
        Ok(Nothing {})
    }
}

impl Serve for request::RemoveXattr {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let node = files.writable(self.handle)?;
        removexattr(node.proc_path(), only_attribute(tail)?).host()?;
        Ok(Nothing {})
    }
}
