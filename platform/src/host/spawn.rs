//! Starts a program in namespaces of its own, with exactly the descriptors it is given.
//!
//! The child stops at a gate before it runs the program, so that the parent can write its
//! id maps ([`Parked::pid`]) and then [`Parked::release`] it. If the parent ends before,
//! the gate closes and the child ends too.
//!
//! Between clone and execve the child makes plain system calls on memory that was prepared
//! before: it is safe to start programs from a process with threads.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::caps::{self, Caps};

/// A program to start.
pub struct Program<'a> {
    /// The executable file; read or path access.
    pub executable: BorrowedFd<'a>,
    /// Arguments, the name first.
    pub args: Vec<CString>,
    /// Environment, `NAME=value`.
    pub env: Vec<CString>,
    /// Descriptor `i` of the program is `fds[i]`. It has no other.
    pub fds: Vec<BorrowedFd<'a>>,
    /// Namespaces to make, as `CLONE_NEW…` flags.
    pub namespaces: CloneFlags,
    /// Who it runs as, in the ids of the new user namespace.
    pub identity: Identity,
    /// Capabilities (in the new user namespace) that survive execve.
    pub keep: Caps,
    /// Whose session it is in.
    pub session: Session,
    /// Signals that stay blocked in the program; all others are unblocked.
    pub blocked: nix::sys::signal::SigSet,
    /// Where it is put before anything else.
    pub cgroup: Entrance<'a>,
}

/// A session, setsid(2): whoever ends a program by its process group means no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// The parent's.
    Inherited,
    /// One of its own.
    New,
    /// One of its own, whose controlling terminal is descriptor `n`.
    Terminal(RawFd),
}

/// The child's places in the host's hierarchies of cgroups; empty, its parent's.
///
/// It is born in the one of version 2, and moves itself, alone as it still is, in those of
/// version 1: neither takes the lock over all forks and exits of the host, which costs
/// whoever takes it ten milliseconds.
#[derive(Clone, Copy, Default)]
pub struct Entrance<'a> {
    /// A directory of version 2.
    pub unified: Option<BorrowedFd<'a>>,
    /// The files `tasks` of version 1, open for writing.
    pub tasks: &'a [OwnedFd],
}

/// User and groups of a program.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// User id in the program's user namespace.
    pub uid: u32,
    /// Group id there.
    pub gid: u32,
    /// Supplementary groups stay as they are where the namespace cannot change them.
    pub keep_groups: bool,
}

/// A started child that waits for [`Parked::release`].
pub struct Parked {
    child: Child,
    gate: OwnedFd,
}

/// A running child.
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
    failure: OwnedFd,
}

impl Parked {
    /// The child's process id, as the caller sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Lets the child run its program. One that could not even get here says why by
    /// [`Child::failure`].
    pub fn release(self) -> nix::Result<Child> {
        match nix::unistd::write(&self.gate, &[0]) {
            Err(Errno::EPIPE) => Ok(self.child),
            result => result.map(|_| self.child),
        }
    }
}

impl Child {
    /// The child's process id, as the caller sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable when the child has ended; pidfd_open(2).
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Why the program could not be run: for a child that ended at once. The text names the
    /// step that failed.
    #[must_use]
    pub fn failure(&self) -> Option<(&'static str, Errno)> {
        let mut report = [0; 8];
        let flags = nix::sys::socket::MsgFlags::MSG_DONTWAIT;
        match nix::sys::socket::recv(self.failure.as_raw_fd(), &mut report, flags) {
            Ok(8) => {}
            _ => return None,
        }
        let [a, b, c, d, e, f, g, h] = report;
        let step = u32::from_ne_bytes([a, b, c, d]);
        let errno = Errno::from_raw(i32::from_ne_bytes([e, f, g, h]));
        let step = usize::try_from(step).ok().and_then(|i| STEPS.get(i))?;
        Some((step, errno))
    }
}

const STEPS: [&str; 8] = [
    "enter the cgroup",
    "wait for the parent",
    "place descriptors",
    "begin a session",
    "drop groups",
    "change user and group",
    "keep capabilities",
    "execute",
];

#[derive(Clone, Copy)]
#[repr(u32)]
enum Step {
    Cgroup,
    Gate,
    Descriptors,
    Session,
    Groups,
    Identity,
    Caps,
    Execute,
}

