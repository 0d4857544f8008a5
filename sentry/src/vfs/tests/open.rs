use std::sync::Arc;

use syscalls::abi::fs::OpenFlags;
use syscalls::errno::{EACCES, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ETXTBSY};

use super::{mkdir, open, path_of, symlink, touch, walk};
use crate::task::{Credentials, UserIds};
use crate::testing;
use crate::vfs::transfer::At;
use crate::vfs::{DenyWrite, Sink, Source};

const CREATE: OpenFlags = OpenFlags::CREAT.union(OpenFlags::RDWR);

#[test]
fn creating_and_not() {
    let task = testing::kernel();
    mkdir(&task, "/d");
    symlink(&task, "/d/link", "target");
    symlink(&task, "/dir", "d");
    let file = open(&task, "/d/f", CREATE, 0o666).expect("new");
    assert_eq!(file.inode().attr().unwrap().mode.bits(), 0o644);
    let exclusive = CREATE | OpenFlags::EXCL;
    assert_eq!(open(&task, "/d/f", exclusive, 0).err(), Some(EEXIST));
    assert_eq!(open(&task, "/d/link", exclusive, 0).err(), Some(EEXIST));
    assert_eq!(open(&task, "/d", CREATE, 0).err(), Some(EISDIR));
    assert_eq!(open(&task, "/d/new/", CREATE, 0).err(), Some(EISDIR));
    assert_eq!(open(&task, "/d/..", CREATE, 0).err(), Some(EISDIR));
    assert_eq!(open(&task, "/none/x", CREATE, 0).err(), Some(ENOENT));
    // A dangling link leads to where the file is made.
    let made = open(&task, "/dir/link", CREATE, 0o600).expect("target");
    assert_eq!(path_of(&task, &made.location), "/d/target");
    let read = OpenFlags::empty();
    let nofollow = OpenFlags::NOFOLLOW;
    assert_eq!(open(&task, "/d/link", nofollow, 0).err(), Some(ELOOP));
    assert_eq!(
        open(&task, "/d/link", nofollow | OpenFlags::DIRECTORY, 0).err(),
        Some(ENOTDIR)
    );
    let link = open(&task, "/d/link", nofollow | OpenFlags::PATH, 0).expect("link");
    assert_eq!(path_of(&task, &link.location), "/d/link");
    assert_eq!(open(&task, "/d", OpenFlags::RDWR, 0).err(), Some(EISDIR));
    assert!(open(&task, "/d", read, 0).is_ok());
    let both = OpenFlags::CREAT | OpenFlags::DIRECTORY;
    assert_eq!(open(&task, "/d", both, 0).err(), Some(EINVAL));
}

#[test]
fn reading_and_writing() {
    let task = testing::kernel();
    let file = open(&task, "/f", CREATE, 0o600).expect("f");
    let write = |bytes: &[u8], at, append| {
        let mut source = Source::kernel(bytes);
        file.write_once(&mut source, at, append, None)
    };
    assert_eq!(write(b"hello", At::Position, false), Ok(5));
    assert_eq!(write(b"J", At::Offset(0), false), Ok(1));
    assert_eq!(write(b"!", At::Offset(0), true), Ok(1));
    assert_eq!(*file.offset.lock(), 5);
    let mut buffer = [0; 16];
    let mut sink = Sink::kernel(&mut buffer);
    assert_eq!(file.read_once(&mut sink, At::Offset(0)), Ok(6));
    assert_eq!(&buffer[..6], b"Jello!");
    let truncated = open(&task, "/f", OpenFlags::RDWR | OpenFlags::TRUNC, 0).expect("f");
    assert_eq!(truncated.inode().attr().unwrap().size, 0);
}

#[test]
fn unnamed_files() {
    let task = testing::kernel();
    let flags = OpenFlags::TMPFILE | OpenFlags::RDWR;
    let file = open(&task, "/", flags, 0o600).expect("tmpfile");
    assert!(path_of(&task, &file.location).ends_with("(deleted)"));
    task.make_link(&file.location, syscalls::Fd::CWD, b"/named")
        .expect("link");
    let named = walk(&task, "/named").expect("named");
    assert!(Arc::ptr_eq(named.inode(), file.inode()));
    let exclusive = open(&task, "/", flags | OpenFlags::EXCL, 0o600).expect("tmpfile");
    assert_eq!(
        task.make_link(&exclusive.location, syscalls::Fd::CWD, b"/x"),
        Err(ENOENT)
    );
    assert_eq!(open(&task, "/", OpenFlags::TMPFILE, 0).err(), Some(EINVAL));
}

#[test]
fn run_or_written() {
    let task = testing::kernel();
    let at = touch(&task, "/prog");
    let running = DenyWrite::take(at.inode()).expect("deny");
    assert_eq!(
        open(&task, "/prog", OpenFlags::RDWR, 0).err(),
        Some(ETXTBSY)
    );
    let trunc = OpenFlags::TRUNC;
    assert_eq!(open(&task, "/prog", trunc, 0).err(), Some(ETXTBSY));
    drop(running);
    let writer = open(&task, "/prog", OpenFlags::WRONLY, 0).expect("writer");
    assert_eq!(DenyWrite::take(at.inode()).err(), Some(ETXTBSY));
    drop(writer);
    assert!(DenyWrite::take(at.inode()).is_ok());
}

#[test]
fn permission_is_asked_for_once() {
    let task = testing::kernel();
    open(&task, "/secret", CREATE, 0o600).expect("secret");
    let user = Credentials {
        uid: UserIds::all(1000),
        gid: UserIds::all(1000),
        ..Credentials::default()
    };
    task.creds.set(Arc::new(user));
    assert_eq!(
        open(&task, "/secret", OpenFlags::empty(), 0).err(),
        Some(EACCES)
    );
    // What one creates one may use as asked, whatever the mode says.
    let mine = open(&task, "/mine", CREATE, 0o000).expect("mine");
    assert!(mine.mode().writes());
    assert_eq!(open(&task, "/mine", CREATE, 0).err(), Some(EACCES));
}
