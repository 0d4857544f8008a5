//! Alternate stacks for handlers, sigaltstack(2).

use syscalls::abi::signal::{AltStack as Abi, AltStackFlags, MINSIGSTKSZ};
use syscalls::errno::{EINVAL, ENOMEM};
use syscalls::{Errno, UserAddr};

/// A thread's alternate stack; the default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AltStack {
    /// Lowest address.
    base: u64,
    /// Bytes; 0 without one.
    size: u64,
    /// Gone while a handler runs on it.
    autodisarm: bool,
}

impl AltStack {
    /// From the guest; `EINVAL`, `ENOMEM`.
    pub(super) fn from_abi(abi: &Abi) -> Result<Self, Errno> {
        let flags = AltStackFlags::from_bits_retain(abi.flags);
        let mode = flags - AltStackFlags::AUTODISARM;
        if !mode.is_empty() && mode != AltStackFlags::DISABLE && mode != AltStackFlags::ONSTACK {
            return Err(EINVAL);
        }
        let autodisarm = flags.contains(AltStackFlags::AUTODISARM);
        if mode == AltStackFlags::DISABLE {
            return Ok(AltStack {
                autodisarm,
                ..Self::default()
            });
        }
        if abi.size < MINSIGSTKSZ {
            return Err(ENOMEM);
        }
        Ok(AltStack {
            base: abi.sp.get(),
            size: abi.size,
            autodisarm,
        })
    }

    /// As a frame keeps it; and, with the state of a stack pointer added, as
    /// sigaltstack(2) returns it.
    pub(super) fn to_abi(self) -> Abi {
        let mut flags = AltStackFlags::empty();
        flags.set(AltStackFlags::DISABLE, self.size == 0);
        flags.set(AltStackFlags::AUTODISARM, self.autodisarm);
        Abi {
            sp: UserAddr::new(self.base),
            flags: flags.bits(),
            size: self.size,
            ..Abi::default()
        }
    }

    /// As [`Self::to_abi`], for a thread whose stack pointer is `sp`.
    pub(super) fn to_abi_at(self, sp: u64) -> Abi {
        let mut abi = self.to_abi();
        if self.is_active(sp) {
            abi.flags |= AltStackFlags::ONSTACK.bits();
        }
        abi
    }

    /// True if there is one.
    pub(super) fn is_usable(&self) -> bool {
        self.size != 0
    }

    /// True if a thread with this stack pointer is running on it.
    pub(super) fn is_active(&self, sp: u64) -> bool {
        !self.autodisarm && self.holds(sp)
    }

    /// True if the stack pointer is inside it.
    pub(super) fn holds(&self, sp: u64) -> bool {
        sp > self.base && sp - self.base <= self.size
    }

    /// Where it starts, growing down.
    pub(super) fn top(&self) -> u64 {
        self.base.wrapping_add(self.size)
    }

    /// A frame that remembers the stack was built.
    pub(super) fn entered(&mut self) {
        if self.autodisarm {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Abi, AltStack, EINVAL, ENOMEM, UserAddr};

    fn abi(flags: u32, size: u64) -> Abi {
        Abi {
            sp: UserAddr::new(0x1000),
            flags,
            size,
            ..Abi::default()
        }
    }

    #[test]
    fn bounds_and_flags() {
        assert_eq!(AltStack::from_abi(&abi(4, 8192)), Err(EINVAL));
        assert_eq!(AltStack::from_abi(&abi(3, 8192)), Err(EINVAL));
        assert_eq!(AltStack::from_abi(&abi(0, 100)), Err(ENOMEM));
        let stack = AltStack::from_abi(&abi(1, 8192)).unwrap();
        assert!(!stack.is_active(0x1000) && stack.is_active(0x1001));
        assert!(stack.is_active(0x3000) && !stack.is_active(0x3001));
        assert_eq!(stack.to_abi_at(0x2000).flags, 1);
        assert_eq!(stack.to_abi_at(0x9000).flags, 0);
        let off = AltStack::from_abi(&abi(2, 0)).unwrap();
        assert_eq!(
            off.to_abi_at(0x2000),
            Abi {
                flags: 2,
                ..Abi::default()
            }
        );
        let mut auto = AltStack::from_abi(&abi(1 << 31, 8192)).unwrap();
        assert!(!auto.is_active(0x2000));
        auto.entered();
        assert!(!auto.is_usable());
    }
}
