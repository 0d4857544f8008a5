//! Places in the root file system to mount on.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use sentry::config::MountConfig;

/// True if something is to be mounted where `root` has nothing. A read-only root lacks the
/// place then: it is made in memory, above the root.
pub(super) fn are_missing(root: &Path, mounts: &[MountConfig]) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(root) = openat(CWD, root, flags, Mode::empty()) else {
        return false;
    };
    let is_missing = |path: &[u8]| {
        let path = OsStr::from_bytes(path);
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).is_err()
    };
    let places = mounts.iter().map(|mount| mount.destination.as_slice());
    // Those inside other mounts are no matter of the root.
    let mut places = places.filter(|place| !mounts.iter().any(|outer| is_inside(place, outer)));
    places.any(is_missing)
}

fn is_inside(place: &[u8], outer: &MountConfig) -> bool {
    let rest = place.strip_prefix(outer.destination.as_slice());
    rest.is_some_and(|rest| rest.starts_with(b"/"))
}
