use std::sync::Arc;

use syscalls::Fd;
use syscalls::errno::{EACCES, EAGAIN, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV};

use super::{mkdir, path_of, symlink, touch, walk};
use crate::fs::tmpfs;
use crate::task::{Credentials, UserIds};
use crate::testing;
use crate::vfs::mounting::Depth;
use crate::vfs::walk::Walking;
use crate::vfs::{Dentry, MountFlags};

#[test]
fn components() {
    let task = testing::kernel();
    mkdir(&task, "/a");
    mkdir(&task, "/a/b");
    touch(&task, "/a/b/file");
    let at = |path: &str| walk(&task, path).map(|l| path_of(&task, &l));
    assert_eq!(at("/"), Ok("/".into()));
    assert_eq!(at("a//b/./../b/file"), Ok("/a/b/file".into()));
    assert_eq!(at("/../../a"), Ok("/a".into()));
    assert_eq!(at("/a/"), Ok("/a".into()));
    assert_eq!(at("/a/b/file/"), Err(ENOTDIR));
    assert_eq!(at("/a/b/file/x"), Err(ENOTDIR));
    assert_eq!(at("/a/b/file/.."), Err(ENOTDIR));
    assert_eq!(at("/a/none/.."), Err(ENOENT));
    assert_eq!(at(""), Err(ENOENT));
    let long = "x".repeat(256);
    assert_eq!(at(&long), Err(ENAMETOOLONG));
    assert_eq!(at(&"x".repeat(255)), Err(ENOENT));
    assert_eq!(at(&"/".repeat(4095)), Ok("/".into()));
    assert_eq!(at(&"/".repeat(4096)), Err(ENAMETOOLONG));
}

#[test]
fn links() {
    let task = testing::kernel();
    mkdir(&task, "/dir");
    touch(&task, "/dir/file");
    symlink(&task, "/abs", "/dir");
    symlink(&task, "/dir/rel", "../dir/file");
    symlink(&task, "/slash", "dir/file/");
    symlink(&task, "/loop", "loop");
    symlink(&task, "/dangling", "none");
    let at = |path: &str| walk(&task, path).map(|l| path_of(&task, &l));
    assert_eq!(at("/abs/rel"), Ok("/dir/file".into()));
    assert_eq!(at("/abs/"), Ok("/dir".into()));
    assert_eq!(at("/slash"), Err(ENOTDIR));
    assert_eq!(at("/loop"), Err(ELOOP));
    assert_eq!(at("/loop/x"), Err(ELOOP));
    assert_eq!(at("/dangling"), Err(ENOENT));
    let last = task.walk(b"/abs/rel", Walking::empty());
    assert_eq!(last.map(|l| path_of(&task, &l)), Ok("/dir/rel".into()));
    // A slash follows even what would not be followed.
    let slash = task.walk(b"/abs/", Walking::empty());
    assert_eq!(slash.map(|l| path_of(&task, &l)), Ok("/dir".into()));
    // 40 links are followed, 41 are not.
    symlink(&task, "/l0", "/dir");
    for n in 1..=40 {
        symlink(&task, &format!("/l{n}"), &format!("l{}", n - 1));
    }
    assert_eq!(at("/l39"), Ok("/dir".into()));
    assert_eq!(at("/l40"), Err(ELOOP));
}

#[test]
fn search_permission() {
    let task = testing::kernel();
    mkdir(&task, "/open");
    let closed = mkdir(&task, "/closed");
    touch(&task, "/closed/file");
    super::super::attributes::change_mode(
        &task.creds.get(),
        &closed,
        crate::vfs::Mode::from_raw(0o700),
    )
    .expect("chmod");
    let user = Credentials {
        uid: UserIds::all(1000),
        gid: UserIds::all(1000),
        ..Credentials::default()
    };
    task.creds.set(Arc::new(user));
    assert!(walk(&task, "/closed").is_ok());
    assert_eq!(walk(&task, "/closed/file").err(), Some(EACCES));
    assert_eq!(walk(&task, "/closed/none").err(), Some(EACCES));
    assert_eq!(walk(&task, "/closed/.").err(), Some(EACCES));
    assert!(walk(&task, "/open/.").is_ok());
}

