use std::sync::Arc;

use syscalls::errno::{EEXIST, ENODATA, ENOENT, ENOTEMPTY};

use super::{OWNER, Tree, list, name, testing};
use crate::mm::Mappable;
use crate::vfs::{
    FileKind, Mode, NewNode, OpenMode, RenameMode, SetAttr, SetTime, Sink, XattrMode,
};

const PAGE: usize = 4096;

/// A lower tree: /etc/{hosts,link,sub/deep}, /bin/tool with a second name /bin/alias.
fn lower(tree: &Tree<'_>) {
    tree.mkdir("etc");
    tree.mkdir("etc/sub");
    tree.put("etc/hosts", b"localhost");
    tree.put("etc/sub/deep", b"deep");
    tree.make("etc/link", NewNode::Symlink(b"hosts"))
        .expect("link");
    tree.make("etc/pipe", NewNode::Fifo).expect("fifo");
    tree.mkdir("bin");
    tree.put("bin/tool", &[b'x'; 3 * PAGE]);
    tree.link("bin/tool", "bin/alias").expect("alias");
}

#[test]
fn writes_stay_above() {
    let task = testing::kernel();
    let below = Tree::empty(&task);
    lower(&below);
    let tree = below.over();
    let reader = tree.open("etc/hosts", OpenMode::empty()).expect("open");
    let before = tree.get("etc/hosts").attr().expect("attr");
    tree.write("etc/hosts", 5, b"HOST!").expect("write");
    assert_eq!(tree.read("etc/hosts"), b"localHOST!");
    assert_eq!(super::contents(&reader), b"localHOST!");
    assert_eq!(below.read("etc/hosts"), b"localhost");
    let after = tree.get("etc/hosts").attr().expect("attr");
    assert_eq!((before.ino, before.dev), (after.ino, after.dev));
    assert!(after.mtime > before.mtime);
    assert_eq!((after.size, after.uid), (10, OWNER.uid));
    tree.truncate("etc/hosts", 3).expect("cut");
    tree.truncate("etc/hosts", 6).expect("grow");
    assert_eq!(tree.read("etc/hosts"), b"loc\0\0\0");
    assert_eq!(below.read("etc/hosts"), b"localhost");
}

#[test]
fn pages_are_shared_until_written() {
    let task = testing::kernel();
    let below = Tree::empty(&task);
    lower(&below);
    let tree = below.over();
    // Whoever maps a file keeps it open.
    let file = tree.get("bin/tool");
    let under = below.get("bin/tool").mappable().expect("pages");
    let over = file.mappable().expect("pages");
    let offset = |of: &Arc<dyn Mappable>, index, write| of.pages(index, 1, write).unwrap().offset();
    assert_eq!(offset(&over, 1, false), offset(&under, 1, false));
    let mut byte = [0];
    tree.write("bin/alias", PAGE as u64 + 1, b"y")
        .expect("write");
    assert_ne!(offset(&over, 1, false), offset(&under, 1, false));
    assert_eq!(offset(&over, 2, false), offset(&under, 2, false));
    // Through a mapping.
    let own = offset(&over, 2, true);
    assert_ne!(own, offset(&under, 2, false));
    assert_eq!(own, offset(&over, 2, false));
    task.kernel.memory.read(own, &mut byte).expect("byte");
    assert_eq!(byte, *b"x");
    let attr = tree.get("bin/tool").attr().expect("attr");
    assert_eq!((attr.blocks, attr.nlink), (24, 2));
    assert_eq!(below.read("bin/tool"), [b'x'; 3 * PAGE]);
}

#[test]
fn holes_do_not_show_what_is_below() {
    let task = testing::kernel();
    let below = Tree::empty(&task);
    lower(&below);
    let tree = below.over();
    let file = tree.get("bin/tool");
    let (from, to) = (PAGE as u64 / 2, 2 * PAGE as u64 + 10);
    file.allocate(3, from, to - from).expect("punch");
    let mut expected = vec![b'x'; 3 * PAGE];
    expected[PAGE / 2..2 * PAGE + 10].fill(0);
    assert!(tree.read("bin/tool") == expected);
    let open = tree.open("bin/tool", OpenMode::empty()).expect("open");
    let seek = |from| open.ops.seek(&open, from).expect("seek");
    assert_eq!(seek(crate::vfs::SeekFrom::Hole(0)), PAGE as u64);
    assert_eq!(
        seek(crate::vfs::SeekFrom::Data(PAGE as u64)),
        2 * PAGE as u64
    );
    assert_eq!(below.read("bin/tool"), [b'x'; 3 * PAGE]);
    // The hole stays one when a page in it is written.
    tree.write("bin/tool", PAGE as u64, b"z").expect("write");
    expected[PAGE] = b'z';
    assert!(tree.read("bin/tool") == expected);
    // A file as it was below, made longer.
    let other = below.over();
    other
        .write("bin/tool", 5 * PAGE as u64, b"end")
        .expect("write");
    let mut expected = vec![b'x'; 3 * PAGE];
    expected.resize(5 * PAGE, 0);
    expected.extend_from_slice(b"end");
    assert!(other.read("bin/tool") == expected);
}

