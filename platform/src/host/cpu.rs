//! What the processor says of itself.

use std::arch::x86_64::__cpuid_count;

/// Registers after CPUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "registers")]
pub struct Leaf {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
}

/// CPUID; all zeros for a leaf that the processor does not have.
#[must_use]
#[allow(unused_unsafe, reason = "safe in newer toolchains")]
pub fn cpuid(leaf: u32, subleaf: u32) -> Leaf {
    // SAFETY: CPUID is there on every x86-64; the first leaf of a group tells the last.
    let last = unsafe { __cpuid_count(leaf & 0xffff_0000, 0) }.eax;
    if leaf > last || last & 0xffff_0000 != leaf & 0xffff_0000 {
        return Leaf::default();
    }
    // SAFETY: as above.
    let found = unsafe { __cpuid_count(leaf, subleaf) };
    Leaf {
        eax: found.eax,
        ebx: found.ebx,
        ecx: found.ecx,
        edx: found.edx,
    }
}

#[cfg(test)]
mod tests {
    use super::{Leaf, cpuid};

    #[test]
    fn leaves() {
        assert_ne!(cpuid(0, 0).ebx, 0, "vendor");
        assert_ne!(cpuid(1, 0).edx & 1, 0, "floating-point unit");
        assert_eq!(cpuid(0x7fff_ffff, 0), Leaf::default());
    }
}
