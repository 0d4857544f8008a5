//! The container's root, which containerd has as mounts to be made.

use std::path::{Path, PathBuf};

use containerd_shim::mount::{mount_rootfs, umount_recursive};
use containerd_shim::protos::types::mount::Mount;
use nix::mount::MntFlags;

use super::fault::{Answer, Context};

fn path(bundle: &Path) -> PathBuf {
    bundle.join("rootfs")
}

/// Makes them, one over the other.
pub(crate) fn mount(bundle: &Path, mounts: &[Mount]) -> Answer<()> {
    let target = path(bundle);
    if !mounts.is_empty() {
        std::fs::create_dir_all(&target).context(target.display())?;
    }
    for mount in mounts {
        let (kind, source) = (Some(mount.type_.as_str()), Some(mount.source.as_str()));
        mount_rootfs(kind, source, &mount.options, &target)
            .context(format_args!("mounting the root from {}", mount.source))?;
    }
    Ok(())
}

/// Takes them away.
pub(crate) fn unmount(bundle: &Path) {
    let target = path(bundle);
    let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
    if let Err(error) = umount_recursive(target.to_str(), flags.bits()) {
        log::warn!("{}: {error}", target.display());
    }
}
