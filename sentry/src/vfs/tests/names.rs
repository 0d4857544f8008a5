use std::sync::Arc;

use syscalls::Fd;
use syscalls::errno::{EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV};

use super::{mkdir, path_of, symlink, touch, walk};
use crate::fs::tmpfs;
use crate::task::Current;
use crate::testing;
use crate::vfs::rename::End;
use crate::vfs::walk::Walking;
use crate::vfs::{Dentry, Mode, MountFlags, NewNode, RenameMode};
use syscalls::Errno;

fn rename(task: &Current, old: &str, new: &str, mode: RenameMode) -> Result<(), Errno> {
    let end = |path| End {
        dirfd: Fd::CWD,
        path: str::as_bytes(path),
    };
    task.rename(&end(old), &end(new), mode)
}

fn mv(task: &Current, old: &str, new: &str) -> Result<(), Errno> {
    rename(task, old, new, RenameMode::Replace)
}

fn unlink(task: &Current, path: &str) -> Result<(), Errno> {
    task.remove_file(Fd::CWD, path.as_bytes())
}

fn rmdir(task: &Current, path: &str) -> Result<(), Errno> {
    task.remove_directory(Fd::CWD, path.as_bytes())
}

fn link(task: &Current, old: &str, new: &str) -> Result<(), Errno> {
    let old = task.walk(old.as_bytes(), Walking::empty())?;
    task.make_link(&old, Fd::CWD, new.as_bytes())
}

fn make(task: &Current, path: &str, node: NewNode<'_>) -> Option<Errno> {
    task.make_node(Fd::CWD, path.as_bytes(), node, Mode::RWX_ALL)
        .err()
}

#[test]
fn creating() {
    let task = testing::kernel();
    mkdir(&task, "/d");
    touch(&task, "/f");
    assert_eq!(make(&task, "/d", NewNode::Directory), Some(EEXIST));
    assert_eq!(make(&task, "/", NewNode::Directory), Some(EEXIST));
    assert_eq!(make(&task, "/d/.", NewNode::Directory), Some(EEXIST));
    assert_eq!(make(&task, "/new/", NewNode::Regular), Some(ENOENT));
    assert_eq!(make(&task, "/new/", NewNode::Directory), None);
    assert_eq!(make(&task, "/f/x", NewNode::Regular), Some(ENOTDIR));
    assert_eq!(make(&task, "/none/x", NewNode::Regular), Some(ENOENT));
}

#[test]
fn removing() {
    let task = testing::kernel();
    mkdir(&task, "/d");
    let file = touch(&task, "/d/f");
    assert_eq!(rmdir(&task, "/d"), Err(ENOTEMPTY));
    assert_eq!(unlink(&task, "/d"), Err(EISDIR));
    assert_eq!(rmdir(&task, "/d/f"), Err(ENOTDIR));
    assert_eq!(unlink(&task, "/d/f/"), Err(ENOTDIR));
    assert_eq!(unlink(&task, "/d/"), Err(EISDIR));
    assert_eq!(rmdir(&task, "/d/."), Err(EINVAL));
    assert_eq!(rmdir(&task, "/d/.."), Err(ENOTEMPTY));
    assert_eq!(rmdir(&task, "/"), Err(EBUSY));
    assert_eq!(unlink(&task, "/d/none"), Err(ENOENT));
    assert_eq!(unlink(&task, "/d/f"), Ok(()));
    assert_eq!(path_of(&task, &file), "/d/f (deleted)");
    assert_eq!(unlink(&task, "/d/f"), Err(ENOENT));
    let dir = walk(&task, "/d").expect("d");
    assert_eq!(rmdir(&task, "/d/"), Ok(()));
    // Nothing can be made in what is gone.
    task.fs.get().cwd.set(dir);
    assert_eq!(make(&task, "x", NewNode::Regular), Some(ENOENT));
    assert!(walk(&task, "..").is_ok());
    assert_eq!(walk(&task, "x").err(), Some(ENOENT));
}

