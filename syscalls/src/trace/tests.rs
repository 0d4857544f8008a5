//! Expected lines are what strace printed for the same call on Linux.

use std::cell::RefCell;
use std::collections::BTreeMap;

use zerocopy::IntoBytes;

use super::Line;
use crate::abi::fs::{EpollEvent, IoVec, PollFd, Stat};
use crate::abi::sched::Rlimit;
use crate::abi::signal::Sigaction;
use crate::abi::time::Timespec;
use crate::arg::TraceMem;
use crate::errno::{EAGAIN, EBADF, ECHILD, ENOENT, ENOSYS};
use crate::stop::{Restart, Stop, SysResult};
use crate::table::Call;
use crate::uaddr::{UserAddr, UserPtr};

/// Pieces of guest memory.
#[derive(Default)]
struct Mem(RefCell<BTreeMap<u64, Vec<u8>>>);

impl Mem {
    /// Stores `bytes` and returns their address.
    fn put(&self, bytes: &[u8]) -> u64 {
        let mut pieces = self.0.borrow_mut();
        let at = 0x1000 * (pieces.len() as u64 + 1);
        pieces.insert(at, bytes.to_vec());
        at
    }

    fn text(&self, text: &str) -> u64 {
        self.put(&[text.as_bytes(), b"\0"].concat())
    }

    fn set(&self, at: u64, bytes: &[u8]) {
        self.0.borrow_mut().insert(at, bytes.to_vec());
    }
}

impl TraceMem for Mem {
    fn peek(&self, addr: UserAddr, buf: &mut [u8]) -> usize {
        let pieces = self.0.borrow();
        let Some((at, piece)) = pieces.range(..=addr.get()).next_back() else {
            return 0;
        };
        let from = usize::try_from(addr.get() - at).unwrap();
        let piece = piece.get(from..).unwrap_or(&[]);
        let len = piece.len().min(buf.len());
        buf[..len].copy_from_slice(&piece[..len]);
        len
    }
}

const CWD: u64 = 100_u64.wrapping_neg();

/// The line with its padding reduced to one space.
fn line(mem: &Mem, number: u64, args: &[u64], result: SysResult) -> String {
    line_with(mem, number, args, || {}, result)
}

/// The same; `call` does what the call does to memory.
fn line_with(
    mem: &Mem,
    number: u64,
    args: &[u64],
    call: impl FnOnce(),
    result: SysResult,
) -> String {
    let text = full_line(mem, number, args, call, result);
    let (left, right) = text.rsplit_once(")  ").map_or_else(
        || (text.clone(), String::new()),
        |(left, right)| (format!("{left}) "), right.trim_start().to_owned()),
    );
    left + &right
}

fn full_line(
    mem: &Mem,
    number: u64,
    args: &[u64],
    call: impl FnOnce(),
    result: SysResult,
) -> String {
    let mut regs = [0xdead; 6];
    regs[..args.len()].copy_from_slice(args);
    let decoded =
        Call::decode(number, &regs).unwrap_or_else(|errno| panic!("call {number}: {errno:?}"));
    let line = Line::enter(&decoded, mem);
    call();
    line.leave(&result)
}

fn failed(errno: crate::Errno) -> SysResult {
    Err(Stop::Errno(errno))
}

#[test]
fn results_stand_in_a_column() {
    let mem = Mem::default();
    assert_eq!(
        full_line(&mem, 3, &[3], || {}, Ok(0)),
        "close(3)                                = 0"
    );
    assert_eq!(
        full_line(&mem, 231, &[3], || {}, Ok(0)),
        "exit_group(3)                           = ?"
    );
}

