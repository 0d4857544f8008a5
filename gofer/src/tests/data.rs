//! Transfers between host files and the memory file.

use std::os::unix::fs::{FileExt, symlink};

use syscalls::errno::{EBADF, EFAULT, EINVAL, EISDIR, ENOENT, ENXIO};

use super::{Rig, me};
use crate::{Access, Beginning, Client, FallocateMode, Fsync, Handle, Seek, Segment};

fn segment(file_pos: u64, mem_offset: u64, len: u64) -> Segment {
    Segment {
        file_pos,
        mem_offset,
        len,
    }
}

fn opened(rig: &Rig, access: Access) -> Handle {
    let (file, _) = rig.find("f");
    rig.client.open(file, access).unwrap();
    file
}

#[test]
fn segments_of_a_file_arrive() {
    let rig = Rig::new();
    let content: Vec<u8> = (0..10_000u32).map(|i| (i % 251) as u8).collect();
    std::fs::write(rig.path("f"), &content).unwrap();
    let file = opened(&rig, Access::Read);
    let c = &rig.client;
    let parts = [
        segment(0, 8192, 4096),
        segment(4096, 0, 4096),
        segment(8192, 40_960, 4096),
    ];
    assert_eq!(c.read_into(file, &parts).unwrap(), 10_000);
    assert_eq!(rig.bytes(8192, 4096), &content[..4096]);
    assert_eq!(rig.bytes(0, 4096), &content[4096..8192]);
    assert_eq!(rig.bytes(40_960, 1808), &content[8192..]);
    assert_eq!(c.read_into(file, &[segment(20_000, 0, 10)]).unwrap(), 0);
    assert_eq!(c.read_into(file, &[]).unwrap(), 0);
    assert_eq!(c.write_from(file, &[segment(0, 0, 1)]), Err(EBADF));
    c.open(file, Access::Read).unwrap();
    c.close(file).unwrap();
    assert_eq!(c.read_into(file, &parts).unwrap(), 10_000, "opened twice");
    c.close(file).unwrap();
    assert_eq!(c.read_into(file, &parts), Err(EBADF));
    rig.finish();
}

#[test]
fn writing_after_reading_shares_what_is_there() {
    let rig = Rig::new();
    std::fs::write(rig.path("f"), "0123456789").unwrap();
    let file = opened(&rig, Access::Read);
    let c = &rig.client;
    c.open(file, Access::Write).unwrap();
    rig.memory.write(4096, b"abc").unwrap();
    rig.memory.write(9000, b"XY").unwrap();
    let parts = [segment(2, 4096, 3), segment(12, 9000, 2)];
    assert_eq!(c.write_from(file, &parts).unwrap(), 5);
    assert_eq!(std::fs::read(rig.path("f")).unwrap(), b"01abc56789\0\0XY");
    assert_eq!(c.read_into(file, &[segment(0, 0, 100)]).unwrap(), 14);
    assert_eq!(rig.bytes(0, 5), b"01abc");
    c.fsync(file, Fsync::All).unwrap();
    c.fsync(rig.root, Fsync::Data).unwrap();
    rig.finish();
}

#[test]
fn new_files_are_open() {
    let rig = Rig::new();
    let (file, _) = rig.client.create(rig.root, b"f", 0o000, me()).unwrap();
    rig.memory.write(0, b"data").unwrap();
    assert_eq!(rig.client.write_from(file, &[segment(0, 0, 4)]).unwrap(), 4);
    assert_eq!(
        rig.client.read_into(file, &[segment(0, 4096, 9)]).unwrap(),
        4
    );
    assert_eq!(rig.bytes(4096, 4), b"data");
    rig.client.unlink(rig.root, b"f").unwrap();
    assert_eq!(
        rig.client.read_into(file, &[segment(0, 4096, 9)]).unwrap(),
        4
    );
    rig.finish();
}

