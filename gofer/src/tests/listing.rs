//! Directories, also large ones and ones that change.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;

use syscalls::errno::ENOTDIR;

use super::Rig;
use crate::{Access, Detail, FileType, Handle};

fn names(rig: &Rig, dir: Handle, detail: Detail) -> BTreeMap<Vec<u8>, (u64, FileType)> {
    let mut all = BTreeMap::new();
    let mut from = 0;
    loop {
        let page = rig.client.readdir(dir, from, detail).unwrap();
        for entry in &page {
            from = entry.next;
            let before = all.insert(entry.name.to_vec(), (entry.ino, entry.file_type));
            assert_eq!(before, None, "twice");
            if detail != Detail::Names && !matches!(entry.name, b"." | b"..") {
                assert_eq!(entry.attr.unwrap().ino, entry.ino);
            }
        }
        if page.is_end() {
            return all;
        }
    }
}

#[test]
fn all_entries_come_once() {
    let rig = Rig::new();
    let mut expected = BTreeSet::from([b".".to_vec(), b"..".to_vec()]);
    for i in 0..5000 {
        let name = format!("{i}{}", "n".repeat(i % 200));
        std::fs::write(rig.path(&name), "").unwrap();
        expected.insert(name.into_bytes());
    }
    let c = &rig.client;
    for opened in [false, true] {
        if opened {
            c.open(rig.root, Access::Read).unwrap();
        }
        for detail in [Detail::Names, Detail::Attrs, Detail::Handles] {
            let found = names(&rig, rig.root, detail);
            assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), expected);
        }
    }
    let few = c.readdir_some(rig.root, 0, Detail::Attrs, 1).unwrap();
    assert!(!few.is_end());
    assert!((1..1000).contains(&few.entries().count()));
    rig.finish();
}

#[test]
fn details() {
    let rig = Rig::new();
    std::fs::create_dir(rig.path("d")).unwrap();
    std::fs::write(rig.path("f"), "text").unwrap();
    symlink("nowhere", rig.path("l")).unwrap();
    let c = &rig.client;
    c.open(rig.root, Access::Read).unwrap();
    let page = c.readdir(rig.root, 0, Detail::Handles).unwrap();
    assert!(page.is_end());
    for entry in &page {
        let kind = match entry.name {
            b"d" | b"." | b".." => FileType::Directory,
            b"f" => FileType::Regular,
            b"l" => FileType::Symlink,
            other => panic!("{other:?}"),
        };
        assert_eq!(entry.file_type, kind);
        match entry.name {
            b"." => assert_eq!(entry.attr.unwrap().ino, entry.ino),
            b".." => assert_eq!(entry.attr, None),
            name => {
                let found = rig.find(std::str::from_utf8(name).unwrap());
                assert_eq!((entry.handle, entry.attr), (Some(found.0), Some(found.1)));
            }
        }
    }
    let (file, _) = rig.find("f");
    assert_eq!(c.readdir(file, 0, Detail::Names).unwrap_err(), ENOTDIR);
    rig.finish();
}

#[test]
fn positions_stay_valid_while_the_directory_changes() {
    let rig = Rig::new();
    for i in 0..2000 {
        std::fs::write(rig.path(&format!("file-{i:04}")), "").unwrap();
    }
    let c = &rig.client;
    c.open(rig.root, Access::Read).unwrap();
    let page = c.readdir(rig.root, 0, Detail::Names).unwrap();
    let read: Vec<_> = page.entries().map(|e| (e.name.to_vec(), e.next)).collect();
    let (_, position) = read[100].clone();
    let rest = |from| {
        let page = c.readdir(rig.root, from, Detail::Names).unwrap();
        page.entries().map(|e| e.name.to_vec()).collect::<Vec<_>>()
    };
    let before = rest(position);
    assert_eq!(before[0], read[101].0);
    // What was read before is removed; the rest still comes.
    for (name, _) in &read[..100] {
        if !matches!(&name[..], b"." | b"..") {
            c.unlink(rig.root, name).unwrap();
        }
    }
    assert_eq!(rest(position)[..50], before[..50]);
    // From the beginning the listing is new.
    std::fs::write(rig.path("late"), "").unwrap();
    assert!(names(&rig, rig.root, Detail::Names).contains_key(&b"late"[..]));
    rig.finish();
}
