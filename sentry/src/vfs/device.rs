//! Where device numbers lead to.

use syscalls::Stop;

use super::{FileOps, Location, OpenMode};
use crate::task::Current;

/// Opens the device that the node at `location` names; `ENXIO` for one that is not there.
pub(super) fn open(
    task: &Current,
    location: &Location,
    mode: OpenMode,
) -> Result<Box<dyn FileOps>, Stop> {
    let (number, kind) = (location.inode().attr()?.rdev, location.inode().kind());
    crate::fs::dev::open(task, location, (kind, number), mode)
}
