//! Walks, attributes, handles.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use syscalls::errno::{EINVAL, ENAMETOOLONG, ENODATA, ENOENT, ENOTDIR, ESTALE};

use super::{Rig, me};
use crate::server::Rights;
use crate::{FileType, Handle, SetAttr, SetTime, Time, TreeId, XattrMode};

#[test]
fn attach_and_walk() {
    let rig = Rig::new();
    std::fs::create_dir_all(rig.path("a/b")).unwrap();
    std::fs::write(rig.path("a/b/f"), "text").unwrap();
    symlink("b", rig.path("a/l")).unwrap();
    let c = &rig.client;

    let all = c.walk(rig.root, &[b"a", b"b", b"f"]).unwrap();
    assert_eq!(all.found.len(), 3);
    assert_eq!(all.stop, None);
    assert_eq!(all.found[2].1.size, 4);

    let beyond = c.walk(rig.root, &[b"a", b"b", b"f", b"x"]).unwrap();
    assert_eq!(beyond.found.len(), 3);
    assert_eq!(beyond.stop, None);
    assert_eq!(beyond.found, all.found);

    let missing = c.walk(rig.root, &[b"a", b"none", b"f"]).unwrap();
    assert_eq!((missing.found.len(), missing.stop), (1, Some(ENOENT)));

    let link = c.walk(rig.root, &[b"a", b"l", b"f"]).unwrap();
    assert_eq!((link.found.len(), link.stop), (2, None));
    assert_eq!(link.found[1].1.file_type(), FileType::Symlink);
    assert_eq!(c.readlink(link.found[1].0).unwrap(), b"b");
    assert_eq!(c.readlink(rig.root), Err(EINVAL));

    assert_eq!(c.walk(all.found[2].0, &[b"x"]), Err(ENOTDIR));
    assert_eq!(c.walk(rig.root, &[b".."]), Err(EINVAL));
    assert_eq!(c.walk(rig.root, &[b"a", b"."]), Err(EINVAL));
    assert_eq!(c.walk(rig.root, &[&[b'x'; 256]]), Err(ENAMETOOLONG));
    assert_eq!(c.attach(TreeId(1)), Err(ENOENT));
    assert!(c.walk(rig.root, &[]).unwrap().found.is_empty());
    rig.finish();
}

#[test]
fn long_walks_go_in_parts() {
    let rig = Rig::new();
    let deep = vec!["d"; 200].join("/");
    std::fs::create_dir_all(rig.path(&deep)).unwrap();
    let names = vec![&b"d"[..]; 201];
    let walked = rig.client.walk(rig.root, &names).unwrap();
    assert_eq!((walked.found.len(), walked.stop), (200, Some(ENOENT)));
    rig.finish();
}

#[test]
fn hard_links_share_a_handle_and_references_count() {
    let rig = Rig::new();
    std::fs::write(rig.path("one"), "").unwrap();
    std::fs::hard_link(rig.path("one"), rig.path("two")).unwrap();
    let (one, attr) = rig.find("one");
    assert_eq!(rig.find("two").0, one);
    assert_eq!(attr.nlink, 2);
    let c = &rig.client;
    c.forget(&[one]).unwrap();
    c.getattr(one).unwrap();
    c.forget(&[one, Handle(77), one]).unwrap();
    assert_eq!(c.getattr(one), Err(ESTALE));
    let again = rig.find("one").0;
    assert_ne!(again, one);
    assert_eq!(c.getattr(one), Err(ESTALE));
    rig.finish();
}

#[test]
fn attributes_are_the_hosts() {
    let rig = Rig::new();
    std::fs::write(rig.path("f"), vec![1; 5000]).unwrap();
    let host = std::fs::metadata(rig.path("f")).unwrap();
    let (handle, attr) = rig.find("f");
    assert_eq!(rig.client.getattr(handle).unwrap(), attr);
    assert_eq!(attr.dev, host.dev());
    assert_eq!(attr.ino, host.ino());
    assert_eq!(attr.mode, host.mode());
    assert_eq!(u64::from(attr.nlink), host.nlink());
    assert_eq!((attr.uid, attr.gid), (host.uid(), host.gid()));
    assert_eq!((attr.size, attr.blocks), (host.size(), host.blocks()));
    assert_eq!(
        (attr.mtime.sec, attr.mtime.nsec),
        (host.mtime(), host.mtime_nsec())
    );
    assert_eq!(
        (attr.ctime.sec, attr.ctime.nsec),
        (host.ctime(), host.ctime_nsec())
    );
    let statfs = rig.client.statfs(handle).unwrap();
    assert!(statfs.bsize > 0 && statfs.namelen >= 255);
    rig.finish();
}