/// Not among the C library's numbers, as it does not fit into an int; clone(2).
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Starts `program`; it waits for [`Parked::release`].
pub fn spawn(program: &Program<'_>) -> nix::Result<Parked> {
    let (gate, child_gate) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    let prepared = Prepared::new(program, child_gate.as_fd());
    let mut pidfd: c_int = -1;
    let flags = program.namespaces.bits() | libc::CLONE_PIDFD;
    let mut flags = u64::from(flags.cast_unsigned());
    let mut cgroup = 0;
    if let Some(unified) = program.cgroup.unified {
        flags |= CLONE_INTO_CGROUP;
        cgroup = u64::try_from(unified.as_raw_fd()).map_err(|_| Errno::EBADF)?;
    }
    let args = libc::clone_args {
        flags,
        pidfd: ptr::from_mut(&mut pidfd).addr() as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup,
    };
    // SAFETY: without CLONE_VM the child has its own copy of everything. It runs nothing but
    // `Prepared::child`, which makes system calls only and never returns.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            ptr::from_ref(&args),
            size_of::<libc::clone_args>(),
        )
    };
    match Errno::result(pid)? {
        0 => prepared.child(),
        pid => {
            // SAFETY: clone3 succeeded and stored a new descriptor, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            let failure = gate.try_clone().map_err(|error| errno_of(&error))?;
            let pid = i32::try_from(pid).unwrap_or(-1);
            let child = Child {
                pid,
                pidfd,
                failure,
            };
            Ok(Parked { child, gate })
        }
    }
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// Everything the child needs, laid out before the clone.
struct Prepared<'a> {
    executable: RawFd,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    fds: Vec<RawFd>,
    tasks: Vec<RawFd>,
    gate: RawFd,
    identity: Identity,
    keep: Caps,
    session: Session,
    blocked: libc::sigset_t,
    _program: &'a Program<'a>,
}

impl<'a> Prepared<'a> {
    fn new(program: &'a Program<'a>, gate: BorrowedFd<'_>) -> Self {
        let pointers = |strings: &[CString]| {
            let mut list: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
            list.push(ptr::null());
            list
        };
        Prepared {
            executable: program.executable.as_raw_fd(),
            argv: pointers(&program.args),
            envp: pointers(&program.env),
            fds: program.fds.iter().map(AsRawFd::as_raw_fd).collect(),
            tasks: program
                .cgroup
                .tasks
                .iter()
                .map(AsRawFd::as_raw_fd)
                .collect(),
            gate: gate.as_raw_fd(),
            identity: program.identity,
            keep: program.keep,
            session: program.session,
            blocked: *program.blocked.as_ref(),
            _program: program,
        }
    }

    /// The child's life until its program runs.
    fn child(&self) -> ! {
        let count = c_int::try_from(self.fds.len()).unwrap_or(c_int::MAX - 2);
        let (gate, executable) = (count, count + 1);
        // Before the descriptors are placed, a failure is told on the gate's first number.
        let (gate, (step, errno)) = match self.enter_cgroup() {
            Err(errno) => (self.gate, (Step::Cgroup, errno)),
            Ok(()) => (
                gate,
                match self.place_descriptors(gate, executable) {
                    Ok(()) => self.after_placing(gate, executable),
                    Err(errno) => (Step::Descriptors, errno),
                },
            ),
        };
        let mut report = [0; 8];
        report[..4].copy_from_slice(&(step as u32).to_ne_bytes());
        report[4..].copy_from_slice(&(errno as i32).to_ne_bytes());
        // SAFETY: the buffer is 8 bytes long; a failed write changes nothing.
        unsafe { libc::write(gate, report.as_ptr().cast::<c_void>(), 8) };
        // SAFETY: ends this process only.
        unsafe { libc::_exit(126) }
    }

    /// Moves this process, which has one thread, in the hierarchies of version 1.
    fn enter_cgroup(&self) -> Result<(), Errno> {
        for &fd in &self.tasks {
            // SAFETY: one byte of a constant: "0" stands for whoever writes.
            let written = unsafe { libc::write(fd, c"0".as_ptr().cast::<c_void>(), 1) };
            Errno::result(written)?;
        }
        Ok(())
    }

