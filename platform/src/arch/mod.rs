//! Registers and vector state of x86-64.

mod auxv;
mod fpstate;
pub mod vdso;
mod xsave;

pub use auxv::HostAux;
pub use fpstate::FpState;
pub(crate) use xsave::xsave_area;

/// End of the addresses that Linux gives to programs (four page-table levels).
const USER_HALF: u64 = 0x7fff_ffff_f000;

/// General-purpose registers of a guest thread, in the order of the kernel's
/// `user_regs_struct`, so that a copy is one move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs, reason = "the registers' own names")]
pub struct Regs {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub orig_rax: u64,
    pub rip: u64,
    pub cs: u64,
    pub eflags: u64,
    pub rsp: u64,
    pub ss: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    pub ds: u64,
    pub es: u64,
    pub fs: u64,
    pub gs: u64,
}

impl Regs {
    /// Code and stack selectors of 64-bit user code, as Linux sets them.
    pub const USER_CS: u64 = 0x33;
    /// See [`Self::USER_CS`].
    pub const USER_SS: u64 = 0x2b;

    /// A thread about to start at `rip` with its stack at `rsp`; all else zero.
    #[must_use]
    pub fn start(rip: u64, rsp: u64) -> Self {
        Regs {
            rip,
            rsp,
            cs: Self::USER_CS,
            ss: Self::USER_SS,
            eflags: 0x202,
            ..Self::default()
        }
    }

    /// What may be loaded into a host task: 64-bit user code and nothing that the host
    /// would refuse, whatever a guest or its signal frame says.
    ///
    /// - Code and stack segment are the ones of 64-bit user code; a data selector that is
    ///   not of user privilege becomes 0.
    /// - A segment base outside the user half becomes 0 (arch_prctl(2) gives `EPERM` for
    ///   it, but a program can load one with WRFSBASE).
    /// - `orig_rax` is -1: the host must not take `rax` for the result of a call of its
    ///   own that is to be restarted.
    /// - Flags need no care: the host takes only the ones that are a program's own.
    #[must_use]
    pub fn sanitized(&self) -> Regs {
        let data = |selector: u64| match selector & 0xffff {
            user if user & 3 == 3 => user,
            _ => 0,
        };
        let base = |address: u64| if address < USER_HALF { address } else { 0 };
        Regs {
            orig_rax: u64::MAX,
            cs: Self::USER_CS,
            ss: Self::USER_SS,
            ds: data(self.ds),
            es: data(self.es),
            fs: data(self.fs),
            gs: data(self.gs),
            fs_base: base(self.fs_base),
            gs_base: base(self.gs_base),
            ..*self
        }
    }

    /// The six argument registers of a system call.
    #[must_use]
    pub fn syscall_args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }
}