#[test]
fn attributes_change() {
    let rig = Rig::new();
    std::fs::write(rig.path("f"), "0123456789").unwrap();
    symlink("f", rig.path("l")).unwrap();
    let (file, _) = rig.find("f");
    let c = &rig.client;
    let time = Time { sec: -5, nsec: 7 };
    let change = SetAttr {
        mode: Some(0o4711),
        size: Some(4),
        mtime: SetTime::At(time),
        atime: SetTime::Now,
        ..SetAttr::default()
    };
    let attr = c.setattr(file, &change).unwrap();
    assert_eq!(attr.mode, 0o104_711);
    assert_eq!((attr.size, attr.mtime), (4, time));
    assert!(attr.atime.sec > 1_700_000_000);
    assert_eq!(std::fs::read(rig.path("f")).unwrap(), b"0123");
    let mode = std::fs::metadata(rig.path("f"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode, 0o104_711);

    let (link, _) = rig.find("l");
    let change = SetAttr {
        mtime: SetTime::At(time),
        ..SetAttr::default()
    };
    assert_eq!(c.setattr(link, &change).unwrap().mtime, time);
    if me().uid == 0 {
        let change = SetAttr {
            uid: Some(12),
            ..SetAttr::default()
        };
        assert_eq!(c.setattr(link, &change).unwrap().uid, 12);
        assert_eq!(c.getattr(file).unwrap().uid, 0);
    }
    let bad = SetAttr {
        atime: SetTime::At(Time {
            sec: 0,
            nsec: 1_000_000_000,
        }),
        ..SetAttr::default()
    };
    assert_eq!(c.setattr(file, &bad), Err(EINVAL));
    let bad = SetAttr {
        mode: Some(0o100_644),
        ..SetAttr::default()
    };
    assert_eq!(c.setattr(file, &bad), Err(EINVAL));
    rig.finish();
}

#[test]
fn single_file_trees() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let rig = Rig::with(|_| vec![super::tree(file.path(), Rights::ReadWrite)]);
    let attr = rig.client.getattr(rig.root).unwrap();
    assert_eq!(attr.file_type(), FileType::Regular);
    assert_eq!(rig.client.walk(rig.root, &[b"x"]), Err(ENOTDIR));
    rig.finish();
}

#[test]
fn extended_attributes() {
    let rig = Rig::new();
    std::fs::write(rig.path("f"), "").unwrap();
    symlink("f", rig.path("l")).unwrap();
    let (file, _) = rig.find("f");
    let c = &rig.client;
    assert_eq!(c.getxattr(file, b"user.a"), Err(ENODATA));
    c.setxattr(file, b"user.a", b"value", XattrMode::Create)
        .unwrap();
    c.setxattr(file, b"user.empty", b"", XattrMode::Any)
        .unwrap();
    assert_eq!(c.getxattr(file, b"user.a").unwrap(), b"value");
    assert_eq!(c.getxattr(file, b"user.empty").unwrap(), b"");
    let names = c.listxattr(file).unwrap();
    assert!(names.split(|&b| b == 0).any(|name| name == b"user.a"));
    assert_eq!(
        c.setxattr(file, b"user.a", b"", XattrMode::Create),
        Err(syscalls::errno::EEXIST)
    );
    assert_eq!(
        c.setxattr(file, b"user.b", b"", XattrMode::Replace),
        Err(ENODATA)
    );
    c.removexattr(file, b"user.a").unwrap();
    assert_eq!(c.removexattr(file, b"user.a"), Err(ENODATA));
    let long = vec![7; 65_536];
    // What the host's file system takes differs; it must arrive there.
    match c.setxattr(file, b"user.long", &long, XattrMode::Any) {
        Ok(()) => assert_eq!(c.getxattr(file, b"user.long").unwrap(), long),
        Err(errno) => assert_eq!(errno, syscalls::errno::ENOSPC),
    }
    // The link's own: user attributes are not allowed there, trusted ones only for root.
    let (link, _) = rig.find("l");
    assert_eq!(
        c.setxattr(link, b"user.a", b"v", XattrMode::Any),
        Err(syscalls::errno::EPERM)
    );
    if me().uid == 0 {
        c.setxattr(link, b"trusted.a", b"v", XattrMode::Any)
            .unwrap();
        assert_eq!(c.getxattr(link, b"trusted.a").unwrap(), b"v");
        assert_eq!(c.getxattr(file, b"trusted.a"), Err(ENODATA));
    }
    rig.finish();
}