    /// Closes all but the program's descriptors (`0..gate`), the gate and the executable.
    fn place_descriptors(&self, gate: RawFd, executable: RawFd) -> Result<(), Errno> {
        // First out of the way, so that no placing overwrites a source.
        let above = |fd: RawFd| -> Result<RawFd, Errno> {
            // SAFETY: duplicates a descriptor number; touches no memory.
            let new = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, executable + 1) };
            Errno::result(new)
        };
        let place = |from: RawFd, to: RawFd, flags: c_int| {
            // SAFETY: replaces descriptors of this child, which uses none but those placed here.
            Errno::result(unsafe { libc::dup3(from, to, flags) }).map(drop)
        };
        if self.fds.len() > MAX_FDS {
            return Err(Errno::EMFILE);
        }
        let high_gate = above(self.gate)?;
        let high_executable = above(self.executable)?;
        let mut moved = [0; MAX_FDS];
        for (slot, &fd) in moved.iter_mut().zip(&self.fds) {
            *slot = above(fd)?;
        }
        for (target, &fd) in (0..gate).zip(&moved) {
            place(fd, target, 0)?;
        }
        place(high_gate, gate, libc::O_CLOEXEC)?;
        place(high_executable, executable, libc::O_CLOEXEC)?;
        // SAFETY: as for `place`.
        let closed = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                c_long::from(executable) + 1,
                c_long::from(c_int::MAX),
                0,
            )
        };
        Errno::result(closed).map(drop)
    }

    fn after_placing(&self, gate: RawFd, executable: RawFd) -> (Step, Errno) {
        let mut byte = 0u8;
        // SAFETY: one byte of this frame.
        let read = unsafe { libc::read(gate, ptr::from_mut(&mut byte).cast::<c_void>(), 1) };
        match Errno::result(read) {
            Ok(1) => {}
            // The parent is gone: end quietly.
            Ok(_) => return (Step::Gate, Errno::EPIPE),
            Err(errno) => return (Step::Gate, errno),
        }
        if let Err(errno) = self.begin_session() {
            return (Step::Session, errno);
        }
        if let Err(errno) = self.drop_groups() {
            return (Step::Groups, errno);
        }
        if let Err(errno) = self.change_identity() {
            return (Step::Identity, errno);
        }
        if let Err(errno) = caps::keep_across_execve(self.keep) {
            return (Step::Caps, errno);
        }
        // SAFETY: the set is initialised, the old one is not asked for.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.blocked, ptr::null_mut()) };
        // SAFETY: NULL-terminated arrays of NUL-terminated strings, all owned by `_program`.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                executable,
                c"".as_ptr(),
                self.argv.as_ptr(),
                self.envp.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
        (Step::Execute, Errno::last())
    }

    fn begin_session(&self) -> Result<(), Errno> {
        if self.session == Session::Inherited {
            return Ok(());
        }
        // SAFETY: takes no argument.
        Errno::result(unsafe { libc::setsid() })?;
        let Session::Terminal(fd) = self.session else {
            return Ok(());
        };
        // SAFETY: the argument is a number (do not steal the terminal of another session).
        Errno::result(unsafe { libc::ioctl(fd, libc::TIOCSCTTY, 0) }).map(drop)
    }

    fn drop_groups(&self) -> Result<(), Errno> {
        if self.identity.keep_groups {
            return Ok(());
        }
        // SAFETY: an empty list needs no memory. The raw call, because the C library's
        // wrapper talks to threads that the child does not have.
        Errno::result(unsafe { libc::syscall(libc::SYS_setgroups, 0, ptr::null::<u32>()) })
            .map(drop)
    }

    fn change_identity(&self) -> Result<(), Errno> {
        let Identity { uid, gid, .. } = self.identity;
        if !self.keep.is_empty() {
            // Outside a new user namespace, who becomes somebody else loses them.
            // SAFETY: numbers only.
            Errno::result(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) })?;
        }
        // SAFETY: numbers only; the raw call for the reason above.
        Errno::result(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
        // SAFETY: as above.
        Errno::result(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
    }
}

/// The most descriptors that a program can be given.
pub const MAX_FDS: usize = 64;

/// The first descriptor after stdin, stdout and stderr.
pub const FIRST_INHERITED: RawFd = 3;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The descriptors that [`spawn`] gave this program after stdin, stdout and stderr, in their
/// order: now its own, and closed on execve. To be called once, first thing in main; later
/// calls fail with `EBADF`.
pub fn take_inherited() -> nix::Result<Vec<OwnedFd>> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(Errno::EBADF);
    }
    let mut fds = Vec::new();
    for fd in (FIRST_INHERITED..).take(MAX_FDS) {
        // SAFETY: sets a flag of a descriptor, if there is one; touches no memory.
        let result = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        if result == -1 {
            break;
        }
        // SAFETY: it is open (checked), and ours alone: this runs once, before the program
        // has opened anything, on the numbers that its parent filled without a gap.
        fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    Ok(fds)
}

/// A second descriptor of what this process has as descriptor `number`, closed on execve.
/// `EBADF` if it is not open.
pub fn second(number: RawFd) -> nix::Result<OwnedFd> {
    // SAFETY: duplicates a descriptor by its number; touches no memory.
    let new = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, FIRST_INHERITED) };
    let new = Errno::result(new)?;
    // SAFETY: the kernel has just made this descriptor, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// The executable of this process, to be started again.
pub fn own_executable() -> nix::Result<OwnedFd> {
    const SELF: &CStr = c"/proc/self/exe";
    nix::fcntl::open(
        SELF,
        nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )
}
