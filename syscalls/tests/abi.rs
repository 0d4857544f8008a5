//! Sizes, offsets and constants against the C compiler and the system's headers.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::mem::offset_of;
use std::process::{Command, Stdio};

use syscalls::TABLE;
use syscalls::abi::{aio, fs, futex, ipc, mm, net, ptrace, sched, signal, task, time, tty};
use syscalls::flags::{FlagNames, Numbers};

/// Compiles and runs a program; `None` without a compiler.
fn run_c(source: &str) -> Option<String> {
    let dir = std::env::temp_dir().join(format!("abi-{}-{:p}", std::process::id(), source));
    let mut gcc = match Command::new("gcc")
        .args(["-w", "-x", "c", "-", "-o"])
        .arg(&dir)
        .stdin(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(error) => {
            eprintln!("SKIPPED: no C compiler to compare with: {error}");
            return None;
        }
    };
    let mut stdin = gcc.stdin.take()?;
    stdin.write_all(source.as_bytes()).ok()?;
    drop(stdin);
    assert!(
        gcc.wait().expect("gcc ends").success(),
        "gcc refuses the program"
    );
    let output = Command::new(&dir).output().expect("the program runs");
    std::fs::remove_file(&dir).expect("it was there");
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// `headers` and a `main` that consists of `body`.
fn program(headers: &[&str], body: &str) -> String {
    let mut source = String::from("#define _GNU_SOURCE\n#include <stdio.h>\n#include <stddef.h>\n");
    for header in headers {
        match header.strip_prefix('!') {
            Some(text) => writeln!(source, "{text}").unwrap(),
            None => writeln!(source, "#include <{header}>").unwrap(),
        }
    }
    writeln!(source, "int main(void) {{\n{body}\nreturn 0; }}").unwrap();
    source
}

/// Compares layouts: `Type = "C type" { field: "C field", … }`.
macro_rules! same_layout {
    ($headers:expr; $($ty:ty = $c:literal { $($field:ident: $cfield:literal),* $(,)? })*) => {{
        let mut body = String::new();
        let mut ours = Vec::new();
        $(
            writeln!(body, "printf(\"%zu\\n\", sizeof({}));", $c).unwrap();
            ours.push((concat!("sizeof ", $c), size_of::<$ty>()));
            $(
                writeln!(body, "printf(\"%zu\\n\", offsetof({}, {}));", $c, $cfield).unwrap();
                ours.push((concat!($c, ".", $cfield), offset_of!($ty, $field)));
            )*
        )*
        if let Some(output) = run_c(&program($headers, &body)) {
            let theirs: Vec<usize> = output.lines().map(|l| l.parse().unwrap()).collect();
            assert_eq!(ours.len(), theirs.len());
            for ((what, ours), theirs) in ours.into_iter().zip(theirs) {
                assert_eq!(ours, theirs, "{what}");
            }
        }
    }};
}

#[test]
fn files() {
    same_layout! { &["sys/stat.h", "sys/vfs.h", "sys/uio.h", "poll.h", "sys/epoll.h", "fcntl.h",
        "sys/inotify.h", "linux/openat2.h"];
        fs::Stat = "struct stat" { dev: "st_dev", ino: "st_ino", nlink: "st_nlink", mode: "st_mode",
            uid: "st_uid", gid: "st_gid", rdev: "st_rdev", size: "st_size", blksize: "st_blksize",
            blocks: "st_blocks", atime: "st_atim", mtime: "st_mtim", ctime: "st_ctim" }
        fs::Statx = "struct statx" { blksize: "stx_blksize", attributes: "stx_attributes",
            nlink: "stx_nlink", uid: "stx_uid", mode: "stx_mode", ino: "stx_ino", size: "stx_size",
            blocks: "stx_blocks", attributes_mask: "stx_attributes_mask", atime: "stx_atime",
            btime: "stx_btime", ctime: "stx_ctime", mtime: "stx_mtime",
            rdev_major: "stx_rdev_major", dev_minor: "stx_dev_minor", mnt_id: "stx_mnt_id" }
        fs::Statfs = "struct statfs" { kind: "f_type", bsize: "f_bsize", blocks: "f_blocks",
            ffree: "f_ffree", fsid: "f_fsid", namelen: "f_namelen", frsize: "f_frsize",
            flags: "f_flags" }
        fs::IoVec = "struct iovec" { base: "iov_base", len: "iov_len" }
        fs::PollFd = "struct pollfd" { fd: "fd", events: "events", revents: "revents" }
        fs::EpollEvent = "struct epoll_event" { events: "events", data: "data" }
        fs::Flock = "struct flock" { kind: "l_type", whence: "l_whence", start: "l_start",
            len: "l_len", pid: "l_pid" }
        fs::OpenHow = "struct open_how" { flags: "flags", mode: "mode", resolve: "resolve" }
        fs::InotifyEvent = "struct inotify_event" { mask: "mask", cookie: "cookie", len: "len" }
    }
    same_layout! { &["sys/types.h", "linux/types.h", "!struct ustat { int f_tfree; unsigned long f_tinode; char f_fname[6]; char f_fpack[6]; };"];
        fs::Ustat = "struct ustat" { tinode: "f_tinode", fname: "f_fname", fpack: "f_fpack" }
    }
}

#[test]
fn time_and_processes() {
    same_layout! { &["time.h", "sys/time.h", "sys/times.h", "utime.h", "sys/timex.h",
        "sys/resource.h", "linux/sched.h", "linux/sched/types.h", "sys/utsname.h",
        "sys/sysinfo.h"];
        time::Timespec = "struct timespec" { nsec: "tv_nsec" }
        time::Itimerspec = "struct itimerspec" { interval: "it_interval", value: "it_value" }
        time::Itimerval = "struct itimerval" { interval: "it_interval", value: "it_value" }
        time::Timezone = "struct timezone" { dsttime: "tz_dsttime" }
        time::Tms = "struct tms" { stime: "tms_stime", cutime: "tms_cutime" }
        time::Utimbuf = "struct utimbuf" { modtime: "modtime" }
        time::Timex = "struct timex" { offset: "offset", esterror: "esterror", status: "status",
            constant: "constant", time: "time", tick: "tick", shift: "shift", stabil: "stabil",
            tai: "tai" }
        sched::Rusage = "struct rusage" { stime: "ru_stime", maxrss: "ru_maxrss",
            nivcsw: "ru_nivcsw" }
        sched::Rlimit = "struct rlimit" { cur: "rlim_cur", max: "rlim_max" }
        sched::CloneArgs = "struct clone_args" { pidfd: "pidfd", exit_signal: "exit_signal",
            tls: "tls", set_tid_size: "set_tid_size", cgroup: "cgroup" }
        sched::SchedAttr = "struct sched_attr" { nice: "sched_nice", runtime: "sched_runtime",
            util_max: "sched_util_max" }
        task::Utsname = "struct utsname" { machine: "machine", domainname: "domainname" }
        task::Sysinfo = "struct sysinfo" { loads: "loads", totalram: "totalram", procs: "procs",
            totalhigh: "totalhigh", mem_unit: "mem_unit" }
    }
    same_layout! { &["linux/capability.h", "linux/futex.h", "linux/filter.h", "linux/seccomp.h",
        "linux/aio_abi.h", "linux/mqueue.h"];
        task::CapHeader = "struct __user_cap_header_struct" { pid: "pid" }
        task::CapData = "struct __user_cap_data_struct" { inheritable: "inheritable" }
        task::SockFilter = "struct sock_filter" { jt: "jt", k: "k" }
        task::SockFprog = "struct sock_fprog" { len: "len", filter: "filter" }
        task::SeccompData = "struct seccomp_data" { arch: "arch", args: "args" }
        futex::RobustListHead = "struct robust_list_head" { futex_offset: "futex_offset",
            list_op_pending: "list_op_pending" }
        futex::FutexWaiter = "struct futex_waitv" { uaddr: "uaddr", flags: "flags" }
        aio::Iocb = "struct iocb" { key: "aio_key", rw_flags: "aio_rw_flags",
            opcode: "aio_lio_opcode", fd: "aio_fildes", buf: "aio_buf", offset: "aio_offset",
            resfd: "aio_resfd" }
        aio::IoEvent = "struct io_event" { obj: "obj", res: "res" }
        ipc::MqAttr = "struct mq_attr" { maxmsg: "mq_maxmsg", curmsgs: "mq_curmsgs" }
    }
}

#[test]
fn signals() {
    same_layout! { &["signal.h", "sys/ucontext.h", "sys/signalfd.h", "sys/user.h"];
        signal::Siginfo = "siginfo_t" { errno: "si_errno", code: "si_code", fields: "si_pid" }
        signal::AltStack = "stack_t" { sp: "ss_sp", flags: "ss_flags", size: "ss_size" }
        signal::Sigevent = "struct sigevent" { value: "sigev_value", signo: "sigev_signo",
            notify: "sigev_notify", tid: "_sigev_un._tid" }
        signal::SignalfdSiginfo = "struct signalfd_siginfo" { pid: "ssi_pid", fd: "ssi_fd",
            overrun: "ssi_overrun", int: "ssi_int", ptr: "ssi_ptr", addr: "ssi_addr",
            syscall: "ssi_syscall", arch: "ssi_arch" }
        ptrace::UserRegs = "struct user_regs_struct" { rbp: "rbp", orig_rax: "orig_rax",
            rsp: "rsp", fs_base: "fs_base", gs: "gs" }
    }
    same_layout! { &["asm/sigcontext.h", "asm/signal.h", "asm/ucontext.h",
        "linux/types.h", "linux/rseq.h", "linux/ptrace.h"];
        ptrace::PeekSiginfo = "struct ptrace_peeksiginfo_args" { flags: "flags", nr: "nr" }
        signal::SigContext = "struct sigcontext" { di: "rdi", sp: "rsp", flags: "eflags",
            cs: "cs", ss: "ss", err: "err", cr2: "cr2", fpstate: "fpstate" }
        signal::UContext = "struct ucontext" { link: "uc_link", stack: "uc_stack",
            mcontext: "uc_mcontext", sigmask: "uc_sigmask" }
        signal::FpxSwBytes = "struct _fpx_sw_bytes" { extended_size: "extended_size",
            xfeatures: "xfeatures", xstate_size: "xstate_size" }
        signal::Sigaction = "struct sigaction" { flags: "sa_flags", restorer: "sa_restorer",
            mask: "sa_mask" }
        task::Rseq = "struct rseq" { cpu_id: "cpu_id", rseq_cs: "rseq_cs", flags: "flags" }
    }
    // The fields that the accessors of Siginfo read.
    let expected = "16 20 16 20 24 16 20 24 32 40 16 16 24 16 24 28";
    let body = "#define O(f) printf(\"%zu \", offsetof(siginfo_t, f))\n\
        O(si_pid); O(si_uid); O(si_timerid); O(si_overrun); O(si_value); O(si_pid); O(si_uid); \
        O(si_status); O(si_utime); O(si_stime); O(si_addr); O(si_band); O(si_fd); \
        O(si_call_addr); O(si_syscall); O(si_arch);";
    if let Some(output) = run_c(&program(&["signal.h"], body)) {
        assert_eq!(output.trim(), expected);
    }
}

#[test]
fn sockets_ipc_and_terminals() {
    same_layout! { &["sys/socket.h", "sys/un.h", "netinet/in.h", "linux/netlink.h",
        "netpacket/packet.h", "sys/ioctl.h"];
        net::MsgHdr = "struct msghdr" { name: "msg_name", iov: "msg_iov", iovlen: "msg_iovlen",
            control: "msg_control", controllen: "msg_controllen", flags: "msg_flags" }
        net::MMsgHdr = "struct mmsghdr" { len: "msg_len" }
        net::CmsgHdr = "struct cmsghdr" { level: "cmsg_level", kind: "cmsg_type" }
        net::SockaddrUn = "struct sockaddr_un" { path: "sun_path" }
        net::SockaddrIn = "struct sockaddr_in" { port: "sin_port", addr: "sin_addr" }
        net::SockaddrIn6 = "struct sockaddr_in6" { flowinfo: "sin6_flowinfo", addr: "sin6_addr",
            scope_id: "sin6_scope_id" }
        net::SockaddrNl = "struct sockaddr_nl" { pid: "nl_pid", groups: "nl_groups" }
        net::SockaddrLl = "struct sockaddr_ll" { ifindex: "sll_ifindex", halen: "sll_halen",
            addr: "sll_addr" }
        net::Ucred = "struct ucred" { uid: "uid", gid: "gid" }
        net::Linger = "struct linger" { linger: "l_linger" }
        tty::Winsize = "struct winsize" { col: "ws_col", xpixel: "ws_xpixel" }
    }
    same_layout! { &["asm/termbits.h", "asm/shmbuf.h", "asm/sembuf.h", "asm/msgbuf.h",
        "linux/ipc.h", "linux/sem.h"];
        tty::Termios = "struct termios" { lflag: "c_lflag", line: "c_line", cc: "c_cc" }
        tty::Termios2 = "struct termios2" { cc: "c_cc", ispeed: "c_ispeed", ospeed: "c_ospeed" }
        ipc::IpcPerm = "struct ipc64_perm" { mode: "mode", seq: "seq" }
        ipc::ShmidDs = "struct shmid64_ds" { segsz: "shm_segsz", atime: "shm_atime",
            cpid: "shm_cpid", nattch: "shm_nattch" }
        ipc::SemidDs = "struct semid64_ds" { otime: "sem_otime", ctime: "sem_ctime",
            nsems: "sem_nsems" }
        ipc::MsqidDs = "struct msqid64_ds" { stime: "msg_stime", qnum: "msg_qnum",
            lspid: "msg_lspid" }
        ipc::SemBuf = "struct sembuf" { op: "sem_op", flg: "sem_flg" }
    }
}

fn flag_names<T: FlagNames>() -> Vec<(&'static str, u64)> {
    T::NAMES.to_vec()
}

fn number_names(lists: &[Numbers]) -> Vec<(&'static str, u64)> {
    lists
        .iter()
        .flat_map(|list| list.iter())
        .map(|&(name, value)| (name, u64::from_ne_bytes(value.to_ne_bytes())))
        .collect()
}

/// Compares constants with macros of the headers; names that these headers do not have
/// as macros are passed over. At least `least` have to be there.
fn same_constants(headers: &[&str], ours: &[(&'static str, u64)], least: usize) {
    let mut body = String::new();
    for (name, _) in ours {
        writeln!(
            body,
            "#ifdef {name}\nprintf(\"{name} %llu\\n\", (unsigned long long)({name}));\n#endif"
        )
        .unwrap();
    }
    let Some(output) = run_c(&program(headers, &body)) else {
        return;
    };
    let theirs: HashMap<&str, u64> = output
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect();
    for (name, value) in ours {
        if let Some(theirs) = theirs.get(name) {
            // Linux's own headers give some as int, some as unsigned.
            let same = value == theirs || value & 0xffff_ffff == theirs & 0xffff_ffff;
            assert!(same, "{name}: {value:#x}, in C {theirs:#x}");
        }
    }
    assert!(
        theirs.len() >= least,
        "only {} found: {theirs:?}",
        theirs.len()
    );
}

#[test]
fn constants_of_the_c_library() {
    // O_LARGEFILE is 0 in the library's headers for 64-bit programs.
    let mut ours: Vec<_> = flag_names::<fs::OpenFlags>()
        .into_iter()
        .filter(|(name, _)| *name != "O_LARGEFILE")
        .collect();
    for list in [
        flag_names::<fs::AccessMode>(),
        flag_names::<fs::AccessFlags>(),
        flag_names::<fs::PathFlags>(),
        flag_names::<fs::UnlinkFlags>(),
        flag_names::<fs::LinkFlags>(),
        flag_names::<fs::StatFlags>(),
        flag_names::<fs::RenameFlags>(),
        flag_names::<fs::MemfdFlags>(),
        flag_names::<fs::LockOperation>(),
        flag_names::<fs::Seals>(),
        flag_names::<fs::FallocateMode>(),
        flag_names::<fs::RwFlags>(),
        flag_names::<fs::SpliceFlags>(),
        flag_names::<fs::SyncRangeFlags>(),
        flag_names::<fs::XattrFlags>(),
        flag_names::<fs::RandomFlags>(),
        flag_names::<fs::MountFlags>(),
        flag_names::<fs::UmountFlags>(),
        flag_names::<fs::StatfsFlags>(),
        flag_names::<fs::StatxMask>(),
        flag_names::<fs::StatxAttributes>(),
        flag_names::<fs::PollEvents>(),
        flag_names::<fs::WatchMask>(),
        flag_names::<mm::ProtFlags>(),
        flag_names::<mm::MapFlags>(),
        flag_names::<mm::MremapFlags>(),
        flag_names::<mm::MsyncFlags>(),
        flag_names::<mm::MlockallFlags>(),
        flag_names::<mm::MlockFlags>(),
        flag_names::<sched::CloneFlags>(),
        flag_names::<sched::WaitOptions>(),
        flag_names::<time::TimerFlags>(),
        flag_names::<time::TimerfdSetFlags>(),
        flag_names::<signal::SigactionFlags>(),
        flag_names::<net::MessageFlags>(),
        flag_names::<tty::InputModes>(),
        flag_names::<tty::OutputModes>(),
        flag_names::<tty::ControlModes>(),
        flag_names::<tty::LocalModes>(),
    ] {
        ours.extend(list);
    }
    ours.extend(number_names(&[
        fs::FILE_TYPES,
        fs::ENTRY_TYPES,
        fs::WHENCE,
        fs::FCNTL_COMMANDS,
        fs::LOCK_TYPES,
        fs::FILE_ADVICE,
        fs::EPOLL_OPERATIONS,
        mm::MEMORY_ADVICE,
        sched::RESOURCES,
        sched::USAGE_OF,
        sched::POLICIES,
        sched::PRIORITY_OF,
        time::CLOCKS,
        time::INTERVAL_TIMERS,
        signal::SIGNALS,
        signal::SIGNAL_CODES,
        signal::CHILD_CODES,
        signal::FAULT_CODES,
        signal::POLL_CODES,
        signal::MASK_CHANGES,
        signal::NOTIFICATIONS,
        net::FAMILIES,
        net::SOCKET_TYPES,
        net::PROTOCOLS,
        net::OPTION_LEVELS,
        net::SOCKET_OPTIONS,
        net::TCP_OPTIONS,
        net::SHUTDOWNS,
        tty::CONTROL_CHARACTERS,
        ipc::IPC_COMMANDS,
        ipc::IPC_FLAGS,
        task::AUXILIARY,
    ]));
    // The library's F_GETLK is the 64-bit one, and its F_SETOWN_EX an enumerator.
    same_constants(
        &[
            "fcntl.h",
            "unistd.h",
            "dirent.h",
            "sys/stat.h",
            "sys/file.h",
            "sys/mman.h",
            "sys/mount.h",
            "sys/statvfs.h",
            "sys/uio.h",
            "sys/xattr.h",
            "sys/random.h",
            "sys/inotify.h",
            "sys/epoll.h",
            "sys/timerfd.h",
            "sys/wait.h",
            "sys/resource.h",
            "sys/ioctl.h",
            "sys/ipc.h",
            "sys/shm.h",
            "sys/sem.h",
            "sys/msg.h",
            "sys/auxv.h",
            "sys/socket.h",
            "netinet/in.h",
            "netinet/tcp.h",
            "netpacket/packet.h",
            "poll.h",
            "sched.h",
            "signal.h",
            "termios.h",
            "time.h",
            "linux/stat.h",
        ],
        &ours,
        650,
    );
}

#[test]
fn numbers_of_calls() {
    let prefixed: Vec<(String, u64)> = TABLE
        .iter()
        .map(|row| (format!("__NR_{}", row.name), row.number as u64))
        .collect();
    let ours: Vec<(&'static str, u64)> = prefixed
        .into_iter()
        .map(|(name, number)| (&*name.leak(), number))
        .collect();
    same_constants(&["asm/unistd.h"], &ours, 360);
}

#[test]
fn constants_of_the_kernel() {
    let mut ours = number_names(&[
        fs::FILE_REQUESTS,
        fs::MAGICS,
        sched::IO_PRIORITY_OF,
        sched::MEMBARRIER_COMMANDS,
        futex::FUTEX_OPERATIONS,
        futex::WAKE_OPERATIONS,
        futex::WAKE_COMPARISONS,
        mm::MEMORY_POLICIES,
        fs::SOCKET_REQUESTS,
        ptrace::PTRACE_REQUESTS,
        ptrace::PTRACE_EVENTS,
        ptrace::SYSCALL_INFO_KINDS,
        ptrace::REGISTER_SETS,
        task::PRCTL_OPTIONS,
        task::AMBIENT_CHANGES,
        task::MM_FIELDS,
        task::ARCH_PRCTL_CODES,
        task::SECCOMP_OPERATIONS,
        task::SECCOMP_ACTIONS,
        tty::PACKET_MODES,
        tty::TTY_REQUESTS,
    ]);
    for list in [
        flag_names::<fs::CloseRangeFlags>(),
        flag_names::<fs::ResolveFlags>(),
        flag_names::<fs::EpollEvents>(),
        flag_names::<sched::CloneFlags>(),
        flag_names::<signal::UContextFlags>(),
        flag_names::<signal::AltStackFlags>(),
        flag_names::<ptrace::PtraceOptions>(),
        flag_names::<task::SeccompFlags>(),
    ] {
        ours.extend(list);
    }
    same_constants(
        &[
            "asm/ioctls.h",
            "asm/ptrace.h",
            "asm/prctl.h",
            "asm/signal.h",
            "asm/sigcontext.h",
            "asm/termbits.h",
            "asm/ucontext.h",
            "linux/close_range.h",
            "linux/elf.h",
            "linux/eventpoll.h",
            "linux/fiemap.h",
            "linux/fs.h",
            "linux/futex.h",
            "linux/ioprio.h",
            "linux/magic.h",
            "linux/membarrier.h",
            "linux/nsfs.h",
            "linux/openat2.h",
            "linux/prctl.h",
            "linux/ptrace.h",
            "linux/sched.h",
            "linux/seccomp.h",
            "linux/sockios.h",
        ],
        &ours,
        300,
    );
}