#[test]
fn paths_and_flags() {
    let mem = Mem::default();
    let path = mem.text("/tmp/_t");
    assert_eq!(
        line(&mem, 257, &[CWD, path, 0o1102, 0o100_644], Ok(4)),
        "openat(AT_FDCWD, \"/tmp/_t\", O_RDWR|O_CREAT|O_TRUNC, 0644) = 4"
    );
    assert_eq!(
        line(&mem, 257, &[CWD, path, 0o2_000_000, 7], failed(ENOENT)),
        "openat(AT_FDCWD, \"/tmp/_t\", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)"
    );
    assert_eq!(
        line(&mem, 90, &[path, 0o600], Ok(0)),
        "chmod(\"/tmp/_t\", 0600) = 0"
    );
    assert_eq!(line(&mem, 95, &[0o22], Ok(0o22)), "umask(022) = 022");
    assert_eq!(line(&mem, 95, &[0], Ok(0)), "umask(000) = 000");
    assert_eq!(
        line(&mem, 259, &[CWD, path, 0o10_600, 0], Ok(0)),
        "mknodat(AT_FDCWD, \"/tmp/_t\", S_IFIFO|0600, 0) = 0"
    );
    assert_eq!(
        line(&mem, 260, &[CWD, path, 0xffff_ffff, 0, 0], Ok(0)),
        "fchownat(AT_FDCWD, \"/tmp/_t\", -1, 0, 0) = 0"
    );
    assert_eq!(
        line(&mem, 8, &[4, 0, 0], Ok(0)),
        "lseek(4, 0, SEEK_SET) = 0"
    );
    assert_eq!(
        line(&mem, 80, &[0x70], failed(ENOENT)).split(" =").next(),
        Some("chdir(0x70)")
    );
}

#[test]
fn data_that_is_read_and_written() {
    let mem = Mem::default();
    let data = mem.put(b"hello\n\0\x01\x019\xff\"\\ and a very long line after that");
    let shown = "\"hello\\n\\0\\1\\0019\\377\\\"\\\\ and a very long li\"...";
    assert_eq!(
        line(&mem, 1, &[4, data, 50], Ok(50)),
        format!("write(4, {shown}, 50) = 50")
    );
    assert_eq!(
        line(&mem, 0, &[4, data, 100], Ok(49)),
        format!("read(4, {shown}, 100) = 49")
    );
    assert_eq!(
        line(&mem, 0, &[3, data, 4096], Ok(0)),
        "read(3, \"\", 4096) = 0"
    );
    assert_eq!(
        line(&mem, 0, &[99, 0x7ffe_d962_5170, 100], failed(EBADF)),
        "read(99, 0x7ffed9625170, 100) = -1 EBADF (Bad file descriptor)"
    );
    let cwd = mem.text("/tmp");
    assert_eq!(
        line(&mem, 79, &[cwd, 4096], Ok(5)),
        "getcwd(\"/tmp\", 4096) = 5"
    );
    let (self_exe, target) = (mem.text("/proc/self/exe"), mem.put(b"/tmp/t??"));
    assert_eq!(
        line(&mem, 89, &[self_exe, target, 100], Ok(6)),
        "readlink(\"/proc/self/exe\", \"/tmp/t\", 100) = 6"
    );
    let random = mem.put(&[0x83, 0xca, 0xa3, 0xda]);
    assert_eq!(
        line(&mem, 318, &[random, 4, 1], Ok(4)),
        "getrandom(\"\\x83\\xca\\xa3\\xda\", 4, GRND_NONBLOCK) = 4"
    );
    let vector = |parts: &[(u64, u64)]| {
        let parts: Vec<IoVec> = parts
            .iter()
            .map(|&(base, len)| IoVec {
                base: UserAddr::new(base),
                len,
            })
            .collect();
        mem.put(parts.as_bytes())
    };
    let iov = vector(&[(data, 2), (data + 2, 4)]);
    assert_eq!(
        line(&mem, 20, &[4, iov, 2], Ok(6)),
        "writev(4, [{iov_base=\"he\", iov_len=2}, {iov_base=\"llo\\n\", iov_len=4}], 2) = 6"
    );
    assert_eq!(
        line(&mem, 295, &[4, iov, 2, 0], Ok(5)),
        "preadv(4, [{iov_base=\"he\", iov_len=2}, {iov_base=\"llo\", iov_len=4}], 2, 0) = 5"
    );
}

