//! Vector state: the XSAVE area in standard (non-compacted) format, as it stands in a
//! signal frame and as `PTRACE_GETREGSET(NT_X86_XSTATE)` gives it.

/// An XSAVE area.
#[derive(Clone, Debug)]
pub struct FpState {
    bytes: Vec<u8>,
}

impl FpState {
    /// What a program finds after execve: x87 control word 0x37f, MXCSR 0x1f80, all else clear.
    #[must_use]
    pub fn initial() -> Self {
        todo!()
    }
    /// From a guest's signal frame; clears what a program must not set (reserved MXCSR
    /// bits, unknown components, a compacted format), so that loading it cannot fault.
    #[must_use]
    pub fn from_user(_bytes: &[u8]) -> Self {
        todo!()
    }
    /// The area, [`Self::size`] bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Bytes of an area on this host (CPUID leaf 0xd), for the components that the host enables.
    #[must_use]
    pub fn size() -> usize {
        todo!()
    }
}
