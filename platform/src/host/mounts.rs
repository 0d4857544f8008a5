//! Mounts by descriptor: open_tree(2), mount_setattr(2), move_mount(2).

use std::ffi::{CStr, c_uint};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use bitflags::bitflags;
use nix::errno::Errno;

bitflags! {
    /// Restrictions of a mount.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Attr: u64 {
        /// No writes.
        const RDONLY = 0x01;
        /// Set-user-id bits and file capabilities mean nothing.
        const NOSUID = 0x02;
        /// Device nodes cannot be opened.
        const NODEV = 0x04;
        /// Nothing can be executed.
        const NOEXEC = 0x08;
    }
}

/// How much of a mount tree is cloned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Only the mount that the path is in; what is mounted below does not show.
    One,
    /// With everything mounted below.
    Recursive,
}

/// A private clone of the mount at `path`, attached nowhere: it ends when the descriptor and
/// all duplicates are closed. Needs CAP_SYS_ADMIN in the user namespace that owns the mount
/// namespace; `EINVAL` where a less privileged namespace asks for [`Depth::One`] of a tree
/// with mounts below (that would show what they hide).
pub fn clone_tree(path: &CStr, depth: Depth) -> nix::Result<OwnedFd> {
    let recursive = match depth {
        Depth::One => 0,
        Depth::Recursive => libc::AT_RECURSIVE.cast_unsigned(),
    };
    let flags: c_uint = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | recursive;
    // SAFETY: a NUL-terminated path; the other arguments are numbers.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: a new descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds restrictions to a mount that `fd` is the root of, and with [`Depth::Recursive`] to
/// all below it.
pub fn restrict(fd: BorrowedFd<'_>, attr: Attr, depth: Depth) -> nix::Result<()> {
    #[repr(C)]
    struct MountAttr {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    let attr = MountAttr {
        set: attr.bits(),
        clear: 0,
        propagation: libc::MS_PRIVATE,
        user_namespace: 0,
    };
    let flags = match depth {
        Depth::One => libc::AT_EMPTY_PATH,
        Depth::Recursive => libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
    };
    // SAFETY: an empty path and a structure of the size that is given, both read only.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    Errno::result(result).map(drop)
}
