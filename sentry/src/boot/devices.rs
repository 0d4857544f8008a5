//! Device nodes that a configuration asks for beside those of every container.

use syscalls::Errno;
use syscalls::Fd;
use syscalls::errno::EEXIST;

use super::BootError;
use crate::config::{DeviceConfig, DeviceNode};
use crate::task::Current;
use crate::vfs::{DeviceNumber, FileKind, Mode, NewNode, SetAttr, Walking};

/// Makes them. One that is there already must be the same.
pub(super) fn make_all(task: &Current, devices: &[DeviceConfig]) -> Result<(), BootError> {
    for device in devices {
        make(task, device).map_err(|errno| BootError::Device {
            path: String::from_utf8_lossy(&device.path).into_owned(),
            errno,
        })?;
    }
    Ok(())
}

fn make(task: &Current, device: &DeviceConfig) -> Result<(), Errno> {
    let (node, kind, number) = match device.node {
        DeviceNode::Char(major, minor) => {
            let number = DeviceNumber { major, minor };
            let kind = FileKind::CharDevice;
            (NewNode::Device(kind, number), kind, number)
        }
        DeviceNode::Fifo => (NewNode::Fifo, FileKind::Fifo, DeviceNumber::default()),
    };
    let mode = Mode::from_raw(device.mode.into());
    super::mounts::make_parents(task, &device.path)?;
    let at = match task.make_node(Fd::CWD, &device.path, node, mode) {
        Ok(at) => at,
        Err(EEXIST) => {
            let at = task.walk(&device.path, Walking::empty())?;
            let attr = at.dentry.inode().attr()?;
            if attr.kind != kind || attr.rdev != number {
                return Err(EEXIST);
            }
            at
        }
        Err(errno) => return Err(errno),
    };
    // The umask has no say.
    at.dentry.inode().set_attr(&SetAttr {
        mode: Some(mode),
        uid: Some(device.uid),
        gid: Some(device.gid),
        ..SetAttr::default()
    })
}
