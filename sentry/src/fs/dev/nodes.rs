//! The nodes that every container's /dev has, as the OCI runtime specification lists them.

use syscalls::Errno;
use syscalls::errno::EEXIST;

use crate::vfs::{DeviceNumber, FileKind, FileName, InodeRef, Mode, NewNode, Owner};

const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Makes the nodes in `dir` (a tmpfs on /dev); those that exist stay.
pub fn populate(dir: &InodeRef) -> Result<(), Errno> {
    let owner = |mode| Owner {
        uid: 0,
        gid: 0,
        mode: Mode::from_raw(mode),
    };
    let devices = DEVICES.iter().map(|&(name, major, minor)| {
        let number = DeviceNumber { major, minor };
        (
            name,
            NewNode::Device(FileKind::CharDevice, number),
            owner(0o666),
        )
    });
    let links = LINKS
        .iter()
        .map(|&(name, to)| (name, NewNode::Symlink(to.as_bytes()), owner(0o777)));
    for (name, node, owner) in devices.chain(links) {
        match dir.create(&FileName::new(name.as_bytes())?, node, owner) {
            Ok(_) | Err(EEXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
