//! What the Sentry may ask of the host.
//!
//! Whoever adds a host call to the Sentry adds its row here; [`audit`](super::audit) finds
//! rows that are not needed any more.

use super::list::{Allow, Arg};
use super::program::{Otherwise, Program};
use syscalls::Errno;

/// Kinds of platform that need rows of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum For {
    /// The ptrace platform.
    Ptrace,
    /// The systrap platform.
    Systrap,
    /// The kvm platform.
    Kvm,
}

const EXEC: u64 = libc::PROT_EXEC as u64;

/// A thread of this process, and no new namespace.
const THREAD_FLAGS: u64 = (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND) as u64;
const NAMESPACE_FLAGS: u64 = 0x7e02_0000;

/// Needed on every platform.
pub const COMMON: &[Allow] = &[
    // Threads and sleeping.
    Allow(
        "futex",
        "threads sleep and wake each other, the Gofer and mappers",
    ),
    Allow("clone", "a thread for each guest thread")
        .when(&[Arg(0).masked(THREAD_FLAGS | NAMESPACE_FLAGS, THREAD_FLAGS)]),
    Allow("set_robust_list", "glibc, in each new thread"),
    Allow("rseq", "glibc, in each new thread"),
    Allow("sigaltstack", "Rust, in each new thread"),
    Allow(
        "sched_getaffinity",
        "Rust asks for the stack's bounds; how many CPUs there are",
    ),
    Allow(
        "sched_setaffinity",
        "mappers stay on the CPU of whoever waits for them",
    ),
    Allow(
        "getcpu",
        "where is this thread, where the vDSO does not tell",
    ),
    Allow(
        "rt_sigprocmask",
        "glibc, around the start and end of threads",
    ),
    Allow("prctl", "names of threads").when(&[Arg(0).is(libc::PR_SET_NAME)]),
    Allow("sched_yield", "short waits"),
    Allow("clock_nanosleep", "waits with a limit"),
    Allow("restart_syscall", "a wait that was interrupted by a stop"),
    Allow("gettid", "glibc's locks"),
    Allow("getpid", "log lines"),
    Allow("exit", "the end of a thread"),
    Allow("exit_group", "the end"),
    // Memory.
    Allow("mmap", "memory, stacks, windows of the memory file").when(&[Arg(2).has_none_of(EXEC)]),
    Allow("mprotect", "guard pages of stacks").when(&[Arg(2).has_none_of(EXEC)]),
    Allow("munmap", "memory, stacks"),
    Allow("mremap", "growing allocations"),
    Allow("madvise", "freed stacks and heaps"),
    Allow("brk", "the heap"),
    Allow("fallocate", "gives freed pages of the memory file back"),
    Allow("rt_sigreturn", "copies that met a fault"),
    // Time and chance.
    Allow("clock_gettime", "clocks that the vDSO does not serve"),
    Allow("getrandom", "random numbers for guests"),
    // Descriptors that the Sentry was started with.
    Allow("read", "stdin, the mappers' answers, wakeups"),
    Allow("write", "stdout, stderr, log, wakeups"),
    Allow("readv", "stdin"),
    Allow("writev", "stdout, stderr, log"),
    Allow("pread64", "a file as stdin"),
    Allow("pwrite64", "a file as stdout"),
    Allow("preadv", "a file as stdin, into guest pages"),
    Allow("pwritev", "a file as stdout, from guest pages"),
    Allow("lseek", "the offset of a shared stdout"),
    Allow("newfstatat", "what stdio is").when(&[Arg(3).is(libc::AT_EMPTY_PATH)]),
    Allow("fsync", "a file as stdout"),
    Allow("ftruncate", "a file as stdout, opened again"),
    Allow("fcntl", "flags of stdio; a second handle on it"),
    Allow("close", "descriptors of ended processes and of stdio"),
    Allow("shutdown", "the channel to the Gofer"),
    Allow("accept4", "control connections"),
    Allow("recvmsg", "control requests, mappers' pipes"),
    Allow("sendmsg", "answers to control requests"),
    Allow("recvfrom", "control requests"),
    Allow("sendto", "answers to control requests"),
    Allow("ioctl", "terminal: attributes").when(&[Arg(1).is(TCGETS)]),
    Allow("ioctl", "terminal: attributes").when(&[Arg(1).is(TCSETS)]),
    Allow("ioctl", "terminal: attributes").when(&[Arg(1).is(TCSETSW)]),
    Allow("ioctl", "terminal: attributes").when(&[Arg(1).is(TCSETSF)]),
    Allow("ioctl", "terminal: window").when(&[Arg(1).is(TIOCGWINSZ)]),
    Allow("ioctl", "terminal: window").when(&[Arg(1).is(TIOCSWINSZ)]),
    Allow("ioctl", "bytes in stdin").when(&[Arg(1).is(FIONREAD)]),
    Allow("poll", "is stdio ready"),
    Allow("ppoll", "is stdio ready"),
    Allow("epoll_create1", "watch stdio"),
    Allow("epoll_ctl", "watch stdio"),
    Allow("epoll_wait", "watch stdio"),
    Allow("eventfd2", "wake the watcher"),
    // A panic.
    Allow("tgkill", "abort").when(&[Arg(2).is(libc::SIGABRT)]),
    Allow("rt_sigaction", "abort").when(&[Arg(0).is(libc::SIGABRT)]),
];