#[test]
fn renaming() {
    let task = testing::kernel();
    mkdir(&task, "/a");
    mkdir(&task, "/a/b");
    mkdir(&task, "/c");
    let file = touch(&task, "/a/b/f");
    assert_eq!(mv(&task, "/a", "/a/b/x"), Err(EINVAL));
    assert_eq!(mv(&task, "/a/b/f", "/a"), Err(ENOTEMPTY));
    assert_eq!(mv(&task, "/a/b/f", "/c"), Err(EISDIR));
    assert_eq!(mv(&task, "/c", "/a/b/f"), Err(ENOTDIR));
    assert_eq!(mv(&task, "/a/b/f", "/x/"), Err(ENOTDIR));
    assert_eq!(mv(&task, "/a/.", "/x"), Err(EBUSY));
    assert_eq!(mv(&task, "/none", "/x"), Err(ENOENT));
    assert_eq!(mv(&task, "/a/b", "/c"), Ok(()));
    assert_eq!(path_of(&task, &file), "/c/f");
    assert!(walk(&task, "/c/f").is_ok());
    assert_eq!(walk(&task, "/a/b").err(), Some(ENOENT));
    assert_eq!(mv(&task, "/c/f", "/c/f"), Ok(()));
    let other = touch(&task, "/other");
    assert_eq!(mv(&task, "/c/f", "/other"), Ok(()));
    assert!(other.dentry.is_deleted());
    assert_eq!(path_of(&task, &file), "/other");
    assert_eq!(
        rename(&task, "/c", "/a", RenameMode::NoReplace),
        Err(EEXIST)
    );
    assert_eq!(
        rename(&task, "/c", "/none", RenameMode::Exchange),
        Err(ENOENT)
    );
    let (a, c) = (walk(&task, "/a").unwrap(), walk(&task, "/c").unwrap());
    assert_eq!(rename(&task, "/a", "/c", RenameMode::Exchange), Ok(()));
    assert_eq!(path_of(&task, &a), "/c");
    assert_eq!(path_of(&task, &c), "/a");
    assert!(Arc::ptr_eq(&walk(&task, "/c").unwrap().dentry, &a.dentry));
}

#[test]
fn links_are_one_file() {
    let task = testing::kernel();
    let file = touch(&task, "/f");
    mkdir(&task, "/d");
    assert_eq!(link(&task, "/f", "/d/g"), Ok(()));
    let again = walk(&task, "/d/g").expect("g");
    assert!(Arc::ptr_eq(again.inode(), file.inode()));
    assert_eq!(file.inode().attr().unwrap().nlink, 2);
    // Both names are one file: nothing happens.
    assert_eq!(mv(&task, "/f", "/d/g"), Ok(()));
    assert!(walk(&task, "/f").is_ok());
    assert_eq!(link(&task, "/f", "/d/g"), Err(EEXIST));
    assert_eq!(link(&task, "/d", "/e"), Err(EPERM));
    symlink(&task, "/s", "f");
    assert_eq!(link(&task, "/s", "/t"), Ok(()));
    assert_eq!(unlink(&task, "/f"), Ok(()));
    assert_eq!(file.inode().attr().unwrap().nlink, 1);
    assert!(walk(&task, "/d/g").is_ok());
}

#[test]
fn mount_points_stay() {
    let task = testing::kernel();
    let point = mkdir(&task, "/mnt");
    mkdir(&task, "/x");
    let tree = tmpfs::new(&task.kernel.memory, tmpfs::Options::default(), "second");
    let namespace = task.fs.get().mounts.get();
    namespace
        .mount(Dentry::root(tree), MountFlags::empty(), &point)
        .expect("mount");
    assert_eq!(rmdir(&task, "/mnt"), Err(EBUSY));
    assert_eq!(mv(&task, "/mnt", "/y"), Err(EBUSY));
    assert_eq!(mv(&task, "/x", "/mnt"), Err(EBUSY));
    assert_eq!(mv(&task, "/x", "/mnt/x"), Err(EXDEV));
    touch(&task, "/f");
    assert_eq!(link(&task, "/f", "/mnt/f"), Err(EXDEV));
    let info = String::from_utf8(namespace.mountinfo_text(&task.root())).unwrap();
    assert_eq!(info.lines().count(), 2, "{info}");
    assert!(info.contains(" / /mnt rw - tmpfs second rw"), "{info}");
}

#[test]
fn deep_trees_go_quietly() {
    let task = testing::kernel();
    for _ in 0..20_000 {
        let next = mkdir(&task, "d");
        task.fs.get().cwd.set(next);
    }
    for _ in 0..20_000 {
        let up = walk(&task, "..").expect("up");
        task.fs.get().cwd.set(up);
        assert_eq!(rmdir(&task, "d"), Ok(()));
    }
    let mut at = task.root();
    for _ in 0..20_000 {
        task.fs.get().cwd.set(at);
        at = mkdir(&task, "d");
    }
    drop(task);
    drop(at);
}

#[test]
fn cached_names_are_bounded() {
    let task = testing::kernel();
    for n in 0..40_000 {
        touch(&task, &format!("/f{n}"));
    }
    for n in 0..40_000 {
        assert!(walk(&task, &format!("/f{n}")).is_ok());
        assert_eq!(walk(&task, &format!("/n{n}")).err(), Some(ENOENT));
    }
}
