//! Changing names: link, unlink, rmdir, rename. None of the host's calls follows a
//! symbolic link in the last component, and there is no other component.

use rustix::fs::{AtFlags, CWD, RenameFlags, linkat, renameat_with, unlinkat};
use syscalls::Errno;
use syscalls::errno::{EINVAL, EXDEV};

use super::Files;
use super::attr::attributes;
use super::confine::{only_name, take_name};
use super::dispatch::Serve;
use crate::Attr;
use crate::host::HostResult;
use crate::wire::name;
use crate::wire::request::{self, Nothing};

impl Serve for request::Link {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<Attr, Errno> {
        let node = files.writable(self.handle)?;
        let dir = files.writable_dir(self.dir)?;
        let name = only_name(tail)?;
        if node.tree != dir.tree {
            return Err(EXDEV);
        }
        // Follows the descriptor's own link in procfs, no further.
        let flags = AtFlags::SYMLINK_FOLLOW;
        linkat(CWD, node.proc_path(), dir.path(), name, flags).host()?;
        attributes(node.path())
    }
}

impl Serve for request::Unlink {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let dir = files.writable_dir(self.dir)?;
        unlinkat(dir.path(), only_name(tail)?, AtFlags::empty()).host()?;
        Ok(Nothing {})
    }
}

impl Serve for request::Rmdir {
    fn serve(self, files: &Files, tail: &[u8], _: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let dir = files.writable_dir(self.dir)?;
        unlinkat(dir.path(), only_name(tail)?, AtFlags::REMOVEDIR).host()?;
        Ok(Nothing {})
    }
}

impl Serve for request::Rename {
    fn serve(self, files: &Files, mut tail: &[u8], _: &mut Vec<u8>) -> Result<Nothing, Errno> {
        let old_dir = files.writable_dir(self.old_dir)?;
        let new_dir = files.writable_dir(self.new_dir)?;
        let old = take_name(&mut tail)?;
        name::check(old.to_bytes())?;
        let new = only_name(tail)?;
        let flags = match self.how {
            0 => RenameFlags::empty(),
            1 => RenameFlags::NOREPLACE,
            2 => RenameFlags::EXCHANGE,
            _ => return Err(EINVAL),
        };
        if old_dir.tree != new_dir.tree {
            return Err(EXDEV);
        }
        renameat_with(old_dir.path(), old, new_dir.path(), new, flags).host()?;
        Ok(Nothing {})
    }
}
