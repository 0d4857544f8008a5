//! The network namespace that a configuration names.

use std::fs::File;
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{FsType, fstatfs};

use crate::failure::{Context, Failure, Outcome};

/// `NSFS_MAGIC`, the file system of namespaces(7).
const NSFS: FsType = FsType(0x6e73_6673);

/// Makes sure that there is a network namespace at `path`.
pub(super) fn check(path: &Path) -> Outcome<()> {
    let shown = path.display();
    let wrong = || {
        Failure::new(format!(
            "linux.namespaces: {shown} is not a network namespace"
        ))
    };
    if !path.is_absolute() {
        return Err(wrong());
    }
    let file = File::open(path).context(format_args!("linux.namespaces: {shown}"))?;
    let stat = fstatfs(&file).context(format_args!("linux.namespaces: {shown}"))?;
    if stat.filesystem_type() != NSFS {
        return Err(wrong());
    }
    // Its kind shows when a thread enters it, which ends with that.
    let enter = || setns(&file, CloneFlags::CLONE_NEWNET);
    let entered = std::thread::scope(|scope| scope.spawn(enter).join());
    match entered {
        Ok(Err(nix::errno::Errno::EINVAL)) => Err(wrong()),
        // An ordinary user may not, whatever it is.
        _ => Ok(()),
    }
}
