//! The one table: every x86-64 system call of Linux 6.12, a row each. The decoder, the
//! trace and the compatibility report derive from it.
//!
//! A row is `served Name = number "linux_name" { argument: Type, … };`, the same with
//! `partial` and a reason, or `refused Name = number "linux_name" => ERRNO;`.
//! A served or partial row without an `impl Run` in the kernel does not compile.
//!
//! `argument: Type [how]` asks the trace to show the argument with the method `how` of
//! [`Line`], which may be given other arguments of the call.

use crate::abi::aio::{IoEvent, Iocb};
use crate::abi::fs::{
    self, AccessFlags, AccessMode, CloseRangeFlags, DupFlags, EpollEvent, EpollFlags, EventfdFlags,
    FallocateMode, InotifyFlags, IoVec, LinkFlags, LockOperation, MemfdFlags, MountFlags,
    OpenFlags, OpenHow, PathFlags, PipeFlags, PollFd, RandomFlags, RenameFlags, RwFlags, SigsetArg,
    SpliceFlags, StatFlags, StatxMask, SyncRangeFlags, UmountFlags, UnlinkFlags, WatchMask,
    XattrFlags,
};
use crate::abi::futex::{FutexWaiter, RobustListHead};
use crate::abi::ipc::{MqAttr, MsqidDs, SemBuf, ShmidDs};
use crate::abi::mm::{
    self, MapFlags, MlockFlags, MlockallFlags, MremapFlags, MsyncFlags, ProtFlags,
};
use crate::abi::net::{self, MMsgHdr, MessageFlags, MsgHdr, SocketFlags};
use crate::abi::ptrace;
use crate::abi::sched::{
    self, CloneArgs, CloneFlags, PidfdFlags, PidfdSignalFlags, Rlimit, Rusage, SchedAttr,
    SchedParam, WaitOptions,
};
use crate::abi::signal::{self, AltStack, Sigaction, Sigevent, Siginfo, SignalfdFlags};
use crate::abi::task::{self, CapData, CapHeader, Utsname};
use crate::abi::time::{
    self, Itimerspec, Itimerval, TimerFlags, TimerfdFlags, TimerfdSetFlags, Timespec, Timeval,
    Timex, Timezone, Tms, Utimbuf,
};
use crate::arg::{Arg, Fd, NoFlags, Unchecked};
use crate::errno::{EINVAL, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, Errno};
use crate::stop::SysResult;
use crate::trace::Line;
use crate::uaddr::{UserAddr, UserCStr, UserPtr};

/// How much of a call the kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As Linux does it.
    Served,
    /// Served but for what the text names.
    Partial(&'static str),
    /// Answered with this error, as a Linux without the feature would.
    Refused(Errno),
}

/// One row of the table, for reports.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The number in rax.
    pub number: usize,
    /// Linux's name.
    pub name: &'static str,
    /// Support.
    pub level: Level,
    /// Names and types of the arguments, in order.
    pub args: &'static [(&'static str, &'static str)],
}

/// What a kernel does for a call. `K` is the running task.
pub trait Run<K: ?Sized> {
    /// Performs the call.
    fn run(self, task: &mut K) -> SysResult;
}

macro_rules! level {
    (served) => {
        Level::Served
    };
    (partial $why:literal) => {
        Level::Partial($why)
    };
}

macro_rules! show {
    ($line:ident, $arg:ident) => {
        $line.plain($arg)
    };
    ($line:ident, $arg:ident, $how:ident $(($($with:expr),*))?) => {
        $line.$how($arg $($(, $with)*)?)
    };
}

