//! What the host told us of its processor, getauxval(3).

/// What a program gets to know of the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAux {
    /// `AT_HWCAP`: CPUID 1, EDX.
    pub hwcap: u64,
    /// `AT_HWCAP2`.
    pub hwcap2: u64,
    /// `AT_MINSIGSTKSZ`, bytes; 0 where the host does not tell.
    pub min_signal_stack: u64,
}

impl HostAux {
    /// The host's values.
    #[must_use]
    pub fn get() -> Self {
        HostAux {
            hwcap: value(libc::AT_HWCAP),
            hwcap2: value(libc::AT_HWCAP2),
            min_signal_stack: value(libc::AT_MINSIGSTKSZ),
        }
    }
}

fn value(kind: libc::c_ulong) -> u64 {
    // SAFETY: reads the auxiliary vector that the host gave this process; any kind may be
    // asked for.
    unsafe { libc::getauxval(kind) }
}
