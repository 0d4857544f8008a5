//! Path confinement: every step below a tree's root goes through [`child`], one component
//! at a time, relative to a directory's descriptor, never through a symbolic link. The
//! component is checked and openat2(2) is told to stay beneath, so that not even a bug in
//! the check would lead out; and as a directory's descriptor does not change its meaning
//! when names move, there is nothing for a race to win.

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, fstatfs, openat2};
use syscalls::Errno;
use syscalls::errno::{EINVAL, ENOENT, EXDEV};

use super::Mounts;
use super::node::Node;
use crate::host::HostResult;
use crate::wire::name;

/// What was found under a name.
pub(super) struct Child {
    /// Its `O_PATH` descriptor.
    pub(super) path: OwnedFd,
    /// Beyond a mount that is not followed.
    pub(super) sealed: bool,
}

/// Looks `name` up in the directory `dir`, whose tree has the policy `mounts`.
pub(super) fn child(dir: &Node, mounts: Mounts, name: &CStr) -> Result<Child, Errno> {
    name::check(name.to_bytes())?;
    if dir.sealed {
        return Err(ENOENT);
    }
    match open(dir.path(), name, ResolveFlags::NO_XDEV) {
        Ok(path) => Ok(Child {
            path,
            sealed: false,
        }),
        Err(EXDEV) => {
            let path = open(dir.path(), name, ResolveFlags::empty())?;
            let sealed = match mounts {
                Mounts::Stay => true,
                Mounts::FollowAll => false,
                Mounts::FollowFiles => shows_the_kernel(&path)?,
            };
            Ok(Child { path, sealed })
        }
        Err(errno) => Err(errno),
    }
}

fn open(dir: BorrowedFd<'_>, name: &CStr, more: ResolveFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(dir, name, flags, Mode::empty(), resolve | more).host()
}

/// File systems whose files are the host kernel's insides; magic numbers of statfs(2).
const KERNEL: &[i64] = &[
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xf97c_ff8c, // selinuxfs
    0xcafe_4a11, // bpf
    0x6165_676c, // pstore
    0xde5e_81e4, // efivarfs
    0x6265_6570, // configfs
    0x6573_5543, // fusectl
    0x4249_4e4d, // binfmt_misc
    0x1980_0202, // mqueue
    0x1cd1,      // devpts
    0x6e73_6673, // nsfs
    0x0187,      // autofs
];

fn shows_the_kernel(path: &OwnedFd) -> Result<bool, Errno> {
    #[allow(
        clippy::unnecessary_cast,
        reason = "the type differs between architectures"
    )]
    let magic = fstatfs(path).host()?.f_type as i64;
    Ok(KERNEL.contains(&magic))
}

/// Takes a name that ends with NUL off the front of a request's tail.
pub(super) fn take_name<'a>(tail: &mut &'a [u8]) -> Result<&'a CStr, Errno> {
    let taken = CStr::from_bytes_until_nul(tail).map_err(|_| EINVAL)?;
    *tail = tail.get(taken.count_bytes() + 1..).ok_or(EINVAL)?;
    Ok(taken)
}

/// The one name of a request, checked.
pub(super) fn only_name(mut tail: &[u8]) -> Result<&CStr, Errno> {
    let taken = take_name(&mut tail)?;
    name::check(taken.to_bytes())?;
    if tail.is_empty() {
        Ok(taken)
    } else {
        Err(EINVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::{only_name, take_name};
    use syscalls::errno::EINVAL;

    #[test]
    fn tails() {
        assert_eq!(only_name(b"a\0").unwrap(), c"a");
        for bad in [&b""[..], b"a", b"\0", b"..\0", b"a\0b", b"a\0b\0", b"a/b\0"] {
            assert_eq!(only_name(bad), Err(EINVAL));
        }
        let mut tail = &b"a\0b\0"[..];
        assert_eq!(take_name(&mut tail).unwrap(), c"a");
        assert_eq!(take_name(&mut tail).unwrap(), c"b");
        assert_eq!(take_name(&mut tail), Err(EINVAL));
    }
}
