//! What happens when one side ends.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use syscalls::errno::{EIO, EMFILE, EPERM};

use super::process::{Remote, this_program};
use super::{Rig, me, tree};
use crate::server::{Owners, Rights};
use crate::wire::channel;
use crate::{Access, Client, Detail, Segment, TreeId};

fn remote(dir: &tempfile::TempDir, program: Command, owners: Owners) -> Remote {
    Remote::start(program, &[tree(dir.path(), Rights::ReadWrite)], owners)
}

#[test]
fn the_server_ends_with_its_client() {
    Rig::new().finish();
}

#[test]
fn without_a_server_calls_fail() {
    let (client_end, server_end) = channel().unwrap();
    let told = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&told);
    let client = Client::connect(client_end, move || tell.store(true, Ordering::SeqCst)).unwrap();
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || client.attach(TreeId(0)))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(50));
    assert!(!client.is_broken());
    drop(server_end);
    for thread in waiting {
        assert_eq!(thread.join().unwrap(), Err(EIO));
    }
    assert!(client.is_broken());
    let start = Instant::now();
    while !told.load(Ordering::SeqCst) {
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(client.attach(TreeId(0)), Err(EIO));
}

#[test]
fn across_processes() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), "text").unwrap();
    let Remote {
        client,
        memory,
        mut child,
    } = remote(&dir, this_program(), Owners::Exact);
    let (root, _) = client.attach(TreeId(0)).unwrap();
    let (file, _) = client.walk(root, &[b"f"]).unwrap().found[0];
    client.open(file, Access::Read).unwrap();
    let segment = Segment {
        file_pos: 0,
        mem_offset: 4096,
        len: 4096,
    };
    assert_eq!(client.read_into(file, &[segment]).unwrap(), 4);
    let mut bytes = [0; 4];
    memory.read(4096, &mut bytes).unwrap();
    assert_eq!(&bytes, b"text");
    client.create(root, b"new", 0o600, me()).unwrap();
    assert!(dir.path().join("new").exists());
    drop(client);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_killed_server_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let Remote {
        client, mut child, ..
    } = remote(&dir, this_program(), Owners::Exact);
    let (root, _) = client.attach(TreeId(0)).unwrap();
    let busy = {
        let client = client.clone();
        std::thread::spawn(move || {
            loop {
                if let Err(errno) = client.getattr(root) {
                    return errno;
                }
            }
        })
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(busy.join().unwrap(), EIO);
    assert!(client.is_broken());
}

/// Without the right to give files away they are the server's own, or it is an error.
#[test]
fn owners_that_cannot_be() {
    if me().uid != 0 {
        return;
    }
    let alien = crate::Owner { uid: 4321, gid: 0 };
    for owners in [Owners::Approximate, Owners::Exact] {
        let approximate = owners == Owners::Approximate;
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(dir.path(), Some(1234), Some(1234)).unwrap();
        let mut program = this_program();
        program.uid(1234).gid(1234);
        let Remote {
            client, mut child, ..
        } = remote(&dir, program, owners);
        let (root, _) = client.attach(TreeId(0)).unwrap();
        let made = [
            client.create(root, b"f", 0o4750, alien),
            client.mkdir(root, b"d", 0o1777, alien),
            client.symlink(root, b"l", b"f", alien),
        ];
        for result in made {
            if approximate {
                let (_, attr) = result.unwrap();
                assert_eq!((attr.uid, attr.gid), (1234, 1234));
            } else {
                assert_eq!(result, Err(EPERM));
            }
        }
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, if approximate { 3 } else { 0 });
        if approximate {
            let mode = std::fs::metadata(dir.path().join("f")).unwrap().mode();
            assert_eq!(mode, 0o104_750);
        }
        drop(client);
        assert!(child.wait().unwrap().success());
    }
}

/// Inodes are refused when descriptors run short; those for data come and go.
#[test]
fn few_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..400 {
        std::fs::write(dir.path().join(i.to_string()), format!("text {i}")).unwrap();
    }
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 200; exec \"$0\" \"$@\""]);
    limited.arg(std::env::current_exe().unwrap());
    let Remote {
        client,
        memory,
        mut child,
    } = remote(&dir, limited, Owners::Exact);
    let (root, _) = client.attach(TreeId(0)).unwrap();
    let find = |i: usize| client.walk(root, &[i.to_string().as_bytes()]).unwrap();

    let mut found: Vec<_> = Vec::new();
    let refused = (0..400).map(find).find_map(|walked| {
        found.extend(walked.found.first().map(|found| found.0));
        walked.stop
    });
    assert_eq!(refused, Some(EMFILE));
    assert!(found.len() > 150, "{}", found.len());
    for round in 0..3 {
        for (i, &file) in found.iter().enumerate() {
            if round == 0 {
                client.open(file, Access::ReadWrite).unwrap();
            }
            let segment = Segment {
                file_pos: 0,
                mem_offset: 0,
                len: 100,
            };
            let text = format!("text {i}").into_bytes();
            let len = client.read_into(file, &[segment]).unwrap();
            assert_eq!(len, text.len() as u64);
            let mut bytes = vec![0; text.len()];
            memory.read(0, &mut bytes).unwrap();
            assert_eq!(bytes, text);
        }
    }
    client.open(root, Access::Read).unwrap();
    let page = client.readdir(root, 0, Detail::Handles).unwrap();
    let attrs = page.entries().filter(|entry| entry.attr.is_some()).count();
    assert_eq!(attrs, page.entries().count() - 1);
    client.forget(&found).unwrap();
    let listed: Vec<_> = page.entries().filter_map(|entry| entry.handle).collect();
    client.forget(&listed).unwrap();
    assert_eq!(find(399).stop, None);
    drop(client);
    assert!(child.wait().unwrap().success());
}
