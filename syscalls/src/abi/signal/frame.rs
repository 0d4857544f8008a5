//! What the kernel leaves on a handler's stack, and sigreturn(2) takes back.

use super::{AltStack, Siginfo};
use crate::abi::layout;
use crate::flags::flags;
use crate::uaddr::UserAddr;

layout! {
    /// Registers at the signal.
    pub struct SigContext {
        pub r8: u64,
        pub r9: u64,
        pub r10: u64,
        pub r11: u64,
        pub r12: u64,
        pub r13: u64,
        pub r14: u64,
        pub r15: u64,
        pub di: u64,
        pub si: u64,
        pub bp: u64,
        pub bx: u64,
        pub dx: u64,
        pub ax: u64,
        pub cx: u64,
        pub sp: u64,
        pub ip: u64,
        pub flags: u64,
        pub cs: u16,
        pub gs: u16,
        pub fs: u16,
        pub ss: u16,
        /// The processor's error code.
        pub err: u64,
        /// The exception's number: 14 for a page fault.
        pub trapno: u64,
        pub oldmask: u64,
        /// The address of a page fault.
        pub cr2: u64,
        /// The XSAVE area, aligned to 64 bytes; NULL for none.
        pub fpstate: UserAddr,
        pub reserved: [u64; 8],
    }

    /// A handler's third argument.
    pub struct UContext {
        pub flags: u64,
        pub link: UserAddr,
        pub stack: AltStack,
        pub mcontext: SigContext,
        pub sigmask: u64,
    }

    /// The frame. Its address is 8 below a multiple of 16, as after a call.
    pub struct SigFrame {
        /// `sa_restorer`, to which the handler returns.
        pub restorer: UserAddr,
        pub uc: UContext,
        pub info: Siginfo,
    }

    /// What the kernel notes in the unused bytes of the FXSAVE image about the XSAVE area
    /// around it.
    pub struct FpxSwBytes {
        pub magic1: u32,
        /// Bytes of the whole area with the second magic number after it.
        pub extended_size: u32,
        /// Which components are there.
        pub xfeatures: u64,
        /// Bytes of the XSAVE area.
        pub xstate_size: u32,
        pub padding: [u32; 7],
    }
}

flags! {
    /// `uc_flags`.
    pub struct UContextFlags: u64, "UC_", kept {
        /// The floating-point state is an XSAVE area.
        FP_XSTATE = 1;
        SIGCONTEXT_SS = 2;
        STRICT_RESTORE_SS = 4;
    }
}

/// `magic1` of [`FpxSwBytes`].
pub const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
/// The four bytes after the XSAVE area.
pub const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;
/// Where [`FpxSwBytes`] is in the FXSAVE image, bytes.
pub const FPX_SW_BYTES: usize = 464;