#[test]
fn structures() {
    let mem = Mem::default();
    let empty = mem.text("");
    let room = mem.put(&[0; 200]);
    let stat = Stat {
        mode: 0o100_644,
        size: 50,
        ..Stat::default()
    };
    assert_eq!(
        line_with(
            &mem,
            262,
            &[4, empty, room, 0x1000],
            || mem.set(room, stat.as_bytes()),
            Ok(0)
        ),
        "newfstatat(4, \"\", {st_mode=S_IFREG|0644, st_size=50, ...}, AT_EMPTY_PATH) = 0"
    );
    assert_eq!(
        line(
            &mem,
            262,
            &[CWD, empty, 0x7ffe_d962_50e0, 0],
            failed(ENOENT)
        ),
        "newfstatat(AT_FDCWD, \"\", 0x7ffed96250e0, 0) = -1 ENOENT (No such file or directory)"
    );
    let fds = mem.put([7, 8].as_bytes());
    assert_eq!(
        line(&mem, 293, &[fds, 0o2_004_000], Ok(0)),
        "pipe2([7, 8], O_NONBLOCK|O_CLOEXEC) = 0"
    );
    let time = mem.put(Timespec { sec: 0, nsec: 5 }.as_bytes());
    assert_eq!(
        line(&mem, 230, &[1, 0, time, 0], Ok(0)),
        "clock_nanosleep(CLOCK_MONOTONIC, 0, {tv_sec=0, tv_nsec=5}, NULL) = 0"
    );
    let limit = mem.put(
        Rlimit {
            cur: 8192 * 1024,
            max: u64::MAX,
        }
        .as_bytes(),
    );
    assert_eq!(
        line(&mem, 302, &[0, 3, 0, limit], Ok(0)),
        "prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0"
    );
    let event = mem.put(
        EpollEvent {
            events: 1 | 1 << 31,
            data: 7,
        }
        .as_bytes(),
    );
    assert_eq!(
        line(&mem, 233, &[15, 1, 14, event], Ok(0)),
        "epoll_ctl(15, EPOLL_CTL_ADD, 14, {events=EPOLLIN|EPOLLET, data={u32=7, u64=7}}) = 0"
    );
    let polled = [
        PollFd {
            fd: 14,
            events: 0x2001,
            revents: 0x2001,
        },
        PollFd {
            fd: 7,
            events: 1,
            revents: 0,
        },
    ];
    let polled = mem.put(polled.as_bytes());
    assert_eq!(
        line(&mem, 7, &[polled, 2, 10], Ok(1)),
        "poll([{fd=14, events=POLLIN|POLLRDHUP}, {fd=7, events=POLLIN}], 2, 10) = 1 ([{fd=14, revents=POLLIN|POLLRDHUP}])"
    );
    let program = mem.text("/tmp/t");
    let (argument, variable) = (mem.text("a b"), mem.text("A=1"));
    let argv = mem.put([program, argument, 0].as_bytes());
    let envp = mem.put([variable, variable, 0].as_bytes());
    assert_eq!(
        line(&mem, 59, &[program, argv, envp], Err(Stop::Registers)),
        format!("execve(\"/tmp/t\", [\"/tmp/t\", \"a b\"], {envp:#x} /* 2 vars */) = 0")
    );
}

#[test]
fn signals_and_processes() {
    let mem = Mem::default();
    let action = Sigaction {
        handler: UserAddr::new(0x55e5_a6b3_47b9),
        flags: 0x1400_0000,
        restorer: UserAddr::new(0x7f66_7689_7050),
        mask: 1 << 1,
    };
    let action = mem.put(action.as_bytes());
    assert_eq!(
        line(&mem, 13, &[10, action, 0, 8], Ok(0)),
        "rt_sigaction(SIGUSR1, {sa_handler=0x55e5a6b347b9, sa_mask=[INT], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f6676897050}, NULL, 8) = 0"
    );
    let (most, old) = (mem.put((!(3_u64 << 31)).as_bytes()), mem.put(&[0; 8]));
    assert_eq!(
        line(&mem, 14, &[0, most, old, 8], Ok(0)),
        "rt_sigprocmask(SIG_BLOCK, ~[RTMIN RT_1], [], 8) = 0"
    );
    let set = mem.put((1_u64 << 16 | 1 << 33).as_bytes());
    assert_eq!(
        line(&mem, 289, &[u64::MAX, set, 8, 0o2_000_000], Ok(16)),
        "signalfd4(-1, [CHLD RT_2], 8, SFD_CLOEXEC) = 16"
    );
    assert_eq!(
        line(&mem, 62, &[16427, 10], Ok(0)),
        "kill(16427, SIGUSR1) = 0"
    );
    let child = 0x7f66_7685_8a10;
    assert_eq!(
        line(&mem, 56, &[0x0120_0011, 0, 0, child, 0], Ok(16428)),
        "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f6676858a10) = 16428"
    );
    let status = mem.put((3 << 8).as_bytes());
    assert_eq!(
        line(&mem, 61, &[16428, status, 0, 0], Ok(16428)),
        "wait4(16428, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 16428"
    );
    mem.set(status, 9.as_bytes());
    assert_eq!(
        line(&mem, 61, &[u64::MAX, status, 2, 0], Ok(16429)),
        "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], WSTOPPED, NULL) = 16429"
    );
    assert_eq!(
        line(
            &mem,
            61,
            &[u64::MAX, 0x7ffe_d962_4bfc, 1, 0],
            failed(ECHILD)
        ),
        "wait4(-1, 0x7ffed9624bfc, WNOHANG, NULL) = -1 ECHILD (No child processes)"
    );
}

