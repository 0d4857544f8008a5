//! One process controlling another, ptrace(2).

use super::layout;
use crate::flags::{flags, numbers};

layout! {
    /// General registers, `PTRACE_GETREGS` and `NT_PRSTATUS`.
    pub struct UserRegs {
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

    /// What a tracee stopped at, `PTRACE_GET_SYSCALL_INFO`.
    pub struct SyscallInfo {
        /// One of the `PTRACE_SYSCALL_INFO_` numbers.
        pub op: u8,
        pub pad0: [u8; 3],
        pub arch: u32,
        pub instruction_pointer: u64,
        pub stack_pointer: u64,
        /// Number and arguments at an entry; at an exit the result, then 1 if it is an
        /// error; at a seccomp stop also the filter's data.
        pub fields: [u64; 8],
    }

    /// `PTRACE_PEEKSIGINFO`.
    pub struct PeekSiginfo {
        pub off: u64,
        pub flags: u32,
        pub nr: i32,
    }
}

numbers! {
    /// `request`.
    pub const PTRACE_REQUESTS: i64 {
        PTRACE_TRACEME = 0;
        PTRACE_PEEKTEXT = 1;
        PTRACE_PEEKDATA = 2;
        PTRACE_PEEKUSER = 3;
        PTRACE_POKETEXT = 4;
        PTRACE_POKEDATA = 5;
        PTRACE_POKEUSER = 6;
        PTRACE_CONT = 7;
        PTRACE_KILL = 8;
        PTRACE_SINGLESTEP = 9;
        PTRACE_GETREGS = 12;
        PTRACE_SETREGS = 13;
        PTRACE_GETFPREGS = 14;
        PTRACE_SETFPREGS = 15;
        PTRACE_ATTACH = 16;
        PTRACE_DETACH = 17;
        PTRACE_SYSCALL = 24;
        PTRACE_ARCH_PRCTL = 30;
        PTRACE_SYSEMU = 31;
        PTRACE_SYSEMU_SINGLESTEP = 32;
        PTRACE_SINGLEBLOCK = 33;
        PTRACE_SETOPTIONS = 0x4200;
        PTRACE_GETEVENTMSG = 0x4201;
        PTRACE_GETSIGINFO = 0x4202;
        PTRACE_SETSIGINFO = 0x4203;
        PTRACE_GETREGSET = 0x4204;
        PTRACE_SETREGSET = 0x4205;
        PTRACE_SEIZE = 0x4206;
        PTRACE_INTERRUPT = 0x4207;
        PTRACE_LISTEN = 0x4208;
        PTRACE_PEEKSIGINFO = 0x4209;
        PTRACE_GETSIGMASK = 0x420a;
        PTRACE_SETSIGMASK = 0x420b;
        PTRACE_SECCOMP_GET_FILTER = 0x420c;
        PTRACE_SECCOMP_GET_METADATA = 0x420d;
        PTRACE_GET_SYSCALL_INFO = 0x420e;
        PTRACE_GET_RSEQ_CONFIGURATION = 0x420f;
    }

    /// Stops that options ask for: bits 8 to 15 of the signal number.
    pub const PTRACE_EVENTS: i32 {
        PTRACE_EVENT_FORK = 1;
        PTRACE_EVENT_VFORK = 2;
        PTRACE_EVENT_CLONE = 3;
        PTRACE_EVENT_EXEC = 4;
        PTRACE_EVENT_VFORK_DONE = 5;
        PTRACE_EVENT_EXIT = 6;
        PTRACE_EVENT_SECCOMP = 7;
        PTRACE_EVENT_STOP = 128;
    }

    /// `op` of [`SyscallInfo`].
    pub const SYSCALL_INFO_KINDS: u8 {
        PTRACE_SYSCALL_INFO_NONE = 0;
        PTRACE_SYSCALL_INFO_ENTRY = 1;
        PTRACE_SYSCALL_INFO_EXIT = 2;
        PTRACE_SYSCALL_INFO_SECCOMP = 3;
    }

    /// Register sets, `PTRACE_GETREGSET`.
    pub const REGISTER_SETS: u64 {
        NT_PRSTATUS = 1;
        NT_PRFPREG = 2;
        NT_X86_XSTATE = 0x202;
    }
}

flags! {
    /// `PTRACE_SETOPTIONS`.
    pub struct PtraceOptions: u32, "PTRACE_O_", refused {
        TRACESYSGOOD = 1;
        TRACEFORK = 1 << 1;
        TRACEVFORK = 1 << 2;
        TRACECLONE = 1 << 3;
        TRACEEXEC = 1 << 4;
        TRACEVFORKDONE = 1 << 5;
        TRACEEXIT = 1 << 6;
        TRACESECCOMP = 1 << 7;
        EXITKILL = 1 << 20;
        SUSPEND_SECCOMP = 1 << 21;
    }
}
