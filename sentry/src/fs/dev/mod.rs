//! Devices: what the numbers of device nodes lead to, and the nodes that a container's
//! /dev has.

mod memory;
mod nodes;
mod random;

use syscalls::Stop;
use syscalls::errno::ENXIO;

use self::memory::{Full, Null, Zero};
use self::random::Random;
use crate::task::Current;
use crate::tty;
use crate::vfs::{DeviceNumber, FileKind, FileOps, OpenMode};

pub use nodes::populate;

/// Opens a device; `ENXIO` if there is none with that number.
pub fn open(
    task: &Current,
    kind: FileKind,
    number: DeviceNumber,
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
            let pty = task.kernel.ptys.create(task)?;
            Box::new(tty::Master::new(pty))
        }
        (FileKind::CharDevice, tty::SLAVE_MAJOR, index) => {
            let pty = task.kernel.ptys.get(index)?;
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