#[test]
fn bounds() {
    let rig = Rig::new();
    std::fs::write(rig.path("f"), "0123456789").unwrap();
    let file = opened(&rig, Access::ReadWrite);
    let c = &rig.client;
    let beyond = rig.memory.limit();
    for part in [segment(0, beyond, 10), segment(0, u64::MAX / 2 - 100, 10)] {
        let errno = c.read_into(file, &[part]).unwrap_err();
        assert!([EFAULT, EINVAL].contains(&errno), "{errno:?}");
        let errno = c.write_from(file, &[part]).unwrap_err();
        assert!([EFAULT, EINVAL].contains(&errno), "{errno:?}");
    }
    for part in [
        segment(u64::MAX, 0, 10),
        segment(0, u64::MAX, 10),
        segment(0, 0, u64::MAX),
        segment(i64::MAX.cast_unsigned(), 0, 1),
        segment(0, 0, Client::MAX_TRANSFER + 1),
    ] {
        assert_eq!(c.read_into(file, &[part]), Err(EINVAL), "{part:?}");
        assert_eq!(c.write_from(file, &[part]), Err(EINVAL), "{part:?}");
    }
    let many = vec![segment(0, 0, 1); Client::MAX_SEGMENTS + 1];
    assert_eq!(c.read_into(file, &many), Err(EINVAL));
    assert_eq!(c.read_into(file, &many[1..]).unwrap(), 1024);
    assert_eq!(std::fs::read(rig.path("f")).unwrap(), b"0123456789");
    rig.finish();
}

#[test]
fn allocation_and_holes() {
    let rig = Rig::new();
    let host = rig.file("f");
    host.write_at(b"x", 1 << 20).unwrap();
    let file = opened(&rig, Access::ReadWrite);
    let c = &rig.client;
    assert_eq!(c.seek(file, 0, Seek::Hole).unwrap(), 0);
    let data = c.seek(file, 0, Seek::Data).unwrap();
    assert!(data <= 1 << 20);
    assert_eq!(c.seek(file, 2 << 20, Seek::Data), Err(ENXIO));
    let attr = c.fallocate(file, FallocateMode::empty(), 0, 3 << 20);
    assert_eq!(attr.unwrap().size, 3 << 20);
    let punch = FallocateMode::PUNCH_HOLE | FallocateMode::KEEP_SIZE;
    let attr = c.fallocate(file, punch, 1 << 20, 4096).unwrap();
    assert_eq!(attr.size, 3 << 20);
    let mut byte = [9];
    host.read_at(&mut byte, 1 << 20).unwrap();
    assert_eq!(byte, [0]);
    rig.finish();
}

#[test]
fn only_files_and_directories_are_opened() {
    let rig = Rig::new();
    symlink("/dev/null", rig.path("l")).unwrap();
    let c = &rig.client;
    c.mknod(rig.root, b"p", 0o010_666, 0, me()).unwrap();
    for name in ["l", "p"] {
        assert_eq!(c.open(rig.find(name).0, Access::Read), Err(ENXIO));
    }
    if c.mknod(rig.root, b"null", 0o020_666, 0x103, me()).is_ok() {
        assert_eq!(c.open(rig.find("null").0, Access::Read), Err(ENXIO));
    }
    assert_eq!(c.open(rig.root, Access::Write), Err(EISDIR));
    assert_eq!(c.open(rig.root, Access::ReadWrite), Err(EISDIR));
    rig.finish();
}

#[test]
fn the_beginning_comes_with_opening() {
    let rig = Rig::new();
    std::fs::write(rig.path("f"), "beginning").unwrap();
    let c = &rig.client;
    let to = Beginning {
        mem_offset: 8192,
        len: 4096,
    };
    let opened = c.open_child(rig.root, b"f", Access::Read, to).unwrap();
    assert_eq!(opened.read, Ok(Some(9)));
    assert_eq!(opened.attr.size, 9);
    let mut bytes = [0; 9];
    rig.memory.read(8192, &mut bytes).unwrap();
    assert_eq!(&bytes, b"beginning");

    let (handle, _) = rig.find("f");
    assert_eq!(handle, opened.handle);
    let short = Beginning {
        mem_offset: 0,
        len: 5,
    };
    assert_eq!(c.open_and_read(handle, Access::Read, short), Ok(Some(5)));
    // Beyond the memory file: it is open, and nothing was read.
    let beyond = Beginning {
        mem_offset: u64::MAX >> 2,
        len: 4096,
    };
    assert_eq!(c.open_and_read(handle, Access::Read, beyond), Ok(None));

    let absent = c.open_child(rig.root, b"absent", Access::Read, to);
    assert_eq!(absent.unwrap_err(), ENOENT);
    std::fs::create_dir(rig.path("d")).unwrap();
    let nothing = Beginning::default();
    let dir = c
        .open_child(rig.root, b"d", Access::Write, nothing)
        .unwrap();
    assert_eq!(dir.read, Err(EISDIR));
    assert_eq!(c.getattr(dir.handle).unwrap().ino, dir.attr.ino);
    rig.finish();
}