#[test]
fn removed_names_stay_removed() {
    let task = testing::kernel();
    let below = Tree::empty(&task);
    lower(&below);
    let tree = below.over();
    assert_eq!(tree.rmdir("etc"), Err(ENOTEMPTY));
    tree.unlink("etc/hosts").expect("unlink");
    assert_eq!(tree.at("etc/hosts").err(), Some(ENOENT));
    tree.put("etc/hosts", b"new");
    assert_eq!(tree.read("etc/hosts"), b"new");
    tree.unlink("etc/hosts").expect("unlink");
    assert_eq!(tree.at("etc/hosts").err(), Some(ENOENT));
    tree.unlink("etc/link").expect("unlink");
    tree.unlink("etc/pipe").expect("unlink");
    tree.unlink("etc/sub/deep").expect("unlink");
    let sub = tree.get("etc/sub");
    tree.rmdir("etc/sub").expect("rmdir");
    assert_eq!(sub.lookup(&name("deep")).err(), Some(ENOENT));
    assert_eq!(
        sub.create(&name("x"), NewNode::Regular, OWNER).err(),
        Some(ENOENT)
    );
    tree.rmdir("etc").expect("rmdir");
    // A new directory of that name is empty.
    tree.mkdir("etc");
    assert!(tree.names("etc").is_empty());
    assert_eq!(tree.at("etc/hosts").err(), Some(ENOENT));
    assert_eq!(below.names("etc").len(), 4);
}

#[test]
fn directories_move_with_what_is_below() {
    let task = testing::kernel();
    let below = Tree::empty(&task);
    lower(&below);
    let tree = below.over();
    tree.write("etc/sub/deep", 0, b"D").expect("write");
    let ino = tree.get("etc/sub/deep").ino();
    tree.rename("etc", "bin/etc", RenameMode::Replace)
        .expect("mv");
    assert_eq!(tree.at("etc").err(), Some(ENOENT));
    assert_eq!(tree.read("bin/etc/sub/deep"), b"Deep");
    assert_eq!(tree.get("bin/etc/sub/deep").ino(), ino);
    assert_eq!(tree.read("bin/etc/hosts"), b"localhost");
    assert_eq!(tree.get("bin").attr().expect("attr").nlink, 3);
    assert_eq!(tree.get("").attr().expect("attr").nlink, 3);
    tree.rename("bin/etc/sub", "bin/alias", RenameMode::Exchange)
        .expect("exchange");
    assert_eq!(tree.read("bin/alias/deep"), b"Deep");
    assert_eq!(tree.read("bin/etc/sub").len(), 3 * PAGE);
    let to = tree.rename("bin/tool", "bin/alias", RenameMode::NoReplace);
    assert_eq!(to, Err(EEXIST));
    assert_eq!(below.names("").len(), 2);
}

#[test]
fn attributes_and_their_extensions() {
    let task = testing::kernel();
    let below = Tree::empty(&task);
    lower(&below);
    let file = below.get("etc/hosts");
    file.set_xattr(b"user.a", b"1", XattrMode::Set)
        .expect("set");
    file.set_xattr(b"user.b", b"2", XattrMode::Set)
        .expect("set");
    let tree = below.over();
    let set = |set: SetAttr| tree.get("etc/hosts").set_attr(&set).expect("set");
    set(SetAttr {
        mode: Some(Mode::from_raw(0o600)),
        uid: Some(1),
        atime: Some(SetTime::To(5)),
        ..SetAttr::default()
    });
    let attr = tree.get("etc/hosts").attr().expect("attr");
    assert_eq!(
        (attr.mode.bits(), attr.uid, attr.gid, attr.atime),
        (0o600, 1, OWNER.gid, 5)
    );
    assert_eq!(attr.size, 9);
    let file = tree.get("etc/hosts");
    assert_eq!(
        file.set_xattr(b"user.a", b"", XattrMode::Create),
        Err(EEXIST)
    );
    assert_eq!(
        file.set_xattr(b"user.c", b"", XattrMode::Replace),
        Err(ENODATA)
    );
    file.set_xattr(b"user.a", b"one", XattrMode::Replace)
        .expect("set");
    file.set_xattr(b"user.c", b"3", XattrMode::Create)
        .expect("set");
    file.remove_xattr(b"user.b").expect("remove");
    assert_eq!(file.remove_xattr(b"user.b"), Err(ENODATA));
    drop(file);
    let file = tree.get("etc/hosts");
    assert_eq!(file.list_xattr().expect("list"), [b"user.a", b"user.c"]);
    assert_eq!(file.xattr(b"user.a").as_deref(), Ok(&b"one"[..]));
    assert_eq!(file.xattr(b"user.b"), Err(ENODATA));
    assert_eq!(below.get("etc/hosts").list_xattr().expect("list").len(), 2);
    assert_eq!(below.get("etc/hosts").attr().expect("attr").uid, OWNER.uid);
    assert_eq!(tree.get("etc/pipe").kind(), FileKind::Fifo);
    assert_eq!(tree.link_text(&tree.get("etc/link")), b"hosts");
}

