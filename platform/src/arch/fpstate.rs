//! Vector state: the XSAVE area in standard (non-compacted) format, as it stands in a
//! signal frame and as `PTRACE_GETREGSET(NT_X86_XSTATE)` gives it.
//!
//! In a frame, Linux describes the area in bytes that the processor leaves to software
//! (`struct _fpx_sw_bytes` in <asm/sigcontext.h>) and puts a second magic number behind it.

use super::xsave::{FIXED, LEGACY, Layout, PKRU, SSE, X87};

/// `FP_XSTATE_MAGIC1`, in the software bytes.
const MAGIC1: u32 = 0x4650_5853;
/// `FP_XSTATE_MAGIC2`, behind the area.
const MAGIC2: u32 = 0x4650_5845;

/// Places in the area.
const CONTROL_WORD: usize = 0;
const MXCSR: usize = 24;
pub(super) const MXCSR_MASK: usize = 28;
/// Bytes for software: magic1, extended_size (u32 each), xfeatures (u64), xstate_size (u32).
const SOFTWARE: usize = 464;
const XSTATE_BV: usize = 512;

/// An XSAVE area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FpState {
    bytes: Vec<u8>,
}

impl FpState {
    /// What a program finds after execve: x87 control word 0x37f, MXCSR 0x1f80, the
    /// protection keys as Linux presets them, all else clear.
    #[must_use]
    pub fn initial() -> Self {
        /// Access through key 0 only.
        const INITIAL_PKRU: u32 = 0x5555_5554;
        let layout = Layout::get();
        let mut state = FpState {
            bytes: vec![0; layout.size],
        };
        state.put(CONTROL_WORD, &0x37f_u16.to_le_bytes());
        state.put(MXCSR, &0x1f80_u32.to_le_bytes());
        state.put(MXCSR_MASK, &layout.mxcsr_mask.to_le_bytes());
        let mut present = 1 << X87 | 1 << SSE;
        if layout.features >> PKRU & 1 == 1 {
            present |= 1 << PKRU;
            state.put(layout.component(PKRU).0, &INITIAL_PKRU.to_le_bytes());
        }
        state.put(XSTATE_BV, &u64::to_le_bytes(present));
        state
    }

    /// From an area that a guest or a host call gave; clears what a program must not set
    /// (reserved MXCSR bits, unknown components, a compacted format), so that loading it
    /// cannot fault. Components that `bytes` is too short for are in their initial state.
    #[must_use]
    pub fn from_user(bytes: &[u8]) -> Self {
        Self::sanitized(bytes, u64::MAX)
    }

    /// From what a signal frame's `fpstate` points to, [`Self::frame_size`] bytes of it (or
    /// what could be read): as Linux, takes only the first 512 bytes unless both magic
    /// numbers are in place, and only the components that the software bytes name.
    #[must_use]
    pub fn from_frame(bytes: &[u8]) -> Self {
        let layout = Layout::get();
        let extended = u32_at(bytes, SOFTWARE + 4) as usize;
        let features = u64_at(bytes, SOFTWARE + 8);
        let size = u32_at(bytes, SOFTWARE + 16) as usize;
        let whole = u32_at(bytes, SOFTWARE) == MAGIC1
            && (FIXED..=layout.size).contains(&size)
            && size <= extended
            && u32_at(bytes, size) == MAGIC2;
        if whole {
            Self::sanitized(bytes.get(..size).unwrap_or(bytes), features)
        } else {
            Self::sanitized(bytes.get(..LEGACY).unwrap_or(bytes), u64::MAX)
        }
    }

    fn sanitized(bytes: &[u8], features: u64) -> Self {
        let layout = Layout::get();
        let mut state = Self::initial();
        if bytes.len() < LEGACY {
            return state;
        }
        let len = bytes.len().min(layout.size);
        let (present, len) = if len < FIXED {
            // No header: FXSAVE's format.
            (1 << X87 | 1 << SSE, LEGACY)
        } else {
            (u64_at(bytes, XSTATE_BV) & layout.within(len), len)
        };
        if let (Some(target), Some(source)) = (state.bytes.get_mut(..len), bytes.get(..len)) {
            target.copy_from_slice(source);
        }
        let mxcsr = u32_at(bytes, MXCSR) & layout.mxcsr_mask;
        state.put(MXCSR, &mxcsr.to_le_bytes());
        state.put(MXCSR_MASK, &layout.mxcsr_mask.to_le_bytes());
        state.put(SOFTWARE, &[0; LEGACY - SOFTWARE]);
        state.put(XSTATE_BV, &[0; FIXED - XSTATE_BV]);
        state.put(XSTATE_BV, &(present & features).to_le_bytes());
        state
    }

