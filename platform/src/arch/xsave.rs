//! Where this processor keeps what in an XSAVE area; Intel SDM volume 1, chapter 13.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _fxsave, CpuidResult};
use std::sync::OnceLock;

use super::fpstate::{MXCSR_MASK, u32_at};

/// Bytes of the legacy region, as FXSAVE writes it.
pub(super) const LEGACY: usize = 512;
/// Bytes of legacy region and header.
pub(super) const FIXED: usize = 576;

/// Component numbers.
pub(super) const X87: u32 = 0;
pub(super) const SSE: u32 = 1;
const AVX: u32 = 2;
const OPMASK: u32 = 5;
const ZMM_HIGH: u32 = 6;
const ZMM_16: u32 = 7;
pub(super) const PKRU: u32 = 9;

/// Components that programs may have. Left out: MPX (gone from Linux) and AMX, which
/// Linux gives only to programs that ask.
const KNOWN: [u32; 7] = [X87, SSE, AVX, OPMASK, ZMM_HIGH, ZMM_16, PKRU];

/// The areas of this host.
#[derive(Debug)]
pub(super) struct Layout {
    /// Enabled components that programs may have, as a mask.
    pub(super) features: u64,
    /// Bytes of an area with all of them.
    pub(super) size: usize,
    /// MXCSR bits that may be set.
    pub(super) mxcsr_mask: u32,
    /// First byte and length of the components beyond the legacy region, by number.
    components: [(usize, usize); 64],
}

impl Layout {
    /// The layout on this host.
    pub(super) fn get() -> &'static Layout {
        static LAYOUT: OnceLock<Layout> = OnceLock::new();
        LAYOUT.get_or_init(Layout::read)
    }

    /// First byte and length of a component in an area; zero if this host has it not.
    pub(super) fn component(&self, number: u32) -> (usize, usize) {
        usize::try_from(number)
            .ok()
            .and_then(|number| self.components.get(number))
            .copied()
            .unwrap_or_default()
    }

    /// The components that lie wholly in the first `len` bytes of an area.
    pub(super) fn within(&self, len: usize) -> u64 {
        let fits = |number: &u32| {
            let (start, size) = self.component(*number);
            start + size <= len
        };
        let mask = KNOWN.into_iter().filter(fits).map(|number| 1 << number);
        self.features & mask.fold(0, |all, bit: u64| all | bit)
    }

    fn read() -> Layout {
        let enabled = enabled_components();
        let mut components = [(0, 0); 64];
        let mut features = 0;
        let mut size = FIXED;
        for number in KNOWN {
            if enabled >> number & 1 == 0 {
                continue;
            }
            features |= 1 << number;
            let place = place(number);
            size = size.max(place.0 + place.1);
            if let Some(slot) = components.get_mut(number as usize) {
                *slot = place;
            }
        }
        Layout {
            features,
            size,
            mxcsr_mask: mxcsr_mask(),
            components,
        }
    }
}

/// Bytes of an area with every component that the host has enabled, those that programs
/// must ask for among them: XRSTOR may look at all of it, whatever it is to load. `None` if
/// processor or host have no XSAVE.
pub(crate) fn xsave_area() -> Option<usize> {
    has_xsave().then(|| cpuid(0xd, 0).ebx as usize)
}

/// True if processor and host have the instructions XSAVE and XRSTOR.
fn has_xsave() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    cpuid(1, 0).ecx & OSXSAVE != 0
}

/// XCR0; only x87 and SSE where the processor or the host has no XSAVE.
fn enabled_components() -> u64 {
    if !has_xsave() {
        return 1 << X87 | 1 << SSE;
    }
    let (low, high): (u32, u32);
    // SAFETY: OSXSAVE says that user programs may read XCR0.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack))
    };
    u64::from(high) << 32 | u64::from(low)
}

/// First byte and length of a component in the standard format.
fn place(number: u32) -> (usize, usize) {
    if number <= SSE {
        return (0, FIXED);
    }
    let leaf = cpuid(0xd, number);
    (leaf.ebx as usize, leaf.eax as usize)
}

fn mxcsr_mask() -> u32 {
    #[repr(C, align(16))]
    struct Area([u8; LEGACY]);
    let mut area = Area([0; LEGACY]);
    // SAFETY: FXSAVE writes 512 bytes to a 16-byte aligned place.
    unsafe { _fxsave(area.0.as_mut_ptr()) };
    match u32_at(&area.0, MXCSR_MASK) {
        // The default, says the SDM.
        0 => 0xffbf,
        mask => mask,
    }
}

#[allow(unused_unsafe, reason = "safe in newer toolchains")]
fn cpuid(leaf: u32, subleaf: u32) -> CpuidResult {
    let none = CpuidResult {
        eax: 0,
        ebx: 0,
        ecx: 0,
        edx: 0,
    };
    // SAFETY: CPUID is there on every x86-64.
    if unsafe { __cpuid(0) }.eax < leaf {
        return none;
    }
    // SAFETY: as above.
    unsafe { __cpuid_count(leaf, subleaf) }
}