#[test]
fn links_of_below_are_links_above() {
    let task = testing::kernel();
    let below = Tree::empty(&task);
    lower(&below);
    let tree = below.over();
    assert!(Arc::ptr_eq(&tree.get("bin/tool"), &tree.get("bin/alias")));
    tree.write("bin/tool", 0, b"changed").expect("write");
    assert!(tree.read("bin/alias").starts_with(b"changed"));
    tree.unlink("bin/tool").expect("unlink");
    assert_eq!(tree.get("bin/alias").attr().expect("attr").nlink, 1);
    tree.link("bin/alias", "etc/third").expect("link");
    assert_eq!(tree.get("etc/third").attr().expect("attr").nlink, 2);
    tree.unlink("bin/alias").expect("unlink");
    assert!(tree.read("etc/third").starts_with(b"changed"));
}

#[test]
fn nothing_is_kept_without_need() {
    let task = testing::kernel();
    let below = Tree::empty(&task);
    lower(&below);
    let used = task.kernel.memory.used();
    let tree = below.over();
    let gone = |path| {
        let inode = Arc::downgrade(&tree.get(path));
        move || inode.strong_count() == 0
    };
    // Looked at.
    assert!(gone("etc/hosts")());
    tree.read("etc/hosts");
    assert!(gone("etc/hosts")());
    // Changed, and removed.
    tree.write("bin/tool", 0, b"x").expect("write");
    let check = gone("bin/tool");
    assert!(!check());
    let open = tree.open("bin/tool", OpenMode::empty()).expect("open");
    tree.unlink("bin/tool").expect("unlink");
    tree.unlink("bin/alias").expect("unlink");
    let mut byte = [0];
    open.ops
        .read(&open, &mut Sink::kernel(&mut byte), 0)
        .expect("read");
    drop(open);
    assert!(check());
    assert_eq!(task.kernel.memory.used(), used);
    // With the whole tree.
    tree.write("etc/hosts", 0, b"x").expect("write");
    tree.mkdir("new");
    tree.put("new/file", b"data");
    tree.rename("etc", "new/etc", RenameMode::Replace)
        .expect("mv");
    let checks = [gone("new/etc/hosts"), gone("new/file"), gone("new")];
    assert!(checks.iter().all(|check| !check()));
    drop(tree);
    assert!(checks.iter().all(|check| check()));
    assert_eq!(task.kernel.memory.used(), used);
}

#[test]
fn a_tree_deeper_than_a_stack() {
    let task = testing::kernel();
    let tree = Tree::empty(&task).over();
    let mut at = tree.root.clone();
    for _ in 0..100_000 {
        at = at
            .create(&name("d"), NewNode::Directory, OWNER)
            .expect("mkdir");
    }
    drop((at, tree));
}

#[test]
fn listings_go_on_while_names_come_and_go() {
    let task = testing::kernel();
    let below = Tree::empty(&task);
    for n in 0..100 {
        below.put(&format!("low{n}"), b"");
    }
    let tree = below.over();
    for n in 0..100 {
        tree.put(&format!("new{n}"), b"");
    }
    let dir = tree.open("", OpenMode::empty()).expect("open");
    let (mut pos, mut seen) = (0, Vec::new());
    for round in 0.. {
        let (names, next) = list(&dir, pos, 7);
        if names.is_empty() {
            break;
        }
        assert_ne!(next, pos);
        pos = next;
        seen.extend(names.into_iter().map(|(name, _)| name));
        // What was seen goes, and more comes.
        if let Some(gone) = seen.last().filter(|name| name.starts_with(['l', 'n'])) {
            tree.unlink(gone).expect("unlink");
        }
        if round < 20 {
            tree.put(&format!("more{round}"), b"");
            // Changes do not move a name.
            let changed = format!("low{}", 99 - round);
            if tree.at(&changed).is_ok() {
                tree.write(&changed, 0, b"changed").expect("write");
            }
        }
    }
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), seen.len());
    assert_eq!(seen.len(), 2 + 200 + 20);
    for (name, ino) in tree.names("") {
        assert_eq!(tree.get(&name).ino(), ino, "{name}");
    }
}

#[test]
fn unnamed_files_get_names() {
    let task = testing::kernel();
    let tree = Tree::empty(&task).over();
    let file = tree.root.create_unnamed(OWNER).expect("file");
    assert_eq!(file.attr().expect("attr").nlink, 0);
    tree.root.link(&name("named"), &file).expect("link");
    drop(file);
    assert_eq!(tree.get("named").attr().expect("attr").nlink, 1);
}
