//! What CPUID tells applications.

use std::arch::x86_64::{__cpuid, __cpuid_count};

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2};
use kvm_ioctls::Kvm;

use crate::Error;
use crate::arch::FpState;

/// `KVM_CPUID_FLAG_SIGNIFCANT_INDEX`
const BY_INDEX: u32 = 1;
/// Leaves of a hypervisor begin here.
const HYPERVISOR: u32 = 0x4000_0000;
const EXTENDED: u32 = 0x8000_0000;
/// Of leaf 1, ecx.
const IS_GUEST: u32 = 1 << 31;
const XSAVE: u32 = 1 << 26;
/// Of leaf 7, ecx.
const PKU: u32 = 1 << 3;
/// Of leaf 7, ebx.
const FSGSBASE: u32 = 1;
const SMEP: u32 = 1 << 7;

/// The answers of a machine's processors.
pub(super) struct Cpuid {
    pub(super) entries: CpuId,
}

impl Cpuid {
    /// What the host's KVM can give to guests.
    pub(super) fn supported(kvm: &Kvm) -> Result<Self, Error> {
        let entries = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES);
        let mut all = entries
            .map_err(super::host("ask for supported features"))?
            .as_slice()
            .to_vec();
        // Who runs us is the host's business: applications see its answers.
        all.retain(|entry| entry.function & 0xffff_0000 != HYPERVISOR);
        let guest = native(1, 0).ecx & IS_GUEST;
        for entry in &mut all {
            if entry.function == 1 {
                entry.ecx = entry.ecx & !IS_GUEST | guest;
            }
        }
        if guest != 0 {
            all.extend(leaves(HYPERVISOR));
        }
        Self::from(all)
    }

    /// What the processor says itself, for hosts where applications run natively whatever
    /// KVM calls supported.
    pub(super) fn native() -> Result<Self, Error> {
        let mut all: Vec<_> = leaves(0).collect();
        if native(1, 0).ecx & IS_GUEST != 0 {
            all.extend(leaves(HYPERVISOR));
        }
        all.extend(leaves(EXTENDED));
        // The host gives no others to a machine that has not asked for them.
        for entry in &mut all {
            if entry.function == 0xd && entry.index == 0 {
                entry.eax &= low(FpState::features());
                entry.edx = 0;
            }
        }
        Self::from(all)
    }

    fn from(all: Vec<kvm_cpuid_entry2>) -> Result<Self, Error> {
        let entries = CpuId::from_entries(&all).map_err(|_| Error::Host {
            what: "list features",
            errno: syscalls::errno::E2BIG,
        })?;
        Ok(Cpuid { entries })
    }

    fn find(&self, function: u32, index: u32) -> kvm_cpuid_entry2 {
        let all = self.entries.as_slice().iter();
        let found = all.copied().find(|entry| {
            entry.function == function && (entry.index == index || entry.flags & BY_INDEX == 0)
        });
        found.unwrap_or_default()
    }

    /// CR4: what a 64-bit kernel sets, as far as the processor has it.
    pub(super) fn cr4(&self) -> u64 {
        /// PAE, OSFXSR, OSXMMEXCPT.
        const ALWAYS: u64 = 1 << 5 | 1 << 9 | 1 << 10;
        let (one, seven) = (self.find(1, 0), self.find(7, 0));
        let optional = [
            (one.ecx & XSAVE, 18),
            (seven.ebx & FSGSBASE, 16),
            (seven.ebx & SMEP, 20),
            (seven.ecx & PKU, 22),
        ];
        let there = optional.into_iter().filter(|(feature, _)| *feature != 0);
        there.fold(ALWAYS, |cr4, (_, bit)| cr4 | 1 << bit)
    }

    /// The components of vector state that applications have: XCR0.
    pub(super) fn xcr0(&self) -> Option<u64> {
        let leaf = self.find(0xd, 0);
        let there = u64::from(leaf.edx) << 32 | u64::from(leaf.eax);
        (self.find(1, 0).ecx & XSAVE != 0).then_some(there & FpState::features())
    }

    /// Bits of a guest-physical address.
    pub(super) fn physical_bits(&self) -> u32 {
        match self.find(0x8000_0008, 0).eax & 0xff {
            0 => 36,
            bits => bits,
        }
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(u32::MAX)
}

#[allow(unused_unsafe, reason = "safe in newer toolchains")]
fn native(function: u32, index: u32) -> std::arch::x86_64::CpuidResult {
    // SAFETY: CPUID is there on every x86-64.
    unsafe { __cpuid_count(function, index) }
}

/// The processor's own answers from `first` on.
fn leaves(first: u32) -> impl Iterator<Item = kvm_cpuid_entry2> {
    /// No processor has more.
    const MOST: u32 = 0x40;
    #[allow(unused_unsafe, reason = "safe in newer toolchains")]
    // SAFETY: CPUID is there on every x86-64.
    let last = unsafe { __cpuid(first) }.eax;
    let last = last.clamp(first, first + MOST);
    (first..=last).flat_map(|function| {
        let indices = match function {
            4 | 0xb | 0x1f | 0x8000_001d => 0..8,
            7 | 0x12 | 0x14 | 0x17 | 0x18 | 0x1d | 0x24 => 0..3,
            0xd => 0..32,
            _ => 0..1,
        };
        let by_index = if indices.end > 1 { BY_INDEX } else { 0 };
        indices.map(move |index| {
            let answer = native(function, index);
            kvm_cpuid_entry2 {
                function,
                index,
                flags: by_index,
                eax: answer.eax,
                ebx: answer.ebx,
                ecx: answer.ecx,
                edx: answer.edx,
                ..kvm_cpuid_entry2::default()
            }
        })
    })
}
