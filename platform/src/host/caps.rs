//! Capabilities of this process; capabilities(7).

use bitflags::bitflags;
use nix::errno::Errno;

bitflags! {
    /// A set of capabilities, by their bits in Linux's 64-bit masks.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Caps: u64 {
        /// Change owners of files.
        const CHOWN = 1 << 0;
        /// Read, write and search whatever the modes say.
        const DAC_OVERRIDE = 1 << 1;
        /// Read and search whatever the modes say.
        const DAC_READ_SEARCH = 1 << 2;
        /// Act as the owner of any file.
        const FOWNER = 1 << 3;
        /// Keep set-user-id bits of changed files.
        const FSETID = 1 << 4;
        /// Change groups.
        const SETGID = 1 << 6;
        /// Change users.
        const SETUID = 1 << 7;
        /// Drop capabilities from the bounding set.
        const SETPCAP = 1 << 8;
        /// Bind to ports of the privileged.
        const NET_BIND_SERVICE = 1 << 10;
        /// Set up interfaces.
        const NET_ADMIN = 1 << 12;
        /// Raw sockets.
        const NET_RAW = 1 << 13;
        /// Mounts and namespaces.
        const SYS_ADMIN = 1 << 21;
        /// Capabilities of files.
        const SETFCAP = 1 << 31;
    }
}

/// The highest capability number that this code knows of (CAP_CHECKPOINT_RESTORE); a newer
/// one could only be dropped by a newer mask.
const LAST: u32 = 63;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Keeps `keep` and gives up everything else for good: ambient, inheritable, permitted and
/// effective sets, and the bounding set.
pub fn drop_all_but(keep: Caps) -> nix::Result<()> {
    // The bounding set first: it needs CAP_SETPCAP.
    for cap in 0..=LAST {
        if keep.bits() >> cap & 1 == 1 {
            continue;
        }
        // SAFETY: numbers only.
        match Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, cap, 0, 0, 0) }) {
            Ok(_) => {}
            // Past the last capability of this host.
            Err(Errno::EINVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    // SAFETY: numbers only.
    Errno::result(unsafe {
        libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_CLEAR_ALL,
            0,
            0,
            0,
        )
    })?;
    set(keep, Caps::empty())
}

/// Makes `keep` survive an execve of a plain file. All of `keep` must be permitted.
/// Makes system calls only, so that a child may call it between clone and execve.
pub(super) fn keep_across_execve(keep: Caps) -> Result<(), Errno> {
    if keep.is_empty() {
        return Ok(());
    }
    set(keep, keep)?;
    for cap in keep.iter() {
        let number = cap.bits().trailing_zeros();
        // SAFETY: numbers only.
        Errno::result(unsafe {
            libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_RAISE,
                number,
                0,
                0,
            )
        })?;
    }
    Ok(())
}

/// Sets the permitted and effective sets to `permitted`, and the inheritable set.
fn set(permitted: Caps, inheritable: Caps) -> Result<(), Errno> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let half = |caps: Caps, shift: u32| u32::try_from(caps.bits() >> shift & 0xffff_ffff);
    let data = |shift| {
        let permitted = half(permitted, shift).unwrap_or(0);
        Data {
            effective: permitted,
            permitted,
            inheritable: half(inheritable, shift).unwrap_or(0),
        }
    };
    let data = [data(0), data(32)];
    // SAFETY: version 3 reads one header and two data structures, both valid here.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    Errno::result(result).map(drop)
}

/// Effective capabilities of this thread; capget(2).
pub fn effective() -> nix::Result<u64> {
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 writes two data structures and may write the header.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    Errno::result(result)?;
    let [low, high] = data;
    Ok(u64::from(low.effective) | u64::from(high.effective) << 32)
}
