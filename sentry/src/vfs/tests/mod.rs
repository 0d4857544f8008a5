//! Walks, names and open files on a tmpfs.

mod names;
mod open;
mod paths;
mod replay;
mod speed;

use std::sync::Arc;

use syscalls::Fd;

use super::walk::Walking;
use super::{File, Location, Mode, NewNode};
use crate::task::Current;
use crate::vfs::open::Opening;
use syscalls::abi::fs::OpenFlags;
use syscalls::{Errno, Stop};

fn mkdir(task: &Current, path: &str) -> Location {
    let mode = Mode::from_raw(0o755);
    task.make_node(Fd::CWD, path.as_bytes(), NewNode::Directory, mode)
        .expect(path)
}

fn touch(task: &Current, path: &str) -> Location {
    let mode = Mode::from_raw(0o644);
    task.make_node(Fd::CWD, path.as_bytes(), NewNode::Regular, mode)
        .expect(path)
}

fn symlink(task: &Current, path: &str, target: &str) {
    task.make_symlink(Fd::CWD, path.as_bytes(), target.as_bytes())
        .expect(path);
}

fn walk(task: &Current, path: &str) -> Result<Location, Errno> {
    task.walk(path.as_bytes(), Walking::FOLLOW)
}

fn open(task: &Current, path: &str, flags: OpenFlags, mode: u32) -> Result<Arc<File>, Errno> {
    let opening = Opening::lenient(flags, mode)?;
    task.open_at(Fd::CWD, path.as_bytes(), &opening)
        .map_err(|stop| match stop {
            Stop::Errno(errno) => errno,
            other => panic!("{other:?}"),
        })
}

fn path_of(task: &Current, at: &Location) -> String {
    String::from_utf8(at.path(&task.root())).expect("text")
}
