//! Capabilities, capget(2), and their part of prctl(2).

use syscalls::abi::task::{
    CapData, LINUX_CAPABILITY_VERSION_1, LINUX_CAPABILITY_VERSION_2, LINUX_CAPABILITY_VERSION_3,
    PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_LOWER, PR_CAP_AMBIENT_RAISE,
};
use syscalls::errno::{EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Run, SysResult, UserPtr, call};

use crate::task::{Capabilities, Credentials, Current, SecureBits};

/// How many [`CapData`] a version has: `None` for one that is not known.
fn halves(version: u32) -> Option<usize> {
    match version {
        LINUX_CAPABILITY_VERSION_1 => Some(1),
        LINUX_CAPABILITY_VERSION_2 | LINUX_CAPABILITY_VERSION_3 => Some(2),
        _ => None,
    }
}

fn split(set: Capabilities) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = set.bits().to_le_bytes();
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}

fn join(low: u32, high: u32) -> Capabilities {
    Capabilities::from_bits_truncate(u64::from(low) | u64::from(high) << 32)
}

impl Run<Current> for call::Capget {
    fn run(self, task: &mut Current) -> SysResult {
        let mut header = task.mem().read(self.hdrp)?;
        let Some(count) = halves(header.version) else {
            header.version = LINUX_CAPABILITY_VERSION_3;
            task.mem().write(self.hdrp, &header)?;
            // A NULL asks for the version alone.
            return if self.datap.is_null() {
                Ok(0)
            } else {
                Err(EINVAL.into())
            };
        };
        if self.datap.is_null() {
            return Ok(0);
        }
        if header.pid < 0 {
            return Err(EINVAL.into());
        }
        let creds = match header.pid {
            0 => task.creds.get(),
            pid => task.find_task(pid).ok_or(ESRCH)?.creds.get(),
        };
        let sets = [creds.effective, creds.permitted, creds.inheritable].map(split);
        let data = [0, 1].map(|half: usize| CapData {
            effective: sets[0][half],
            permitted: sets[1][half],
            inheritable: sets[2][half],
        });
        let data = data.get(..count).unwrap_or(&data);
        task.mem().write_slice(self.datap, data)?;
        Ok(0)
    }
}

impl Run<Current> for call::Capset {
    fn run(self, task: &mut Current) -> SysResult {
        let mut header = task.mem().read(self.hdrp)?;
        let Some(count) = halves(header.version) else {
            header.version = LINUX_CAPABILITY_VERSION_3;
            task.mem().write(self.hdrp, &header)?;
            return Err(EINVAL.into());
        };
        if header.pid != 0 && header.pid != task.own_tid() {
            return Err(EPERM.into());
        }
        let mut data = [CapData::default(); 2];
        let read: Vec<CapData> = task.mem().read_slice(self.datap, count)?;
        for (to, from) in data.iter_mut().zip(read) {
            *to = from;
        }
        let [low, high] = data;
        let new = change(
            &task.creds.get(),
            join(low.effective, high.effective),
            join(low.permitted, high.permitted),
            join(low.inheritable, high.inheritable),
        )?;
        task.set_credentials(new);
        Ok(0)
    }
}

/// capabilities(7), "Programmatically adjusting capability sets".
fn change(
    old: &Credentials,
    effective: Capabilities,
    permitted: Capabilities,
    inheritable: Capabilities,
) -> Result<Credentials, Errno> {
    let free = old.has_here(Capabilities::SETPCAP);
    let may_inherit = (free || (old.inheritable | old.permitted).contains(inheritable))
        && (old.inheritable | old.bounding).contains(inheritable);
    if !may_inherit || !old.permitted.contains(permitted) || !permitted.contains(effective) {
        return Err(EPERM);
    }
    Ok(Credentials {
        effective,
        permitted,
        inheritable,
        ambient: old.ambient & permitted & inheritable,
        ..old.clone()
    })
}