#[test]
fn mounts_are_crossed_both_ways() {
    let task = testing::kernel();
    let point = mkdir(&task, "/mnt");
    touch(&task, "/mnt/hidden");
    let tree = tmpfs::new(&task.kernel.memory, tmpfs::Options::default(), "second");
    let namespace = task.fs.get().mounts.get();
    namespace
        .mount(Dentry::root(tree), MountFlags::empty(), &point)
        .expect("mount");
    assert_eq!(walk(&task, "/mnt/hidden").err(), Some(ENOENT));
    touch(&task, "/mnt/inside");
    let inside = walk(&task, "/mnt/inside").expect("inside");
    assert_eq!(path_of(&task, &inside), "/mnt/inside");
    let up = walk(&task, "/mnt/..").expect("up");
    assert!(up.is_same(&task.root()));
    let no_cross = Walking::FOLLOW | Walking::NO_XDEV;
    assert_eq!(task.walk(b"/mnt", no_cross).err(), Some(EXDEV));
    let dot_dot = walk(&task, "/mnt").expect("mount");
    task.fs.get().cwd.set(dot_dot);
    assert_eq!(task.walk(b"..", no_cross).err(), Some(EXDEV));
    task.fs.get().cwd.set(task.root());
    // In use by `inside`; then not.
    let at = walk(&task, "/mnt").expect("mount");
    assert!(namespace.unmount(&at, Depth::One, 1).is_err());
    drop(inside);
    assert_eq!(namespace.unmount(&at, Depth::One, 1), Ok(()));
    assert!(walk(&task, "/mnt/hidden").is_ok());
}

#[test]
fn scoped_walks() {
    let task = testing::kernel();
    mkdir(&task, "/jail");
    mkdir(&task, "/jail/in");
    touch(&task, "/jail/in/file");
    symlink(&task, "/jail/in/abs", "/in/file");
    symlink(&task, "/jail/in/up", "../../etc");
    let jail = walk(&task, "/jail").expect("jail");
    task.fs.get().cwd.set(jail);
    let at = |path: &[u8], how| task.walk_at(Fd::CWD, path, how | Walking::FOLLOW);
    assert!(at(b"in/file", Walking::BENEATH).is_ok());
    assert_eq!(at(b"..", Walking::BENEATH).err(), Some(EXDEV));
    assert_eq!(at(b"/in", Walking::BENEATH).err(), Some(EXDEV));
    assert_eq!(at(b"in/abs", Walking::BENEATH).err(), Some(EXDEV));
    assert_eq!(at(b"in/up", Walking::BENEATH).err(), Some(EXDEV));
    assert!(at(b"in/abs", Walking::IN_ROOT).is_ok());
    assert!(at(b"/in/file", Walking::IN_ROOT).is_ok());
    assert_eq!(at(b"in/up", Walking::IN_ROOT).err(), Some(ENOENT));
    assert_eq!(at(b"in/abs", Walking::NO_SYMLINKS).err(), Some(ELOOP));
    assert_eq!(at(b"in/new", Walking::CACHED).err(), Some(EAGAIN));
}

#[test]
fn roots_hold() {
    let task = testing::kernel();
    mkdir(&task, "/new");
    mkdir(&task, "/new/sub");
    let outside = mkdir(&task, "/outside");
    let root = walk(&task, "/new").expect("new");
    task.fs.get().root.set(root);
    assert_eq!(walk(&task, "/../outside").err(), Some(ENOENT));
    assert_eq!(
        walk(&task, "/sub/../..").map(|l| path_of(&task, &l)),
        Ok("/".into())
    );
    assert!(!outside.path_text(&task.root()).reachable);
}