#[test]
fn sockets() {
    let mem = Mem::default();
    assert_eq!(
        line(&mem, 41, &[2, 0o2_000_001, 6], Ok(11)),
        "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 11"
    );
    assert_eq!(
        line(&mem, 41, &[1, 2, 0], Ok(12)),
        "socket(AF_UNIX, SOCK_DGRAM, 0) = 12"
    );
    let inet = mem.put(&[2, 0, 0xb4, 0x37, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let len = mem.put(16.as_bytes());
    assert_eq!(
        line(&mem, 51, &[11, inet, len], Ok(0)),
        "getsockname(11, {sa_family=AF_INET, sin_port=htons(46135), sin_addr=inet_addr(\"127.0.0.1\")}, [16]) = 0"
    );
    let mut unix = [0; 110];
    unix[0] = 1;
    unix[2..13].copy_from_slice(b"/tmp/nosock");
    let unix = mem.put(&unix);
    assert_eq!(
        line(&mem, 42, &[12, unix, 110], failed(ENOENT)),
        "connect(12, {sa_family=AF_UNIX, sun_path=\"/tmp/nosock\"}, 110) = -1 ENOENT (No such file or directory)"
    );
    let mut inet6 = [0; 28];
    inet6[0] = 10;
    inet6[3] = 53;
    inet6[23] = 1;
    let inet6 = mem.put(&inet6);
    assert_eq!(
        line(&mem, 42, &[11, inet6, 28], Ok(0)),
        "connect(11, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = 0"
    );
    let one = mem.put(1.as_bytes());
    assert_eq!(
        line(&mem, 54, &[11, 1, 2, one, 4], Ok(0)),
        "setsockopt(11, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0"
    );
    assert_eq!(
        line(
            &mem,
            45,
            &[13, 0x7ffe_d962_5170, 10, 2, 0, 0],
            failed(EAGAIN)
        ),
        "recvfrom(13, 0x7ffed9625170, 10, MSG_PEEK, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)"
    );
}

#[test]
fn arguments_that_depend_on_others() {
    let mem = Mem::default();
    assert_eq!(line(&mem, 72, &[4, 1], Ok(0)), "fcntl(4, F_GETFD) = 0");
    assert_eq!(
        line(&mem, 72, &[4, 2, 1], Ok(0)),
        "fcntl(4, F_SETFD, FD_CLOEXEC) = 0"
    );
    assert_eq!(
        line(&mem, 72, &[4, 3], Ok(0x8002)),
        "fcntl(4, F_GETFL) = 0x8002 (flags O_RDWR|O_LARGEFILE)"
    );
    assert_eq!(
        line(&mem, 72, &[4, 4, 0o4002], Ok(0)),
        "fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0"
    );
    assert_eq!(
        line(&mem, 72, &[4, 1030, 30], Ok(30)),
        "fcntl(4, F_DUPFD_CLOEXEC, 30) = 30"
    );
    let word = 0x7ffe_d962_48dc;
    assert_eq!(
        line(&mem, 202, &[word, 128, 4, 0], failed(EAGAIN)),
        "futex(0x7ffed96248dc, FUTEX_WAIT_PRIVATE, 4, NULL) = -1 EAGAIN (Resource temporarily unavailable)"
    );
    assert_eq!(
        line(&mem, 202, &[word, 129, 1], Ok(0)),
        "futex(0x7ffed96248dc, FUTEX_WAKE_PRIVATE, 1) = 0"
    );
    let time = mem.put(Timespec { sec: 0, nsec: 7 }.as_bytes());
    assert_eq!(
        line(
            &mem,
            202,
            &[word, 128 | 256 | 9, 4, time, 0, u64::MAX],
            Ok(0)
        ),
        "futex(0x7ffed96248dc, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 4, {tv_sec=0, tv_nsec=7}, FUTEX_BITSET_MATCH_ANY) = 0"
    );
    assert_eq!(
        line(&mem, 202, &[word, 4, 1, 2, word, 5], Ok(0)),
        "futex(0x7ffed96248dc, FUTEX_CMP_REQUEUE, 1, 2, 0x7ffed96248dc, 5) = 0"
    );
    assert_eq!(
        line(
            &mem,
            16,
            &[0, 0x5413, 0x7ffe_d962_4b88],
            failed(crate::errno::ENOTTY)
        ),
        "ioctl(0, TIOCGWINSZ, 0x7ffed9624b88) = -1 ENOTTY (Inappropriate ioctl for device)"
    );
    assert_eq!(
        line(&mem, 29, &[0, 4096, 0o1600], Ok(0)),
        "shmget(IPC_PRIVATE, 4096, IPC_CREAT|0600) = 0"
    );
    let name = mem.text("abc");
    assert_eq!(
        line(&mem, 188, &[name, name, name, 2, 1], Ok(0)),
        "setxattr(\"abc\", \"abc\", \"ab\", 2, XATTR_CREATE) = 0"
    );
    assert_eq!(
        line(&mem, 157, &[15, name, 0, 0, 0], Ok(0)),
        "prctl(PR_SET_NAME, \"abc\") = 0"
    );
    assert_eq!(
        line(&mem, 158, &[0x1002, 0x7f66_7685_8740], Ok(0)),
        "arch_prctl(ARCH_SET_FS, 0x7f6676858740) = 0"
    );
}

#[test]
fn memory_calls_return_addresses() {
    let mem = Mem::default();
    assert_eq!(
        line(
            &mem,
            9,
            &[0, 8192, 3, 0x22, u64::MAX, 0],
            Ok(0x7f66_76a4_4000)
        ),
        "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f6676a44000"
    );
    assert_eq!(
        line(
            &mem,
            9,
            &[0x7f66_7688_1000, 1_400_832, 5, 0x812, 3, 0x2_6000],
            Ok(0x7f66_7688_1000)
        ),
        "mmap(0x7f6676881000, 1400832, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, 3, 0x26000) = 0x7f6676881000"
    );
    assert_eq!(
        line(&mem, 10, &[0x7f66_76a4_4000, 4096, 0], Ok(0)),
        "mprotect(0x7f6676a44000, 4096, PROT_NONE) = 0"
    );
    assert_eq!(
        line(&mem, 12, &[0], Ok(0x55e5_c99d_1000)),
        "brk(NULL) = 0x55e5c99d1000"
    );
}

#[test]
fn interrupted_and_unfinished() {
    let mem = Mem::default();
    assert_eq!(
        line(&mem, 34, &[], Err(Stop::Restart(Restart::NoHand))),
        "pause() = ? ERESTARTNOHAND (To be restarted if no handler)"
    );
    let regs = [16428, 0x1000, 0, 0, 0, 0];
    let call = Call::decode(61, &regs).unwrap();
    assert_eq!(
        Line::enter(&call, &mem).unfinished(),
        "wait4(16428,  <unfinished ...>"
    );
    let call = Call::decode(273, &[0x7f66_7685_8a20, 24, 0, 0, 0, 0]).unwrap();
    assert_eq!(
        Line::enter(&call, &mem).unfinished(),
        "set_robust_list(0x7f6676858a20, 24 <unfinished ...>"
    );
    assert_eq!(
        Line::enter_raw(470, &[1, 2, 3, 4, 5, 6], &mem).leave(&failed(ENOSYS)),
        "syscall_0x1d6(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)"
    );
}

#[test]
fn no_argument_makes_a_trace_fail() {
    // Every call with the same odd values, without memory behind them and with some.
    let mem = Mem::default();
    mem.set(0, &[0xff; 4096]);
    for value in [
        0,
        1,
        64,
        4095,
        u64::MAX,
        i64::MAX as u64,
        1 << 63,
        0xffff_fff0,
    ] {
        for number in 0..470 {
            if let Ok(call) = Call::decode(number, &[value; 6]) {
                for result in [Ok(value), failed(EAGAIN)] {
                    let line = Line::enter(&call, &mem).leave(&result);
                    assert!(line.starts_with(call.name()), "{line}");
                }
            }
        }
    }
    assert!(UserPtr::<u64>::new(UserAddr::new(u64::MAX)).at(1).is_err());
}
