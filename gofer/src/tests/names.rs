//! Making, linking, moving, removing.

use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

use syscalls::errno::{EEXIST, EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY, EROFS, EXDEV};

use super::{Rig, me, tree};
use crate::server::Rights;
use crate::{Access, FileType, Owner, Rename, SetAttr, TreeId};

#[test]
fn everything_can_be_made() {
    let rig = Rig::new();
    let c = &rig.client;
    let (dir, attr) = c.mkdir(rig.root, b"d", 0o1777, me()).unwrap();
    assert_eq!(attr.mode, 0o041_777);
    let (file, attr) = c.create(dir, b"f", 0o666, me()).unwrap();
    assert_eq!(attr.mode, 0o100_666, "no umask");
    assert_eq!(c.walk(dir, &[b"f"]).unwrap().found[0].0, file);
    let (link, attr) = c.symlink(dir, b"l", b"/etc/passwd", me()).unwrap();
    assert_eq!(attr.file_type(), FileType::Symlink);
    assert_eq!(c.readlink(link).unwrap(), b"/etc/passwd");
    c.mknod(dir, b"p", 0o010_600, 0, me()).unwrap();
    c.mknod(dir, b"s", 0o140_600, 0, me()).unwrap();
    c.mknod(dir, b"r", 0o100_600, 0, me()).unwrap();
    assert!(
        std::fs::metadata(rig.path("d/p"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
    assert!(
        std::fs::metadata(rig.path("d/s"))
            .unwrap()
            .file_type()
            .is_socket()
    );
    assert!(
        std::fs::metadata(rig.path("d/r"))
            .unwrap()
            .file_type()
            .is_file()
    );

    assert_eq!(c.create(dir, b"l", 0o600, me()), Err(EEXIST));
    assert_eq!(c.mkdir(dir, b"f", 0o700, me()), Err(EEXIST));
    assert_eq!(c.create(file, b"x", 0o600, me()), Err(ENOTDIR));
    assert_eq!(c.mknod(dir, b"x", 0o040_600, 0, me()), Err(EINVAL));
    assert_eq!(c.create(dir, b"x", 0o100_600, me()), Err(EINVAL));
    assert_eq!(c.symlink(dir, b"x", b"", me()), Err(ENOENT));
    let long = [b'a'; 4096];
    assert_eq!(c.symlink(dir, b"x", &long, me()), Err(ENAMETOOLONG));
    let (link, _) = c.symlink(dir, b"x", &long[..4095], me()).unwrap();
    assert_eq!(c.readlink(link).unwrap(), &long[..4095]);
    rig.finish();
}

#[test]
fn owners_and_set_id_bits() {
    if me().uid != 0 {
        return;
    }
    let rig = Rig::new();
    let c = &rig.client;
    let owner = Owner { uid: 33, gid: 44 };
    let (_, attr) = c.create(rig.root, b"f", 0o6755, owner).unwrap();
    assert_eq!((attr.uid, attr.gid, attr.mode), (33, 44, 0o106_755));
    let host = std::fs::metadata(rig.path("f")).unwrap();
    assert_eq!((host.uid(), host.gid(), host.mode()), (33, 44, 0o106_755));

    // The host would hand the set-group-id bit down; what the client says counts.
    let (dir, attr) = c.mkdir(rig.root, b"d", 0o2755, owner).unwrap();
    assert_eq!(attr.mode, 0o042_755);
    let (_, attr) = c.mkdir(dir, b"sub", 0o755, me()).unwrap();
    assert_eq!((attr.gid, attr.mode), (0, 0o040_755));
    let (_, attr) = c.symlink(rig.root, b"l", b"f", owner).unwrap();
    assert_eq!((attr.uid, attr.gid), (33, 44));
    let (_, attr) = c.mknod(rig.root, b"p", 0o012_644, 0, owner).unwrap();
    assert_eq!((attr.uid, attr.mode), (33, 0o012_644));
    assert_eq!(
        c.create(
            rig.root,
            b"bad",
            0o644,
            Owner {
                uid: u32::MAX,
                gid: 0
            }
        ),
        Err(EINVAL)
    );
    assert!(!rig.path("bad").exists(), "undone");
    rig.finish();
}

#[test]
fn links_and_removal() {
    let rig = Rig::new();
    let c = &rig.client;
    let (file, _) = c.create(rig.root, b"f", 0o600, me()).unwrap();
    let attr = c.link(file, rig.root, b"g").unwrap();
    assert_eq!(attr.nlink, 2);
    assert_eq!(rig.find("g").0, file);
    assert_eq!(c.link(file, rig.root, b"g"), Err(EEXIST));
    let (link, _) = c.symlink(rig.root, b"l", b"f", me()).unwrap();
    c.link(link, rig.root, b"l2").unwrap();
    assert_eq!(rig.find("l2").0, link, "the symbolic link itself");

    c.unlink(rig.root, b"f").unwrap();
    c.unlink(rig.root, b"g").unwrap();
    assert_eq!(c.unlink(rig.root, b"g"), Err(ENOENT));
    assert_eq!(c.getattr(file).unwrap().nlink, 0);
    let change = SetAttr {
        size: Some(9),
        ..SetAttr::default()
    };
    assert_eq!(c.setattr(file, &change).unwrap().size, 9);
    c.close(file).unwrap();
    c.open(file, Access::ReadWrite).unwrap();

    let (dir, _) = c.mkdir(rig.root, b"d", 0o700, me()).unwrap();
    c.create(dir, b"x", 0o600, me()).unwrap();
    assert_eq!(c.rmdir(rig.root, b"d"), Err(ENOTEMPTY));
    assert_eq!(c.rmdir(rig.root, b"l"), Err(ENOTDIR));
    c.unlink(dir, b"x").unwrap();
    c.rmdir(rig.root, b"d").unwrap();
    assert_eq!(c.create(dir, b"x", 0o600, me()), Err(ENOENT));
    rig.finish();
}

#[test]
fn files_without_a_name() {
    let rig = Rig::new();
    let c = &rig.client;
    let (file, attr) = c.create_unnamed(rig.root, 0o640, me()).unwrap();
    assert_eq!((attr.nlink, attr.mode), (0, 0o100_640));
    assert_eq!(std::fs::read_dir(rig.dir.path()).unwrap().count(), 0);
    c.link(file, rig.root, b"named").unwrap();
    assert_eq!(rig.find("named").0, file);
    rig.finish();
}

#[test]
fn renames() {
    let rig = Rig::new();
    let c = &rig.client;
    let (dir, _) = c.mkdir(rig.root, b"d", 0o700, me()).unwrap();
    let (f, _) = c.create(rig.root, b"f", 0o600, me()).unwrap();
    let (g, _) = c.create(dir, b"g", 0o600, me()).unwrap();
    assert_eq!(
        c.rename(rig.root, b"f", dir, b"g", Rename::NoReplace),
        Err(EEXIST)
    );
    c.rename(rig.root, b"f", dir, b"g", Rename::Exchange)
        .unwrap();
    assert_eq!(rig.find("f").0, g);
    c.rename(rig.root, b"f", dir, b"g", Rename::Replace)
        .unwrap();
    assert_eq!(c.walk(dir, &[b"g"]).unwrap().found[0].0, g);
    assert_eq!(c.getattr(f).unwrap().nlink, 0);
    assert_eq!(
        c.rename(rig.root, b"d", dir, b"x", Rename::Replace),
        Err(EINVAL)
    );
    // A handle follows its directory.
    c.rename(rig.root, b"d", rig.root, b"e", Rename::Replace)
        .unwrap();
    c.create(dir, b"new", 0o600, me()).unwrap();
    assert!(rig.path("e/new").exists());
    rig.finish();
}

#[test]
fn read_only_trees() {
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("f"), "text").unwrap();
    symlink("f", other.path().join("l")).unwrap();
    let rig = Rig::with(|dir| {
        vec![
            tree(dir, Rights::ReadWrite),
            tree(other.path(), Rights::ReadOnly),
            tree(other.path(), Rights::ReadWrite),
        ]
    });
    let c = &rig.client;
    let (root, _) = c.attach(TreeId(1)).unwrap();
    let (file, _) = c.walk(root, &[b"f"]).unwrap().found[0];
    assert_eq!(c.create(root, b"x", 0o600, me()), Err(EROFS));
    assert_eq!(c.create_unnamed(root, 0o600, me()), Err(EROFS));
    assert_eq!(c.mkdir(root, b"x", 0o600, me()), Err(EROFS));
    assert_eq!(c.symlink(root, b"x", b"y", me()), Err(EROFS));
    assert_eq!(c.mknod(root, b"x", 0o010_600, 0, me()), Err(EROFS));
    assert_eq!(c.unlink(root, b"f"), Err(EROFS));
    assert_eq!(c.rmdir(root, b"f"), Err(EROFS));
    assert_eq!(c.link(file, root, b"g"), Err(EROFS));
    assert_eq!(c.link(file, rig.root, b"g"), Err(EROFS));
    assert_eq!(
        c.rename(root, b"f", root, b"g", Rename::Replace),
        Err(EROFS)
    );
    assert_eq!(
        c.rename(root, b"f", rig.root, b"g", Rename::Replace),
        Err(EROFS)
    );
    assert_eq!(c.open(file, Access::Write), Err(EROFS));
    assert_eq!(c.write_from(file, &[]), Err(EROFS));
    assert_eq!(c.setattr(file, &SetAttr::default()), Err(EROFS));
    assert_eq!(
        c.setxattr(file, b"user.a", b"", crate::XattrMode::Any),
        Err(EROFS)
    );
    assert_eq!(c.removexattr(file, b"user.a"), Err(EROFS));
    c.open(file, Access::Read).unwrap();

    // The same file through a tree that may be written is another handle, the same inode.
    let (root, _) = c.attach(TreeId(2)).unwrap();
    let (writable, attr) = c.walk(root, &[b"f"]).unwrap().found[0];
    assert_ne!(writable, file);
    assert_eq!(attr.ino, c.getattr(file).unwrap().ino);
    c.open(writable, Access::Write).unwrap();
    assert_eq!(c.open(file, Access::Write), Err(EROFS));
    assert_eq!(c.link(writable, rig.root, b"x"), Err(EXDEV));
    rig.finish();
}
