//! Names that change while they are resolved; many threads at once.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use syscalls::errno::{EEXIST, ENOENT};

use super::{Rig, me};
use crate::{Access, FileType, Segment};

/// One thread swaps a directory for a symbolic link that leads out; whatever is found
/// inside must be the directory's.
#[test]
fn swapped_symlinks_lead_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let rig = Rig::new();
    std::fs::create_dir(rig.path("d")).unwrap();
    std::fs::write(rig.path("d/secret"), "").unwrap();
    symlink(outside.path(), rig.path("evil")).unwrap();
    let stop = AtomicBool::new(false);
    let c = &rig.client;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (d, evil) = (rig.path("d"), rig.path("evil"));
                renameat_with(CWD, d, CWD, evil, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let start = Instant::now();
        let (mut entered, mut links) = (0, 0);
        while start.elapsed() < Duration::from_millis(500) {
            let walked = c.walk(rig.root, &[b"d", b"secret"]).unwrap();
            assert_eq!(walked.stop, None);
            match walked.found[0].1.file_type() {
                FileType::Symlink => {
                    assert_eq!(walked.found.len(), 1);
                    links += 1;
                }
                FileType::Directory => {
                    assert_eq!(walked.found[1].1.size, 0);
                    entered += 1;
                }
                other => panic!("{other:?}"),
            }
            // Making things must not follow either.
            let made = c.create(rig.root, b"d", 0o600, me());
            assert_eq!(made.unwrap_err(), EEXIST);
            if let Some(&(dir, _)) = walked.found.first().filter(|_| walked.found.len() == 2) {
                let made = c.create(dir, b"new", 0o600, me());
                assert!(made.is_ok_and(|(_, attr)| attr.nlink == 1));
                c.unlink(dir, b"new").unwrap();
            }
            let handles: Vec<_> = walked.found.iter().map(|found| found.0).collect();
            c.forget(&handles).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(entered > 0 && links > 0, "{entered} {links}");
    });
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    rig.finish();
}

#[test]
fn many_threads() {
    let rig = Rig::new();
    std::thread::scope(|scope| {
        for t in 0..80u64 {
            let rig = &rig;
            scope.spawn(move || {
                let c = &rig.client;
                let name = format!("file-{t}");
                let (file, _) = c.create(rig.root, name.as_bytes(), 0o600, me()).unwrap();
                let mine = t * 8192;
                for round in 0..20u64 {
                    let text = format!("{t} {round} {}", "x".repeat(1000));
                    rig.memory.write(mine, text.as_bytes()).unwrap();
                    let len = text.len() as u64;
                    let segment = |mem_offset| Segment {
                        file_pos: 0,
                        mem_offset,
                        len,
                    };
                    assert_eq!(c.write_from(file, &[segment(mine)]).unwrap(), len);
                    if round % 5 == 0 {
                        c.close(file).unwrap();
                        c.open(file, Access::ReadWrite).unwrap();
                    }
                    assert_eq!(c.read_into(file, &[segment(mine + 4096)]).unwrap(), len);
                    assert_eq!(rig.bytes(mine + 4096, text.len()), text.as_bytes());
                }
                c.unlink(rig.root, name.as_bytes()).unwrap();
                let gone = c.walk(rig.root, &[name.as_bytes()]).unwrap();
                assert_eq!(gone.stop, Some(ENOENT));
            });
        }
    });
    rig.finish();
}

/// One thread forgets what another receives: the receiver's handle stays good.
#[test]
fn forgetting_races_with_walking() {
    let rig = Rig::new();
    std::fs::write(rig.path("f"), "").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let (file, _) = rig.find("f");
                    rig.client.getattr(file).unwrap();
                    rig.client.forget(&[file]).unwrap();
                }
            });
        }
    });
    rig.finish();
}