/// One capability by its number; `EINVAL`.
fn capability(number: u64) -> Result<Capabilities, Errno> {
    let number = u32::try_from(number).map_err(|_| EINVAL)?;
    let bit = 1_u64.checked_shl(number).ok_or(EINVAL)?;
    Capabilities::from_bits(bit).ok_or(EINVAL)
}

impl Current {
    /// PR_CAPBSET_READ.
    pub(super) fn read_bounding(&self, number: u64) -> SysResult {
        let cap = capability(number)?;
        Ok(u64::from(self.creds.get().bounding.contains(cap)))
    }

    /// PR_CAPBSET_DROP.
    pub(super) fn drop_bounding(&self, number: u64) -> SysResult {
        let mut new = Credentials::clone(&self.creds.get());
        if !new.has_here(Capabilities::SETPCAP) {
            return Err(EPERM.into());
        }
        new.bounding -= capability(number)?;
        self.set_credentials(new);
        Ok(0)
    }

    /// PR_SET_SECUREBITS.
    pub(super) fn set_secure_bits(&self, bits: u64) -> SysResult {
        let mut new = Credentials::clone(&self.creds.get());
        let old = new.securebits;
        let bits = u32::try_from(bits).ok().and_then(SecureBits::from_bits);
        let wanted = bits.ok_or(EPERM)?;
        let locks = SecureBits::NOROOT_LOCKED
            | SecureBits::NO_SETUID_FIXUP_LOCKED
            | SecureBits::KEEP_CAPS_LOCKED
            | SecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
        // A lock holds the bit below it.
        let locked = SecureBits::from_bits_truncate((old & locks).bits() >> 1);
        let breaks = (old ^ wanted).intersects(locked) || !wanted.contains(old & locks);
        if breaks || !new.has_here(Capabilities::SETPCAP) {
            return Err(EPERM.into());
        }
        new.securebits = wanted;
        self.set_credentials(new);
        Ok(0)
    }

    /// PR_SET_KEEPCAPS.
    pub(super) fn set_keep_caps(&self, keep: u64) -> SysResult {
        if keep > 1 {
            return Err(EINVAL.into());
        }
        let mut new = Credentials::clone(&self.creds.get());
        if new.securebits.contains(SecureBits::KEEP_CAPS_LOCKED) {
            return Err(EPERM.into());
        }
        new.securebits.set(SecureBits::KEEP_CAPS, keep == 1);
        self.set_credentials(new);
        Ok(0)
    }

    /// PR_CAP_AMBIENT.
    pub(super) fn change_ambient(&self, what: u64, number: u64, rest: [u64; 2]) -> SysResult {
        let mut new = Credentials::clone(&self.creds.get());
        if what == PR_CAP_AMBIENT_CLEAR_ALL {
            if number != 0 || rest != [0, 0] {
                return Err(EINVAL.into());
            }
            new.ambient = Capabilities::empty();
            self.set_credentials(new);
            return Ok(0);
        }
        if rest != [0, 0] {
            return Err(EINVAL.into());
        }
        let cap = capability(number)?;
        match what {
            PR_CAP_AMBIENT_IS_SET => return Ok(u64::from(new.ambient.contains(cap))),
            PR_CAP_AMBIENT_RAISE => {
                let allowed = new.permitted.contains(cap)
                    && new.inheritable.contains(cap)
                    && !new.securebits.contains(SecureBits::NO_CAP_AMBIENT_RAISE);
                if !allowed {
                    return Err(EPERM.into());
                }
                new.ambient |= cap;
            }
            PR_CAP_AMBIENT_LOWER => new.ambient -= cap,
            _ => return Err(EINVAL.into()),
        }
        self.set_credentials(new);
        Ok(0)
    }

    /// A number for the guest.
    pub(super) fn put_int(&self, at: u64, value: i32) -> SysResult {
        let at: UserPtr<i32> = syscalls::UserAddr::new(at).cast();
        self.mem().write(at, &value)?;
        Ok(0)
    }
}
