//! Where device numbers lead to.

use syscalls::errno::ENXIO;
use syscalls::{Errno, Stop};

use super::{FileOps, Location, OpenMode};
use crate::task::Current;

/// Opens the device that the node at `location` names; `ENXIO` for one that is not there.
pub(super) fn open(
    task: &Current,
    location: &Location,
    mode: OpenMode,
) -> Result<Box<dyn FileOps>, Stop> {
    let (number, kind) = (location.inode().attr()?.rdev, location.inode().kind());
    let _ = (task, mode);
    log::debug!(
        "no device behind {kind:?} {}:{}",
        number.major,
        number.minor
    );
    Err(Errno::into(ENXIO))
}
