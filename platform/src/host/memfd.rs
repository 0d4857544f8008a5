//! Files in memory, memfd_create(2).

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;
use syscalls::Errno;
use syscalls::errno::{EINVAL, EPERM};

use super::errno;

/// A file of `size` bytes, all holes, that nobody can resize: whoever maps it needs not
/// fear that a peer shortens it.
pub(crate) fn create(name: &CStr, size: u64) -> Result<OwnedFd, Errno> {
    let size = i64::try_from(size).map_err(|_| EINVAL)?;
    let file = open(name)?;
    ftruncate(&file, size).map_err(errno)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).map_err(errno)?;
    Ok(file)
}

fn open(name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    // "Not executable" concerns execve only, not PROT_EXEC. Hosts that enforce
    // vm.memfd_noexec demand the flag; kernels before 6.3 do not know it.
    let noexec = MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
    match memfd_create(name, flags | noexec) {
        Err(nix::errno::Errno::EINVAL) => memfd_create(name, flags).map_err(errno),
        other => other.map_err(errno),
    }
}

/// The size in bytes of a file that a peer sent; `EPERM` unless it is sealed against
/// shrinking.
pub(crate) fn sealed_size(file: impl AsFd) -> Result<u64, Errno> {
    let seals = fcntl(file.as_fd(), FcntlArg::F_GET_SEALS).map_err(errno)?;
    if seals & libc::F_SEAL_SHRINK == 0 {
        return Err(EPERM);
    }
    let size = fstat(file).map_err(errno)?.st_size;
    u64::try_from(size).map_err(|_| EINVAL)
}