/// Needed where address spaces are host processes: ptrace and systrap.
pub const PROCESSES: &[Allow] = &[
    Allow("waitid", "why an address space's process ended"),
    Allow("wait4", "stops and ends of guest tasks"),
    Allow("kill", "interrupt a guest task").when(&[Arg(1).is(libc::SIGURG)]),
    Allow("kill", "end a guest task or address space").when(&[Arg(1).is(libc::SIGKILL)]),
];

/// Needed on ptrace.
pub const PTRACE: &[Allow] = &[
    Allow("ptrace", "run").when(&[Arg(0).is(PTRACE_SYSEMU)]),
    Allow("ptrace", "registers").when(&[Arg(0).is(PTRACE_GETREGS)]),
    Allow("ptrace", "registers").when(&[Arg(0).is(PTRACE_SETREGS)]),
    Allow("ptrace", "what a fault is").when(&[Arg(0).is(PTRACE_GETSIGINFO)]),
    Allow("ptrace", "vector state").when(&[Arg(0).is(PTRACE_GETREGSET)]),
    Allow("ptrace", "vector state").when(&[Arg(0).is(PTRACE_SETREGSET)]),
    Allow("ptrace", "a new guest task").when(&[Arg(0).is(PTRACE_SEIZE)]),
    Allow("ptrace", "a new guest task").when(&[Arg(0).is(PTRACE_INTERRUPT)]),
    Allow("ptrace", "a new guest task").when(&[Arg(0).is(PTRACE_CONT)]),
];

/// Needed on kvm.
pub const KVM: &[Allow] = &[
    Allow("ioctl", "run").when(&[Arg(1).is_request(KVM_RUN)]),
    Allow("ioctl", "vector state").when(&[Arg(1).is_request(KVM_GET_XSAVE)]),
    Allow("ioctl", "vector state").when(&[Arg(1).is_request(KVM_SET_XSAVE)]),
    Allow("ioctl", "another part of the machine's memory")
        .when(&[Arg(1).is_request(KVM_SET_USER_MEMORY_REGION)]),
    Allow("ioctl", "another vCPU").when(&[Arg(1).is_request(KVM_CREATE_VCPU)]),
    Allow("ioctl", "a new vCPU").when(&[Arg(1).is_request(KVM_SET_CPUID2)]),
    Allow("ioctl", "a new vCPU").when(&[Arg(1).is_request(KVM_GET_SREGS)]),
    Allow("ioctl", "a new vCPU").when(&[Arg(1).is_request(KVM_SET_SREGS)]),
    Allow("ioctl", "a new vCPU").when(&[Arg(1).is_request(KVM_SET_XCRS)]),
    Allow("ioctl", "a new vCPU").when(&[Arg(1).is_request(KVM_SET_MSRS)]),
    Allow("ioctl", "a new vCPU").when(&[Arg(1).is_request(KVM_SET_DEVICE_ATTR)]),
    Allow("tgkill", "call a thread out of the machine").when(&[Arg(2).is(libc::SIGURG)]),
];