    /// What stands in a signal frame: the area with the software bytes filled in, and the
    /// second magic number; [`Self::frame_size`] bytes, to be aligned to 64.
    #[must_use]
    pub fn frame_bytes(&self) -> Vec<u8> {
        let layout = Layout::get();
        let mut frame = self.clone();
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        frame.put(SOFTWARE, &MAGIC1.to_le_bytes());
        frame.put(SOFTWARE + 4, &number(Self::frame_size()));
        frame.put(SOFTWARE + 8, &layout.features.to_le_bytes());
        frame.put(SOFTWARE + 16, &number(layout.size));
        // A handler may change x87 and SSE registers without setting their bits.
        let present = u64_at(&frame.bytes, XSTATE_BV) | 1 << X87 | 1 << SSE;
        frame.put(XSTATE_BV, &present.to_le_bytes());
        frame.bytes.extend(MAGIC2.to_le_bytes());
        frame.bytes
    }

    /// Bytes of [`Self::frame_bytes`].
    #[must_use]
    pub fn frame_size() -> usize {
        Self::size() + size_of_val(&MAGIC2)
    }

    /// The area, [`Self::size`] bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The components of an area on this host, as XCR0 numbers them.
    #[must_use]
    pub fn features() -> u64 {
        Layout::get().features
    }

    /// Bytes of an area on this host (CPUID leaf 0xd), for the components that the host
    /// enables and a program has without asking.
    #[must_use]
    pub fn size() -> usize {
        Layout::get().size
    }

    /// Offsets are the format's own, inside every area.
    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

/// Little-endian number at a place; 0 beyond the end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
    found.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>);
    found.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert!(FpState::size() >= FIXED);
        assert_eq!(FpState::initial().as_bytes().len(), FpState::size());
        assert_eq!(
            FpState::initial().frame_bytes().len(),
            FpState::frame_size()
        );
    }

    #[test]
    fn a_frame_comes_back() {
        let mut bytes = FpState::initial().bytes;
        for byte in &mut bytes[32..464] {
            *byte = 0x5a;
        }
        for byte in &mut bytes[FIXED..] {
            *byte = 0xa5;
        }
        let features = Layout::get().features;
        bytes[XSTATE_BV..XSTATE_BV + 8].copy_from_slice(&features.to_le_bytes());
        let state = FpState::from_user(&bytes);
        assert_eq!(state.as_bytes(), bytes);
        assert_eq!(FpState::from_frame(&state.frame_bytes()), state);
    }

    #[test]
    fn hostile_bytes_are_cleared() {
        let state = FpState::from_user(&vec![0xff; 20_000]);
        let bytes = state.as_bytes();
        assert_eq!(bytes.len(), FpState::size());
        assert_eq!(u64_at(bytes, XSTATE_BV), Layout::get().features);
        assert!(bytes[XSTATE_BV + 8..FIXED].iter().all(|&byte| byte == 0));
        assert_eq!(u32_at(bytes, MXCSR) & !Layout::get().mxcsr_mask, 0);
        assert_eq!(FpState::from_user(&[1, 2, 3]), FpState::initial());
    }

    #[test]
    fn without_magic_only_the_legacy_part_counts() {
        let mut frame = FpState::initial().frame_bytes();
        frame[160] = 9;
        frame[FIXED..].fill(7);
        let state = FpState::from_frame(&frame);
        assert_eq!(state.as_bytes()[160], 9);
        assert!(state.as_bytes()[LEGACY + 8..].iter().all(|&byte| byte != 7));
        assert_eq!(u64_at(state.as_bytes(), XSTATE_BV), 3);
        for cut in 0..frame.len() {
            let _ = FpState::from_frame(&frame[..cut]);
        }
    }
}
