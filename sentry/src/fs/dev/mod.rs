//! Devices: what the numbers of device nodes lead to, and the nodes that a container's
//! /dev has.

mod memory;
mod nodes;
mod random;

use syscalls::Stop;
use syscalls::errno::{EIO, ENODEV, ENXIO};

use self::memory::{Full, Null, Zero};
use self::random::Random;
use super::devpts;
use crate::task::Current;
use crate::tty;
use crate::vfs::{DeviceNumber, FileKind, FileOps, Location, OpenMode};

pub use nodes::populate;

/// Opens the device whose node is at `location`; `ENXIO` if there is none with that number.
pub fn open(
    task: &Current,
    location: &Location,
    (kind, number): (FileKind, DeviceNumber),
    mode: OpenMode,
) -> Result<Box<dyn FileOps>, Stop> {
    let DeviceNumber { major, minor } = number;
    Ok(match (kind, major, minor) {
        (FileKind::CharDevice, 1, 3) => Box::new(Null),
        (FileKind::CharDevice, 1, 5) => Box::new(Zero(task.memory())),
        (FileKind::CharDevice, 1, 7) => Box::new(Full(task.memory())),
        (FileKind::CharDevice, 1, 8 | 9) => Box::new(Random),
        (FileKind::CharDevice, 5, 0) => tty::open_current(task, mode)?,
        (FileKind::CharDevice, 5, 2) => {
            let directory = devpts::directory(location);
            let instance = directory.and_then(|at| devpts::instance(&at));
            let pty = task.kernel.ptys.create(task, instance.ok_or(ENODEV)?)?;
            Box::new(tty::Master::new(pty))
        }
        (FileKind::CharDevice, tty::SLAVE_MAJOR, index) => {
            let instance = devpts::instance(location).ok_or(EIO)?;
            let pty = task.kernel.ptys.get(instance, index)?;
            tty::open_slave(task, pty, mode.contains(NOCTTY))?
        }
        _ => {
            log::debug!("no device {kind:?} {major}:{minor}");
            return Err(ENXIO.into());
        }
    })
}

/// O_NOCTTY.
const NOCTTY: OpenMode = OpenMode::from_bits_retain(0o400);