/// Requests of <linux/kvm.h>.
mod kvm {
    pub(super) const KVM_CREATE_VCPU: u32 = 0xae41;
    pub(super) const KVM_SET_USER_MEMORY_REGION: u32 = 0x4020_ae46;
    pub(super) const KVM_RUN: u32 = 0xae80;
    pub(super) const KVM_GET_SREGS: u32 = 0x8138_ae83;
    pub(super) const KVM_SET_SREGS: u32 = 0x4138_ae84;
    pub(super) const KVM_SET_MSRS: u32 = 0x4008_ae89;
    pub(super) const KVM_SET_CPUID2: u32 = 0x4008_ae90;
    pub(super) const KVM_GET_XSAVE: u32 = 0x9000_aea4;
    pub(super) const KVM_SET_XSAVE: u32 = 0x5000_aea5;
    pub(super) const KVM_SET_XCRS: u32 = 0x4188_aea7;
    pub(super) const KVM_SET_DEVICE_ATTR: u32 = 0x4018_aee1;
}
use kvm::{
    KVM_CREATE_VCPU, KVM_GET_SREGS, KVM_GET_XSAVE, KVM_RUN, KVM_SET_CPUID2, KVM_SET_DEVICE_ATTR,
    KVM_SET_MSRS, KVM_SET_SREGS, KVM_SET_USER_MEMORY_REGION, KVM_SET_XCRS, KVM_SET_XSAVE,
};

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "request numbers are small"
)]
mod requests {
    pub(super) const TCGETS: i32 = libc::TCGETS as i32;
    pub(super) const TCSETS: i32 = libc::TCSETS as i32;
    pub(super) const TCSETSW: i32 = libc::TCSETSW as i32;
    pub(super) const TCSETSF: i32 = libc::TCSETSF as i32;
    pub(super) const TIOCGWINSZ: i32 = libc::TIOCGWINSZ as i32;
    pub(super) const TIOCSWINSZ: i32 = libc::TIOCSWINSZ as i32;
    pub(super) const FIONREAD: i32 = libc::FIONREAD as i32;
    pub(super) const PTRACE_SYSEMU: i32 = libc::PTRACE_SYSEMU as i32;
    pub(super) const PTRACE_GETREGS: i32 = libc::PTRACE_GETREGS as i32;
    pub(super) const PTRACE_SETREGS: i32 = libc::PTRACE_SETREGS as i32;
    pub(super) const PTRACE_GETSIGINFO: i32 = libc::PTRACE_GETSIGINFO as i32;
    pub(super) const PTRACE_GETREGSET: i32 = libc::PTRACE_GETREGSET as i32;
    pub(super) const PTRACE_SETREGSET: i32 = libc::PTRACE_SETREGSET as i32;
    pub(super) const PTRACE_SEIZE: i32 = libc::PTRACE_SEIZE as i32;
    pub(super) const PTRACE_INTERRUPT: i32 = libc::PTRACE_INTERRUPT as i32;
    pub(super) const PTRACE_CONT: i32 = libc::PTRACE_CONT as i32;
}
use requests::{
    FIONREAD, PTRACE_CONT, PTRACE_GETREGS, PTRACE_GETREGSET, PTRACE_GETSIGINFO, PTRACE_INTERRUPT,
    PTRACE_SEIZE, PTRACE_SETREGS, PTRACE_SETREGSET, PTRACE_SYSEMU, TCGETS, TCSETS, TCSETSF,
    TCSETSW, TIOCGWINSZ, TIOCSWINSZ,
};

/// The whole list.
#[must_use]
pub fn rows(platform: For) -> Vec<Allow> {
    match platform {
        For::Ptrace => [COMMON, PROCESSES, PTRACE].concat(),
        For::Systrap => [COMMON, PROCESSES].concat(),
        For::Kvm => [COMMON, KVM].concat(),
    }
}

/// The filter. Before it is installed, call [`denied::report_as`](super::denied::report_as).
pub fn program(platform: For) -> Result<Program, Errno> {
    Program::compile_with_threads(&rows(platform), Otherwise::Trap)
}
