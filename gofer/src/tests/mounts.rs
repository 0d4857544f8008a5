//! Mounts of the host below a tree's root.

use std::process::Command;

use syscalls::errno::{ENOENT, EROFS};

use super::process::Remote;
use super::{TestTree, me};
use crate::server::{Mounts, Owners, Rights};
use crate::{Access, Detail, FileType, TreeId};

/// A server that sees a tmpfs with a file on `files` and a procfs on `proc`.
fn start(dir: &tempfile::TempDir, mounts: Mounts) -> Remote {
    for name in ["files", "proc"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    let script = "cd $1 && shift && mount -t tmpfs none files && echo text > files/f && \
                  mount -t proc none proc && cd / && exec \"$@\"";
    let mut program = Command::new("unshare");
    program.args(["--mount", "sh", "-c", script, "sh"]);
    program.arg(dir.path());
    program.arg(std::env::current_exe().unwrap());
    let tree = TestTree {
        path: dir.path().to_owned(),
        rights: Rights::ReadWrite,
        mounts,
    };
    Remote::start(program, &[tree], Owners::Exact)
}

#[test]
fn policies() {
    if me().uid != 0 {
        return;
    }
    for mounts in [Mounts::Stay, Mounts::FollowFiles, Mounts::FollowAll] {
        let dir = tempfile::tempdir().unwrap();
        let mut remote = start(&dir, mounts);
        let c = &remote.client;
        let (root, _) = c.attach(TreeId(0)).unwrap();
        let followed = |names: &[&[u8]]| {
            let walked = c.walk(root, names).unwrap();
            let (mount, attr) = walked.found[0];
            assert_eq!(attr.file_type(), FileType::Directory);
            c.open(mount, Access::Read).unwrap();
            let page = c.readdir(mount, 0, Detail::Handles).unwrap();
            if walked.stop == Some(ENOENT) {
                assert_eq!(page.entries().count(), 0, "{names:?}");
                assert_eq!(c.create(mount, b"x", 0o600, me()), Err(EROFS));
            } else {
                assert_eq!((walked.found.len(), walked.stop), (2, None));
                assert!(page.entries().any(|entry| entry.name == names[1]));
            }
            walked.stop.is_none()
        };
        assert_eq!(followed(&[b"files", b"f"]), mounts != Mounts::Stay);
        assert_eq!(
            followed(&[b"proc", b"version"]),
            mounts == Mounts::FollowAll
        );
        drop(remote.client);
        assert!(remote.child.wait().unwrap().success());
    }
}