macro_rules! table {
    (
        $( $(#[$doc:meta])* $kind:ident $($why:literal)? : $name:ident = $nr:literal $linux:literal { $($arg:ident : $ty:ty $([$($how:tt)+])?),* $(,)? }; )*
        ---
        $( refused: $rnr:literal $rlinux:literal => $errno:ident; )*
    ) => {
        /// The typed arguments of every call that the kernel serves.
        pub mod call {
            #[allow(unused_imports, reason = "one import list for every row")]
            use super::*;
            $(
                #[doc = concat!("`", $linux, "`(2)")]
                $(#[$doc])*
                #[derive(Debug, Clone, Copy)]
                #[allow(missing_docs, reason = "arguments are named as in the manual page")]
                pub struct $name { $(pub $arg: $ty),* }
            )*
        }

        /// A decoded call.
        #[derive(Debug, Clone, Copy)]
        #[allow(missing_docs, reason = "each variant is the call's own structure")]
        pub enum Call { $($name(call::$name)),* }

        impl Call {
            /// From the number in rax and the six argument registers. The error is the
            /// one to return to the guest.
            #[allow(unused_variables, unused_mut, unused_assignments, reason = "calls without arguments")]
            pub fn decode(number: u64, regs: &[u64; 6]) -> Result<Call, Errno> {
                // Linux looks at the lower half of rax alone.
                match u32::decode(number)? {
                    $($nr => {
                        let mut index = 0;
                        $( let $arg = <$ty as Arg>::decode(regs[index])?; index += 1; )*
                        Ok(Call::$name(call::$name { $($arg),* }))
                    })*
                    $($rnr => Err($errno),)*
                    _ => Err(ENOSYS),
                }
            }

            /// Performs the call in the kernel `K`.
            pub fn run<K: ?Sized>(self, task: &mut K) -> SysResult
            where $(call::$name: Run<K>),*
            {
                match self { $(Call::$name(call) => call.run(task)),* }
            }

            /// Linux's name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Call::$name(_) => $linux),* }
            }

            /// Shows the arguments in a trace.
            pub(crate) fn show(self, line: &mut Line<'_>) {
                match self {
                    $(Call::$name(call::$name { $($arg),* }) => {
                        $(if line.begin() {
                            show!(line, $arg $(, $($how)+)?);
                            line.end();
                        })*
                    })*
                }
            }
        }

        /// Every row, served and partial ones first.
        pub const TABLE: &[Row] = &[
            $( Row { number: $nr, name: $linux, level: level!($kind $($why)?), args: &[$((stringify!($arg), stringify!($ty))),*] }, )*
            $( Row { number: $rnr, name: $rlinux, level: Level::Refused($errno), args: &[] }, )*
        ];
    };
}

table! {
    served: Read = 0 "read" { fd: Fd, buf: UserPtr<u8> [written(count)], count: usize };
    served: Write = 1 "write" { fd: Fd, buf: UserPtr<u8> [data(count)], count: usize };
    served: Open = 2 "open" { pathname: UserCStr, flags: OpenFlags, mode: u32 [open_mode(flags)] };
    served: Close = 3 "close" { fd: Fd };
    served: Stat = 4 "stat" { pathname: UserCStr, statbuf: UserPtr<fs::Stat> [filled] };
    served: Fstat = 5 "fstat" { fd: Fd, statbuf: UserPtr<fs::Stat> [filled] };
    served: Lstat = 6 "lstat" { pathname: UserCStr, statbuf: UserPtr<fs::Stat> [filled] };
    served: Poll = 7 "poll" { fds: UserPtr<PollFd> [list(nfds)], nfds: u32, timeout: i32 };
    served: Lseek = 8 "lseek" { fd: Fd, offset: i64, whence: u32 [named(fs::WHENCE)] };
    served: Mmap = 9 "mmap" { addr: UserAddr, length: u64, prot: ProtFlags, flags: MapFlags, fd: Fd, offset: u64 [hex] };
    served: Mprotect = 10 "mprotect" { addr: UserAddr, len: u64, prot: ProtFlags };
    served: Munmap = 11 "munmap" { addr: UserAddr, length: u64 };
    served: Brk = 12 "brk" { addr: UserAddr };
    served: RtSigaction = 13 "rt_sigaction" { signum: i32 [signal], act: UserPtr<Sigaction> [value], oldact: UserPtr<Sigaction> [filled], sigsetsize: usize };
    served: RtSigprocmask = 14 "rt_sigprocmask" { how: i32 [named(signal::MASK_CHANGES)], set: UserPtr<u64> [sigset], oldset: UserPtr<u64> [filled_sigset], sigsetsize: usize };
    served: RtSigreturn = 15 "rt_sigreturn" { };
    served: Ioctl = 16 "ioctl" { fd: Fd, request: u32 [request], arg: u64 [ioctl_argument(request)] };
    served: Pread64 = 17 "pread64" { fd: Fd, buf: UserPtr<u8> [written(count)], count: usize, offset: i64 };
    served: Pwrite64 = 18 "pwrite64" { fd: Fd, buf: UserPtr<u8> [data(count)], count: usize, offset: i64 };
    served: Readv = 19 "readv" { fd: Fd, iov: UserPtr<IoVec> [filled_buffers(iovcnt)], iovcnt: usize };
    served: Writev = 20 "writev" { fd: Fd, iov: UserPtr<IoVec> [buffers(iovcnt)], iovcnt: usize };
    served: Access = 21 "access" { pathname: UserCStr, mode: AccessMode };
    served: Pipe = 22 "pipe" { pipefd: UserPtr<[Fd; 2]> [filled] };
    served: Select = 23 "select" { nfds: i32, readfds: UserPtr<u64> [fd_set(nfds)], writefds: UserPtr<u64> [fd_set(nfds)], exceptfds: UserPtr<u64> [fd_set(nfds)], timeout: UserPtr<Timeval> [value] };
    served: SchedYield = 24 "sched_yield" { };
    served: Mremap = 25 "mremap" { old_address: UserAddr, old_size: u64, new_size: u64, flags: MremapFlags, new_address: UserAddr };
    served: Msync = 26 "msync" { addr: UserAddr, length: u64, flags: MsyncFlags };
    served: Mincore = 27 "mincore" { addr: UserAddr, length: u64, vec: UserPtr<u8> };
    served: Madvise = 28 "madvise" { addr: UserAddr, length: u64, advice: i32 [named(mm::MEMORY_ADVICE)] };
    served: Shmget = 29 "shmget" { key: i32, size: usize, shmflg: i32 };
    served: Shmat = 30 "shmat" { shmid: i32, shmaddr: UserAddr, shmflg: i32 };
    served: Shmctl = 31 "shmctl" { shmid: i32, cmd: i32, buf: UserPtr<ShmidDs> };
    served: Dup = 32 "dup" { oldfd: Fd };
    served: Dup2 = 33 "dup2" { oldfd: Fd, newfd: Fd };
    served: Pause = 34 "pause" { };
    served: Nanosleep = 35 "nanosleep" { req: UserPtr<Timespec> [value], rem: UserPtr<Timespec> [interrupted] };
    served: Getitimer = 36 "getitimer" { which: i32 [named(time::INTERVAL_TIMERS)], curr_value: UserPtr<Itimerval> [filled] };
    served: Alarm = 37 "alarm" { seconds: u32 };
    served: Setitimer = 38 "setitimer" { which: i32 [named(time::INTERVAL_TIMERS)], new_value: UserPtr<Itimerval> [value], old_value: UserPtr<Itimerval> [filled] };
    served: Getpid = 39 "getpid" { };
    served: Sendfile = 40 "sendfile" { out_fd: Fd, in_fd: Fd, offset: UserPtr<i64> [number], count: usize };
    served: Socket = 41 "socket" { domain: i32 [named(net::FAMILIES)], kind: i32 [socket_type], protocol: i32 [protocol(domain)] };
    served: Connect = 42 "connect" { sockfd: Fd, addr: UserPtr<u8> [address(addrlen)], addrlen: i32 };
    served: Accept = 43 "accept" { sockfd: Fd, addr: UserPtr<u8> [filled_address(addrlen)], addrlen: UserPtr<i32> [filled_number] };
    served: Sendto = 44 "sendto" { sockfd: Fd, buf: UserPtr<u8> [data(len)], len: usize, flags: MessageFlags, dest_addr: UserPtr<u8> [address(addrlen)], addrlen: i32 };
    served: Recvfrom = 45 "recvfrom" { sockfd: Fd, buf: UserPtr<u8> [written(len)], len: usize, flags: MessageFlags, src_addr: UserPtr<u8> [filled_address(addrlen)], addrlen: UserPtr<i32> [filled_number] };
    served: Sendmsg = 46 "sendmsg" { sockfd: Fd, msg: UserPtr<MsgHdr> [message], flags: MessageFlags };
    served: Recvmsg = 47 "recvmsg" { sockfd: Fd, msg: UserPtr<MsgHdr> [filled_message], flags: MessageFlags };
    served: Shutdown = 48 "shutdown" { sockfd: Fd, how: i32 [named(net::SHUTDOWNS)] };
    served: Bind = 49 "bind" { sockfd: Fd, addr: UserPtr<u8> [address(addrlen)], addrlen: i32 };
    served: Listen = 50 "listen" { sockfd: Fd, backlog: i32 };
    served: Getsockname = 51 "getsockname" { sockfd: Fd, addr: UserPtr<u8> [filled_address(addrlen)], addrlen: UserPtr<i32> [filled_number] };
    served: Getpeername = 52 "getpeername" { sockfd: Fd, addr: UserPtr<u8> [filled_address(addrlen)], addrlen: UserPtr<i32> [filled_number] };
    served: Socketpair = 53 "socketpair" { domain: i32 [named(net::FAMILIES)], kind: i32 [socket_type], protocol: i32 [protocol(domain)], sv: UserPtr<[Fd; 2]> [filled] };
    served: Setsockopt = 54 "setsockopt" { sockfd: Fd, level: i32 [option_level], optname: i32 [option(level)], optval: UserPtr<u8> [option_value(optlen)], optlen: i32 };
    served: Getsockopt = 55 "getsockopt" { sockfd: Fd, level: i32 [option_level], optname: i32 [option(level)], optval: UserPtr<u8> [filled_option(optlen)], optlen: UserPtr<i32> [filled_number] };
    /// Only the lower half of `flags` counts: use [`CloneFlags::split`].
    served: Clone = 56 "clone" { flags: CloneFlags [clone_flags(stack)], stack: UserAddr [omit], parent_tid: UserPtr<i32> [clone_parent(flags)], child_tid: UserPtr<i32> [omit], tls: u64 [clone_child(flags, child_tid)] };
    served: Fork = 57 "fork" { };
    served: Vfork = 58 "vfork" { };
    served: Execve = 59 "execve" { pathname: UserCStr, argv: UserPtr<UserCStr> [strings], envp: UserPtr<UserCStr> [environment] };
    served: Exit = 60 "exit" { status: i32 };
    served: Wait4 = 61 "wait4" { pid: i32, wstatus: UserPtr<i32> [wait_status], options: WaitOptions, rusage: UserPtr<Rusage> [filled] };
    served: Kill = 62 "kill" { pid: i32, sig: i32 [signal] };
    served: Uname = 63 "uname" { buf: UserPtr<Utsname> [filled] };
    served: Semget = 64 "semget" { key: i32, nsems: i32, semflg: i32 };
    served: Semop = 65 "semop" { semid: i32, sops: UserPtr<SemBuf> [list(nsops)], nsops: u32 };
    served: Semctl = 66 "semctl" { semid: i32, semnum: i32, cmd: i32, arg: u64 };
    served: Shmdt = 67 "shmdt" { shmaddr: UserAddr };
    served: Msgget = 68 "msgget" { key: i32, msgflg: i32 };
    served: Msgsnd = 69 "msgsnd" { msqid: i32, msgp: UserPtr<i64>, msgsz: usize, msgflg: i32 };
    served: Msgrcv = 70 "msgrcv" { msqid: i32, msgp: UserPtr<i64>, msgsz: usize, msgtyp: i64, msgflg: i32 };
    served: Msgctl = 71 "msgctl" { msqid: i32, cmd: i32, buf: UserPtr<MsqidDs> };
    served: Fcntl = 72 "fcntl" { fd: Fd, cmd: u32 [named(fs::FCNTL_COMMANDS)], arg: u64 [fcntl_argument(cmd)] };
    served: Flock = 73 "flock" { fd: Fd, operation: LockOperation };
    served: Fsync = 74 "fsync" { fd: Fd };
    served: Fdatasync = 75 "fdatasync" { fd: Fd };
    served: Truncate = 76 "truncate" { path: UserCStr, length: i64 };
    served: Ftruncate = 77 "ftruncate" { fd: Fd, length: i64 };
    served: Getdents = 78 "getdents" { fd: Fd, dirp: UserPtr<u8>, count: u32 };
    served: Getcwd = 79 "getcwd" { buf: UserPtr<u8> [written_string(size)], size: usize };
    served: Chdir = 80 "chdir" { path: UserCStr };
    served: Fchdir = 81 "fchdir" { fd: Fd };
    served: Rename = 82 "rename" { oldpath: UserCStr, newpath: UserCStr };
    served: Mkdir = 83 "mkdir" { pathname: UserCStr, mode: u32 [octal] };
    served: Rmdir = 84 "rmdir" { pathname: UserCStr };
    served: Creat = 85 "creat" { pathname: UserCStr, mode: u32 [octal] };
    served: Link = 86 "link" { oldpath: UserCStr, newpath: UserCStr };
    served: Unlink = 87 "unlink" { pathname: UserCStr };
    served: Symlink = 88 "symlink" { target: UserCStr, linkpath: UserCStr };
    served: Readlink = 89 "readlink" { pathname: UserCStr, buf: UserPtr<u8> [written_path(bufsiz)], bufsiz: i32 };
    served: Chmod = 90 "chmod" { pathname: UserCStr, mode: u32 [octal] };
    served: Fchmod = 91 "fchmod" { fd: Fd, mode: u32 [octal] };
    served: Chown = 92 "chown" { pathname: UserCStr, owner: u32 [id], group: u32 [id] };
    served: Fchown = 93 "fchown" { fd: Fd, owner: u32 [id], group: u32 [id] };
    served: Lchown = 94 "lchown" { pathname: UserCStr, owner: u32 [id], group: u32 [id] };
    served: Umask = 95 "umask" { mask: u32 [octal] };
    served: Gettimeofday = 96 "gettimeofday" { tv: UserPtr<Timeval> [filled], tz: UserPtr<Timezone> [filled] };
    served: Getrlimit = 97 "getrlimit" { resource: u32 [named(sched::RESOURCES)], rlim: UserPtr<Rlimit> [filled] };
    served: Getrusage = 98 "getrusage" { who: i32 [named(sched::USAGE_OF)], usage: UserPtr<Rusage> [filled] };
    served: Sysinfo = 99 "sysinfo" { info: UserPtr<task::Sysinfo> [filled] };
    served: Times = 100 "times" { buf: UserPtr<Tms> [filled] };
    served: Ptrace = 101 "ptrace" { request: i64 [named(ptrace::PTRACE_REQUESTS)], pid: i32, addr: u64 [hex], data: u64 [hex] };
    served: Getuid = 102 "getuid" { };
    served: Syslog = 103 "syslog" { kind: i32, bufp: UserPtr<u8>, len: i32 };
    served: Getgid = 104 "getgid" { };
    served: Setuid = 105 "setuid" { uid: u32 };
    served: Setgid = 106 "setgid" { gid: u32 };
    served: Geteuid = 107 "geteuid" { };
    served: Getegid = 108 "getegid" { };
    served: Setpgid = 109 "setpgid" { pid: i32, pgid: i32 };
    served: Getppid = 110 "getppid" { };
    served: Getpgrp = 111 "getpgrp" { };
    served: Setsid = 112 "setsid" { };
    served: Setreuid = 113 "setreuid" { ruid: u32 [id], euid: u32 [id] };
    served: Setregid = 114 "setregid" { rgid: u32 [id], egid: u32 [id] };
    served: Getgroups = 115 "getgroups" { size: i32, list: UserPtr<u32> [filled_list(size)] };
    served: Setgroups = 116 "setgroups" { size: i32, list: UserPtr<u32> [list(size)] };
    served: Setresuid = 117 "setresuid" { ruid: u32 [id], euid: u32 [id], suid: u32 [id] };
    served: Getresuid = 118 "getresuid" { ruid: UserPtr<u32> [filled_number], euid: UserPtr<u32> [filled_number], suid: UserPtr<u32> [filled_number] };
    served: Setresgid = 119 "setresgid" { rgid: u32 [id], egid: u32 [id], sgid: u32 [id] };
    served: Getresgid = 120 "getresgid" { rgid: UserPtr<u32> [filled_number], egid: UserPtr<u32> [filled_number], sgid: UserPtr<u32> [filled_number] };
    served: Getpgid = 121 "getpgid" { pid: i32 };
    served: Setfsuid = 122 "setfsuid" { fsuid: u32 };
    served: Setfsgid = 123 "setfsgid" { fsgid: u32 };
    served: Getsid = 124 "getsid" { pid: i32 };
    served: Capget = 125 "capget" { hdrp: UserPtr<CapHeader> [value], datap: UserPtr<CapData> [filled] };
    served: Capset = 126 "capset" { hdrp: UserPtr<CapHeader> [value], datap: UserPtr<CapData> [value] };
    served: RtSigpending = 127 "rt_sigpending" { set: UserPtr<u64> [filled_sigset], sigsetsize: usize };
    served: RtSigtimedwait = 128 "rt_sigtimedwait" { set: UserPtr<u64> [sigset], info: UserPtr<Siginfo>, timeout: UserPtr<Timespec> [value], sigsetsize: usize };
    served: RtSigqueueinfo = 129 "rt_sigqueueinfo" { tgid: i32, sig: i32 [signal], info: UserPtr<Siginfo> };
    served: RtSigsuspend = 130 "rt_sigsuspend" { mask: UserPtr<u64> [sigset], sigsetsize: usize };
    served: Sigaltstack = 131 "sigaltstack" { ss: UserPtr<AltStack> [value], old_ss: UserPtr<AltStack> [filled] };
    served: Utime = 132 "utime" { filename: UserCStr, times: UserPtr<Utimbuf> [value] };
    served: Mknod = 133 "mknod" { pathname: UserCStr, mode: u32 [mode], dev: u32 [hex] };
    served: Personality = 135 "personality" { persona: u32 [hex] };
    served: Ustat = 136 "ustat" { dev: u32, ubuf: UserPtr<fs::Ustat> };
    served: Statfs = 137 "statfs" { path: UserCStr, buf: UserPtr<fs::Statfs> [filled] };
    served: Fstatfs = 138 "fstatfs" { fd: Fd, buf: UserPtr<fs::Statfs> [filled] };
    served: Getpriority = 140 "getpriority" { which: i32 [named(sched::PRIORITY_OF)], who: i32 };
    served: Setpriority = 141 "setpriority" { which: i32 [named(sched::PRIORITY_OF)], who: i32, prio: i32 };
    served: SchedSetparam = 142 "sched_setparam" { pid: i32, param: UserPtr<SchedParam> [value] };
    served: SchedGetparam = 143 "sched_getparam" { pid: i32, param: UserPtr<SchedParam> [filled] };
    served: SchedSetscheduler = 144 "sched_setscheduler" { pid: i32, policy: i32 [named(sched::POLICIES)], param: UserPtr<SchedParam> [value] };
    served: SchedGetscheduler = 145 "sched_getscheduler" { pid: i32 };
    served: SchedGetPriorityMax = 146 "sched_get_priority_max" { policy: i32 [named(sched::POLICIES)] };
    served: SchedGetPriorityMin = 147 "sched_get_priority_min" { policy: i32 [named(sched::POLICIES)] };
    served: SchedRrGetInterval = 148 "sched_rr_get_interval" { pid: i32, tp: UserPtr<Timespec> [filled] };
    served: Mlock = 149 "mlock" { addr: UserAddr, len: u64 };
    served: Munlock = 150 "munlock" { addr: UserAddr, len: u64 };
    served: Mlockall = 151 "mlockall" { flags: MlockallFlags };
    served: Munlockall = 152 "munlockall" { };
    served: PivotRoot = 155 "pivot_root" { new_root: UserCStr, put_old: UserCStr };
    served: Prctl = 157 "prctl" { option: i32 [named(task::PRCTL_OPTIONS)], arg2: u64 [prctl_second(option)], arg3: u64 [prctl_rest(option)], arg4: u64 [prctl_rest(option)], arg5: u64 [prctl_rest(option)] };
    served: ArchPrctl = 158 "arch_prctl" { code: i32 [named(task::ARCH_PRCTL_CODES)], addr: u64 [arch_prctl_address(code)] };
    served: Adjtimex = 159 "adjtimex" { buf: UserPtr<Timex> };
    served: Setrlimit = 160 "setrlimit" { resource: u32 [named(sched::RESOURCES)], rlim: UserPtr<Rlimit> [value] };
    served: Chroot = 161 "chroot" { path: UserCStr };
    served: Sync = 162 "sync" { };
    served: Mount = 165 "mount" { source: UserCStr, target: UserCStr, filesystemtype: UserCStr, mountflags: MountFlags, data: UserCStr };
    served: Umount2 = 166 "umount2" { target: UserCStr, flags: UmountFlags };
    served: Sethostname = 170 "sethostname" { name: UserPtr<u8> [data(len)], len: i32 };
    served: Setdomainname = 171 "setdomainname" { name: UserPtr<u8> [data(len)], len: i32 };
    served: Gettid = 186 "gettid" { };
    served: Readahead = 187 "readahead" { fd: Fd, offset: i64, count: usize };
    served: Setxattr = 188 "setxattr" { path: UserCStr, name: UserCStr, value: UserPtr<u8> [data(size)], size: usize, flags: Unchecked<XattrFlags> };
    served: Lsetxattr = 189 "lsetxattr" { path: UserCStr, name: UserCStr, value: UserPtr<u8> [data(size)], size: usize, flags: Unchecked<XattrFlags> };
    served: Fsetxattr = 190 "fsetxattr" { fd: Fd, name: UserCStr, value: UserPtr<u8> [data(size)], size: usize, flags: Unchecked<XattrFlags> };
    served: Getxattr = 191 "getxattr" { path: UserCStr, name: UserCStr, value: UserPtr<u8> [written(size)], size: usize };
    served: Lgetxattr = 192 "lgetxattr" { path: UserCStr, name: UserCStr, value: UserPtr<u8> [written(size)], size: usize };
    served: Fgetxattr = 193 "fgetxattr" { fd: Fd, name: UserCStr, value: UserPtr<u8> [written(size)], size: usize };
    served: Listxattr = 194 "listxattr" { path: UserCStr, list: UserPtr<u8> [written(size)], size: usize };
    served: Llistxattr = 195 "llistxattr" { path: UserCStr, list: UserPtr<u8> [written(size)], size: usize };
    served: Flistxattr = 196 "flistxattr" { fd: Fd, list: UserPtr<u8> [written(size)], size: usize };
    served: Removexattr = 197 "removexattr" { path: UserCStr, name: UserCStr };
    served: Lremovexattr = 198 "lremovexattr" { path: UserCStr, name: UserCStr };
    served: Fremovexattr = 199 "fremovexattr" { fd: Fd, name: UserCStr };
    served: Tkill = 200 "tkill" { tid: i32, sig: i32 [signal] };
    served: Time = 201 "time" { tloc: UserPtr<i64> [filled_number] };
    served: Futex = 202 "futex" { uaddr: UserPtr<u32>, op: u32 [futex_operation], val: u32, timeout: UserPtr<Timespec> [futex_timeout(op)], uaddr2: UserPtr<u32> [futex_second(op)], val3: u32 [futex_third(op)] };
    served: SchedSetaffinity = 203 "sched_setaffinity" { pid: i32, cpusetsize: u32, mask: UserPtr<u8> };
    served: SchedGetaffinity = 204 "sched_getaffinity" { pid: i32, cpusetsize: u32, mask: UserPtr<u8> };
    served: IoSetup = 206 "io_setup" { nr_events: u32, ctx_idp: UserPtr<u64> [filled_number] };
    served: IoDestroy = 207 "io_destroy" { ctx_id: u64 [hex] };
    served: IoGetevents = 208 "io_getevents" { ctx_id: u64 [hex], min_nr: i64, nr: i64, events: UserPtr<IoEvent>, timeout: UserPtr<Timespec> [value] };
    served: IoSubmit = 209 "io_submit" { ctx_id: u64 [hex], nr: i64, iocbpp: UserPtr<u64> };
    served: IoCancel = 210 "io_cancel" { ctx_id: u64 [hex], iocb: UserPtr<Iocb>, result: UserPtr<IoEvent> };
    served: EpollCreate = 213 "epoll_create" { size: i32 };
    served: RemapFilePages = 216 "remap_file_pages" { addr: UserAddr, size: u64, prot: ProtFlags, pgoff: u64, flags: MapFlags };
    served: Getdents64 = 217 "getdents64" { fd: Fd, dirp: UserPtr<u8>, count: u32 };
    served: SetTidAddress = 218 "set_tid_address" { tidptr: UserPtr<i32> };
    served: RestartSyscall = 219 "restart_syscall" { };
    served: Semtimedop = 220 "semtimedop" { semid: i32, sops: UserPtr<SemBuf> [list(nsops)], nsops: u32, timeout: UserPtr<Timespec> [value] };
    served: Fadvise64 = 221 "fadvise64" { fd: Fd, offset: i64, len: i64, advice: i32 [named(fs::FILE_ADVICE)] };
    served: TimerCreate = 222 "timer_create" { clockid: i32 [named(time::CLOCKS)], sevp: UserPtr<Sigevent>, timerid: UserPtr<i32> [filled_number] };
    served: TimerSettime = 223 "timer_settime" { timerid: i32, flags: TimerFlags, new_value: UserPtr<Itimerspec> [value], old_value: UserPtr<Itimerspec> [filled] };
    served: TimerGettime = 224 "timer_gettime" { timerid: i32, curr_value: UserPtr<Itimerspec> [filled] };
    served: TimerGetoverrun = 225 "timer_getoverrun" { timerid: i32 };
    served: TimerDelete = 226 "timer_delete" { timerid: i32 };
    served: ClockGettime = 228 "clock_gettime" { clockid: i32 [named(time::CLOCKS)], tp: UserPtr<Timespec> [filled] };
    served: ClockGetres = 229 "clock_getres" { clockid: i32 [named(time::CLOCKS)], res: UserPtr<Timespec> [filled] };
    served: ClockNanosleep = 230 "clock_nanosleep" { clockid: i32 [named(time::CLOCKS)], flags: TimerFlags, request: UserPtr<Timespec> [value], remain: UserPtr<Timespec> [interrupted] };
    served: ExitGroup = 231 "exit_group" { status: i32 };
    served: EpollWait = 232 "epoll_wait" { epfd: Fd, events: UserPtr<EpollEvent> [filled_list(maxevents)], maxevents: i32, timeout: i32 };
    served: EpollCtl = 233 "epoll_ctl" { epfd: Fd, op: i32 [named(fs::EPOLL_OPERATIONS)], fd: Fd, event: UserPtr<EpollEvent> [value] };
    served: Tgkill = 234 "tgkill" { tgid: i32, tid: i32, sig: i32 [signal] };
    served: Utimes = 235 "utimes" { filename: UserCStr, times: UserPtr<[Timeval; 2]> [value] };
    served: Mbind = 237 "mbind" { addr: UserAddr, len: u64, mode: u64, nodemask: UserPtr<u64>, maxnode: u64, flags: u32 };
    served: SetMempolicy = 238 "set_mempolicy" { mode: i32, nodemask: UserPtr<u64>, maxnode: u64 };
    served: GetMempolicy = 239 "get_mempolicy" { mode: UserPtr<i32>, nodemask: UserPtr<u64>, maxnode: u64, addr: UserAddr, flags: u64 };
    served: MqOpen = 240 "mq_open" { name: UserCStr, oflag: OpenFlags, mode: u32 [open_mode(oflag)], attr: UserPtr<MqAttr> [value] };
    served: MqUnlink = 241 "mq_unlink" { name: UserCStr };
    served: MqTimedsend = 242 "mq_timedsend" { mqdes: Fd, msg_ptr: UserPtr<u8> [data(msg_len)], msg_len: usize, msg_prio: u32, abs_timeout: UserPtr<Timespec> [value] };
    served: MqTimedreceive = 243 "mq_timedreceive" { mqdes: Fd, msg_ptr: UserPtr<u8> [written(msg_len)], msg_len: usize, msg_prio: UserPtr<u32> [filled_number], abs_timeout: UserPtr<Timespec> [value] };
    served: MqNotify = 244 "mq_notify" { mqdes: Fd, sevp: UserPtr<Sigevent> };
    served: MqGetsetattr = 245 "mq_getsetattr" { mqdes: Fd, newattr: UserPtr<MqAttr> [value], oldattr: UserPtr<MqAttr> [filled] };
    served: Waitid = 247 "waitid" { idtype: i32 [named(sched::ID_TYPES)], id: i32, infop: UserPtr<Siginfo>, options: WaitOptions, rusage: UserPtr<Rusage> [filled] };
    served: IoprioSet = 251 "ioprio_set" { which: i32 [named(sched::IO_PRIORITY_OF)], who: i32, ioprio: i32 };
    served: IoprioGet = 252 "ioprio_get" { which: i32 [named(sched::IO_PRIORITY_OF)], who: i32 };
    served: InotifyInit = 253 "inotify_init" { };
    served: InotifyAddWatch = 254 "inotify_add_watch" { fd: Fd, pathname: UserCStr, mask: WatchMask };
    served: InotifyRmWatch = 255 "inotify_rm_watch" { fd: Fd, wd: i32 };
    served: MigratePages = 256 "migrate_pages" { pid: i32, maxnode: u64, old_nodes: UserPtr<u64>, new_nodes: UserPtr<u64> };
    served: Openat = 257 "openat" { dirfd: Fd, pathname: UserCStr, flags: OpenFlags, mode: u32 [open_mode(flags)] };
    served: Mkdirat = 258 "mkdirat" { dirfd: Fd, pathname: UserCStr, mode: u32 [octal] };
    served: Mknodat = 259 "mknodat" { dirfd: Fd, pathname: UserCStr, mode: u32 [mode], dev: u32 [hex] };
    served: Fchownat = 260 "fchownat" { dirfd: Fd, pathname: UserCStr, owner: u32 [id], group: u32 [id], flags: PathFlags };
    served: Futimesat = 261 "futimesat" { dirfd: Fd, pathname: UserCStr, times: UserPtr<[Timeval; 2]> [value] };
    served: Newfstatat = 262 "newfstatat" { dirfd: Fd, pathname: UserCStr, statbuf: UserPtr<fs::Stat> [filled], flags: StatFlags };
    served: Unlinkat = 263 "unlinkat" { dirfd: Fd, pathname: UserCStr, flags: UnlinkFlags };
    served: Renameat = 264 "renameat" { olddirfd: Fd, oldpath: UserCStr, newdirfd: Fd, newpath: UserCStr };
    served: Linkat = 265 "linkat" { olddirfd: Fd, oldpath: UserCStr, newdirfd: Fd, newpath: UserCStr, flags: LinkFlags };
    served: Symlinkat = 266 "symlinkat" { target: UserCStr, newdirfd: Fd, linkpath: UserCStr };
    served: Readlinkat = 267 "readlinkat" { dirfd: Fd, pathname: UserCStr, buf: UserPtr<u8> [written_path(bufsiz)], bufsiz: i32 };
    served: Fchmodat = 268 "fchmodat" { dirfd: Fd, pathname: UserCStr, mode: u32 [octal] };
    served: Faccessat = 269 "faccessat" { dirfd: Fd, pathname: UserCStr, mode: AccessMode };
    served: Pselect6 = 270 "pselect6" { nfds: i32, readfds: UserPtr<u64> [fd_set(nfds)], writefds: UserPtr<u64> [fd_set(nfds)], exceptfds: UserPtr<u64> [fd_set(nfds)], timeout: UserPtr<Timespec> [value], sigmask: UserPtr<SigsetArg> };
    served: Ppoll = 271 "ppoll" { fds: UserPtr<PollFd> [list(nfds)], nfds: u32, tmo_p: UserPtr<Timespec> [value], sigmask: UserPtr<u64> [sigset], sigsetsize: usize };
    served: Unshare = 272 "unshare" { flags: CloneFlags };
    served: SetRobustList = 273 "set_robust_list" { head: UserPtr<RobustListHead>, len: usize };
    served: GetRobustList = 274 "get_robust_list" { pid: i32, head_ptr: UserPtr<u64>, len_ptr: UserPtr<u64> };
    served: Splice = 275 "splice" { fd_in: Fd, off_in: UserPtr<i64> [number], fd_out: Fd, off_out: UserPtr<i64> [number], len: usize, flags: Unchecked<SpliceFlags> };
    served: Tee = 276 "tee" { fd_in: Fd, fd_out: Fd, len: usize, flags: SpliceFlags };
    served: SyncFileRange = 277 "sync_file_range" { fd: Fd, offset: i64, nbytes: i64, flags: SyncRangeFlags };
    served: Vmsplice = 278 "vmsplice" { fd: Fd, iov: UserPtr<IoVec> [buffers(nr_segs)], nr_segs: usize, flags: SpliceFlags };
    served: MovePages = 279 "move_pages" { pid: i32, count: u64, pages: UserPtr<u64>, nodes: UserPtr<i32>, status: UserPtr<i32>, flags: u32 };
    served: Utimensat = 280 "utimensat" { dirfd: Fd, pathname: UserCStr, times: UserPtr<[Timespec; 2]> [file_times], flags: PathFlags };
    served: EpollPwait = 281 "epoll_pwait" { epfd: Fd, events: UserPtr<EpollEvent> [filled_list(maxevents)], maxevents: i32, timeout: i32, sigmask: UserPtr<u64> [sigset], sigsetsize: usize };
    served: Signalfd = 282 "signalfd" { fd: Fd, mask: UserPtr<u64> [sigset], sizemask: usize };
    served: TimerfdCreate = 283 "timerfd_create" { clockid: i32 [named(time::CLOCKS)], flags: TimerfdFlags };
    served: Eventfd = 284 "eventfd" { initval: u32 };
    served: Fallocate = 285 "fallocate" { fd: Fd, mode: FallocateMode, offset: i64, len: i64 };
    served: TimerfdSettime = 286 "timerfd_settime" { fd: Fd, flags: TimerfdSetFlags, new_value: UserPtr<Itimerspec> [value], old_value: UserPtr<Itimerspec> [filled] };
    served: TimerfdGettime = 287 "timerfd_gettime" { fd: Fd, curr_value: UserPtr<Itimerspec> [filled] };
    served: Accept4 = 288 "accept4" { sockfd: Fd, addr: UserPtr<u8> [filled_address(addrlen)], addrlen: UserPtr<i32> [filled_number], flags: Unchecked<SocketFlags> };
    served: Signalfd4 = 289 "signalfd4" { fd: Fd, mask: UserPtr<u64> [sigset], sizemask: usize, flags: SignalfdFlags };
    served: Eventfd2 = 290 "eventfd2" { initval: u32, flags: EventfdFlags };
    served: EpollCreate1 = 291 "epoll_create1" { flags: EpollFlags };
    served: Dup3 = 292 "dup3" { oldfd: Fd, newfd: Fd, flags: DupFlags };
    served: Pipe2 = 293 "pipe2" { pipefd: UserPtr<[Fd; 2]> [filled], flags: PipeFlags };
    served: InotifyInit1 = 294 "inotify_init1" { flags: InotifyFlags };
    served: Preadv = 295 "preadv" { fd: Fd, iov: UserPtr<IoVec> [filled_buffers(iovcnt)], iovcnt: usize, offset: i64 };
    served: Pwritev = 296 "pwritev" { fd: Fd, iov: UserPtr<IoVec> [buffers(iovcnt)], iovcnt: usize, offset: i64 };
    served: RtTgsigqueueinfo = 297 "rt_tgsigqueueinfo" { tgid: i32, tid: i32, sig: i32 [signal], info: UserPtr<Siginfo> };
    served: Recvmmsg = 299 "recvmmsg" { sockfd: Fd, msgvec: UserPtr<MMsgHdr>, vlen: u32, flags: MessageFlags, timeout: UserPtr<Timespec> [value] };
    served: Prlimit64 = 302 "prlimit64" { pid: i32, resource: u32 [named(sched::RESOURCES)], new_limit: UserPtr<Rlimit> [value], old_limit: UserPtr<Rlimit> [filled] };
    served: ClockAdjtime = 305 "clock_adjtime" { clk_id: i32, buf: UserPtr<Timex> };
    served: Syncfs = 306 "syncfs" { fd: Fd };
    served: Sendmmsg = 307 "sendmmsg" { sockfd: Fd, msgvec: UserPtr<MMsgHdr>, vlen: u32, flags: MessageFlags };
    served: Setns = 308 "setns" { fd: Fd, nstype: u32 };
    served: Getcpu = 309 "getcpu" { cpu: UserPtr<u32> [filled_number], node: UserPtr<u32> [filled_number], tcache: UserAddr };
    served: ProcessVmReadv = 310 "process_vm_readv" { pid: i32, local_iov: UserPtr<IoVec> [filled_buffers(liovcnt)], liovcnt: usize, remote_iov: UserPtr<IoVec>, riovcnt: usize, flags: NoFlags<u64> };
    served: ProcessVmWritev = 311 "process_vm_writev" { pid: i32, local_iov: UserPtr<IoVec> [buffers(liovcnt)], liovcnt: usize, remote_iov: UserPtr<IoVec>, riovcnt: usize, flags: NoFlags<u64> };
    served: Kcmp = 312 "kcmp" { pid1: i32, pid2: i32, kind: i32 [named(task::KCMP_KINDS)], idx1: u64, idx2: u64 };
    served: SchedSetattr = 314 "sched_setattr" { pid: i32, attr: UserPtr<SchedAttr>, flags: NoFlags };
    served: SchedGetattr = 315 "sched_getattr" { pid: i32, attr: UserPtr<SchedAttr>, size: u32, flags: NoFlags };
    served: Renameat2 = 316 "renameat2" { olddirfd: Fd, oldpath: UserCStr, newdirfd: Fd, newpath: UserCStr, flags: RenameFlags };
    served: Seccomp = 317 "seccomp" { operation: u32 [named(task::SECCOMP_OPERATIONS)], flags: u32 [hex], args: UserAddr };
    served: Getrandom = 318 "getrandom" { buf: UserPtr<u8> [written_hex(buflen)], buflen: usize, flags: RandomFlags };
    served: MemfdCreate = 319 "memfd_create" { name: UserCStr, flags: MemfdFlags };
    served: Execveat = 322 "execveat" { dirfd: Fd, pathname: UserCStr, argv: UserPtr<UserCStr> [strings], envp: UserPtr<UserCStr> [environment], flags: PathFlags };
    served: Membarrier = 324 "membarrier" { cmd: i32 [named(sched::MEMBARRIER_COMMANDS)], flags: u32, cpu_id: i32 };
    served: Mlock2 = 325 "mlock2" { addr: UserAddr, len: u64, flags: MlockFlags };
    served: CopyFileRange = 326 "copy_file_range" { fd_in: Fd, off_in: UserPtr<i64> [number], fd_out: Fd, off_out: UserPtr<i64> [number], len: usize, flags: u32 };
    served: Preadv2 = 327 "preadv2" { fd: Fd, iov: UserPtr<IoVec> [filled_buffers(iovcnt)], iovcnt: usize, offset: i64, offset_high: u64 [omit], flags: RwFlags };
    served: Pwritev2 = 328 "pwritev2" { fd: Fd, iov: UserPtr<IoVec> [buffers(iovcnt)], iovcnt: usize, offset: i64, offset_high: u64 [omit], flags: RwFlags };
    served: PkeyMprotect = 329 "pkey_mprotect" { addr: UserAddr, len: u64, prot: ProtFlags, pkey: i32 };
    served: Statx = 332 "statx" { dirfd: Fd, pathname: UserCStr, flags: StatFlags, mask: StatxMask, statxbuf: UserPtr<fs::Statx> [filled] };
    served: IoPgetevents = 333 "io_pgetevents" { ctx_id: u64 [hex], min_nr: i64, nr: i64, events: UserPtr<IoEvent>, timeout: UserPtr<Timespec> [value], sigmask: UserPtr<SigsetArg> };
    served: Rseq = 334 "rseq" { rseq: UserPtr<task::Rseq>, rseq_len: u32 [hex], flags: u32 [hex], sig: u32 [hex] };
    served: PidfdSendSignal = 424 "pidfd_send_signal" { pidfd: Fd, sig: i32 [signal], info: UserPtr<Siginfo>, flags: PidfdSignalFlags };
    served: PidfdOpen = 434 "pidfd_open" { pid: i32, flags: PidfdFlags };
    served: Clone3 = 435 "clone3" { cl_args: UserPtr<CloneArgs> [value], size: usize };
    served: CloseRange = 436 "close_range" { first: u32, last: u32, flags: CloseRangeFlags };
    served: Openat2 = 437 "openat2" { dirfd: Fd, pathname: UserCStr, how: UserPtr<OpenHow> [value], size: usize };
    served: PidfdGetfd = 438 "pidfd_getfd" { pidfd: Fd, targetfd: Fd, flags: NoFlags };
    served: Faccessat2 = 439 "faccessat2" { dirfd: Fd, pathname: UserCStr, mode: AccessMode, flags: AccessFlags };
    served: ProcessMadvise = 440 "process_madvise" { pidfd: Fd, iovec: UserPtr<IoVec>, vlen: usize, advice: i32 [named(mm::MEMORY_ADVICE)], flags: NoFlags };
    served: EpollPwait2 = 441 "epoll_pwait2" { epfd: Fd, events: UserPtr<EpollEvent> [filled_list(maxevents)], maxevents: i32, timeout: UserPtr<Timespec> [value], sigmask: UserPtr<u64> [sigset], sigsetsize: usize };
    served: FutexWaitv = 449 "futex_waitv" { waiters: UserPtr<FutexWaiter>, nr_futexes: u32, flags: NoFlags, timeout: UserPtr<Timespec> [value], clockid: i32 [named(time::CLOCKS)] };
    served: Cachestat = 451 "cachestat" { fd: Fd, cstat_range: UserPtr<fs::CachestatRange>, cstat: UserPtr<fs::Cachestat>, flags: u32 };
    served: Fchmodat2 = 452 "fchmodat2" { dirfd: Fd, pathname: UserCStr, mode: u32 [octal], flags: PathFlags };
    served: FutexWake = 454 "futex_wake" { uaddr: UserPtr<u32>, mask: u64 [hex], nr: i32, flags: u32 [hex] };
    served: FutexWait = 455 "futex_wait" { uaddr: UserPtr<u32>, val: u64, mask: u64 [hex], flags: u32 [hex], timeout: UserPtr<Timespec> [value], clockid: i32 [named(time::CLOCKS)] };
    served: FutexRequeue = 456 "futex_requeue" { waiters: UserPtr<FutexWaiter>, flags: NoFlags, nr_wake: i32, nr_requeue: i32 };
    served: Mseal = 462 "mseal" { addr: UserAddr, len: u64, flags: NoFlags<u64> };
    ---
    // Numbers without a call behind them in Linux 6.12 itself.
    refused: 134 "uselib" => ENOSYS;
    refused: 156 "_sysctl" => ENOSYS;
    refused: 174 "create_module" => ENOSYS;
    refused: 177 "get_kernel_syms" => ENOSYS;
    refused: 178 "query_module" => ENOSYS;
    refused: 180 "nfsservctl" => ENOSYS;
    refused: 181 "getpmsg" => ENOSYS;
    refused: 182 "putpmsg" => ENOSYS;
    refused: 183 "afs_syscall" => ENOSYS;
    refused: 184 "tuxcall" => ENOSYS;
    refused: 185 "security" => ENOSYS;
    refused: 205 "set_thread_area" => ENOSYS;
    refused: 211 "get_thread_area" => ENOSYS;
    refused: 212 "lookup_dcookie" => ENOSYS;
    refused: 214 "epoll_ctl_old" => ENOSYS;
    refused: 215 "epoll_wait_old" => ENOSYS;
    refused: 236 "vserver" => ENOSYS;
    // The machine's own administration: the answer to a caller without the capability.
    refused: 153 "vhangup" => EPERM;
    refused: 163 "acct" => EPERM;
    refused: 164 "settimeofday" => EPERM;
    refused: 167 "swapon" => EPERM;
    refused: 168 "swapoff" => EPERM;
    refused: 169 "reboot" => EPERM;
    refused: 172 "iopl" => EPERM;
    refused: 173 "ioperm" => EPERM;
    refused: 175 "init_module" => EPERM;
    refused: 176 "delete_module" => EPERM;
    refused: 227 "clock_settime" => EPERM;
    refused: 246 "kexec_load" => EPERM;
    refused: 298 "perf_event_open" => EPERM;
    refused: 304 "open_by_handle_at" => EPERM;
    refused: 313 "finit_module" => EPERM;
    refused: 320 "kexec_file_load" => EPERM;
    refused: 321 "bpf" => EPERM;
    // Features that a kernel may be built without; programs then take another way.
    refused: 139 "sysfs" => ENOSYS;
    refused: 154 "modify_ldt" => ENOSYS;
    refused: 179 "quotactl" => ENOSYS;
    refused: 248 "add_key" => ENOSYS;
    refused: 249 "request_key" => ENOSYS;
    refused: 250 "keyctl" => ENOSYS;
    refused: 300 "fanotify_init" => ENOSYS;
    refused: 301 "fanotify_mark" => ENOSYS;
    refused: 323 "userfaultfd" => ENOSYS;
    refused: 335 "uretprobe" => ENOSYS;
    refused: 425 "io_uring_setup" => ENOSYS;
    refused: 426 "io_uring_enter" => ENOSYS;
    refused: 427 "io_uring_register" => ENOSYS;
    refused: 428 "open_tree" => ENOSYS;
    refused: 429 "move_mount" => ENOSYS;
    refused: 430 "fsopen" => ENOSYS;
    refused: 431 "fsconfig" => ENOSYS;
    refused: 432 "fsmount" => ENOSYS;
    refused: 433 "fspick" => ENOSYS;
    refused: 442 "mount_setattr" => ENOSYS;
    refused: 443 "quotactl_fd" => ENOSYS;
    refused: 444 "landlock_create_ruleset" => ENOSYS;
    refused: 445 "landlock_add_rule" => ENOSYS;
    refused: 446 "landlock_restrict_self" => ENOSYS;
    refused: 447 "memfd_secret" => ENOSYS;
    refused: 448 "process_mrelease" => ENOSYS;
    refused: 450 "set_mempolicy_home_node" => ENOSYS;
    refused: 457 "statmount" => ENOSYS;
    refused: 458 "listmount" => ENOSYS;
    refused: 459 "lsm_get_self_attr" => ENOSYS;
    refused: 460 "lsm_set_self_attr" => ENOSYS;
    refused: 461 "lsm_list_modules" => ENOSYS;
    // File handles: none of the file systems can name its files for later.
    refused: 303 "name_to_handle_at" => EOPNOTSUPP;
    // Protection keys and shadow stacks, on a processor without them.
    refused: 330 "pkey_alloc" => ENOSPC;
    refused: 331 "pkey_free" => EINVAL;
    refused: 453 "map_shadow_stack" => EOPNOTSUPP;
}
