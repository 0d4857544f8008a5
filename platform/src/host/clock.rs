//! Time: the host's clocks are read through nix; here is the processor's counter.

use std::arch::x86_64::{__cpuid, __cpuid_count, _rdtsc};

/// The time stamp counter, cycles.
#[must_use]
pub fn tsc() -> u64 {
    // SAFETY: RDTSC is there on every x86-64; Linux leaves it enabled unless PR_SET_TSC
    // was used.
    unsafe { _rdtsc() }
}

/// True if the counter runs at one rate in every power state and on every CPU
/// (CPUID 0x8000_0007, EDX bit 8), so that time can be computed from it.
#[must_use]
#[allow(unused_unsafe, reason = "safe in newer toolchains")]
pub fn tsc_is_invariant() -> bool {
    // SAFETY: CPUID is there on every x86-64.
    let last = unsafe { __cpuid(0x8000_0000) }.eax;
    // SAFETY: as above.
    last >= 0x8000_0007 && unsafe { __cpuid(0x8000_0007) }.edx & (1 << 8) != 0
}

/// The counter's rate in Hz where the processor tells (CPUID 0x15); elsewhere it is to be
/// measured against CLOCK_MONOTONIC_RAW.
#[must_use]
#[allow(unused_unsafe, reason = "safe in newer toolchains")]
pub fn tsc_rate() -> Option<u64> {
    // SAFETY: CPUID is there on every x86-64.
    if unsafe { __cpuid(0) }.eax < 0x15 {
        return None;
    }
    // SAFETY: as above.
    let leaf = unsafe { __cpuid_count(0x15, 0) };
    if leaf.eax == 0 || leaf.ebx == 0 || leaf.ecx == 0 {
        return None;
    }
    Some(u64::from(leaf.ecx) * u64::from(leaf.ebx) / u64::from(leaf.eax))
}
