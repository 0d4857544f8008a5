//! Calls whose other arguments decide what an argument is: fcntl, ioctl, futex, clone,
//! prctl.

use std::fmt::Write as _;

use super::{Line, Slot};
use crate::abi::fs::{
    F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_GET_SEALS, F_GETFD, F_GETFL, F_GETLEASE, F_GETLK,
    F_GETOWN, F_GETPIPE_SZ, F_GETSIG, F_NOTIFY, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETFD,
    F_SETFL, F_SETLK, F_SETLKW, F_SETPIPE_SZ, F_SETSIG, FD_CLOEXEC, FILE_REQUESTS, FIOASYNC,
    FIONBIO, FIONREAD, Flock, OpenFlags, SOCKET_REQUESTS, Seals,
};
use crate::abi::futex::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE_PI,
    FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_OPERATIONS, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_WAIT,
    FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};
use crate::abi::ipc::{IPC_CREAT, IPC_EXCL, IPC_PRIVATE};
use crate::abi::sched::CloneFlags;
use crate::abi::task::{
    ARCH_GET_FS, ARCH_GET_GS, PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_CHILD_SUBREAPER,
    PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_NAME, PR_GET_NO_NEW_PRIVS, PR_GET_PDEATHSIG,
    PR_GET_SECCOMP, PR_GET_SECUREBITS, PR_GET_THP_DISABLE, PR_GET_TIMERSLACK,
    PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME, PR_SET_PDEATHSIG,
    PR_SET_TIMERSLACK,
};
use crate::abi::time::Timespec;
use crate::abi::tty::{
    TIOCGPGRP, TIOCGPTN, TIOCGSID, TIOCGWINSZ, TIOCOUTQ, TIOCSPGRP, TIOCSPTLCK, TIOCSWINSZ,
    TTY_REQUESTS, Winsize,
};
use crate::flags::FlagNames;
use crate::uaddr::{UserAddr, UserPtr};

impl Line<'_> {
    /// Flags that are an integer in the table because they are only sometimes there.
    fn flags<T: FlagNames>(&mut self, flags: T) {
        self.with(|out| crate::flags::show(flags, out));
    }

    /// The last argument of fcntl(2).
    pub(crate) fn fcntl_argument(&mut self, argument: u64, command: u32) {
        let at = UserAddr::new(argument);
        match command {
            F_GETFD | F_GETFL | F_GETOWN | F_GETSIG | F_GETLEASE | F_GETPIPE_SZ | F_GET_SEALS => {
                self.current = Slot::Omitted;
            }
            F_SETFD if argument == FD_CLOEXEC => self.put("FD_CLOEXEC"),
            F_SETFL => self.flags(OpenFlags::from_bits_retain(low(argument))),
            F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW => self.value(at.cast::<Flock>()),
            F_GETLK | F_OFD_GETLK => self.filled(at.cast::<Flock>()),
            F_ADD_SEALS => self.flags(Seals::from_bits_retain(low(argument))),
            F_SETFD | F_DUPFD | F_DUPFD_CLOEXEC | F_SETPIPE_SZ | F_SETSIG | F_NOTIFY => {
                self.plain(signed(argument));
            }
            _ => self.hex(argument),
        }
    }

    /// The request of ioctl(2).
    pub(crate) fn request(&mut self, request: u32) {
        self.named_in(request, &[TTY_REQUESTS, FILE_REQUESTS, SOCKET_REQUESTS]);
    }

    /// The last argument of ioctl(2).
    pub(crate) fn ioctl_argument(&mut self, argument: u64, request: u32) {
        let at = UserAddr::new(argument);
        match request {
            TIOCGWINSZ => self.filled(at.cast::<Winsize>()),
            TIOCSWINSZ => self.value(at.cast::<Winsize>()),
            FIONREAD | TIOCOUTQ | TIOCGPGRP | TIOCGSID | TIOCGPTN => {
                self.filled_number(at.cast::<i32>());
            }
            FIONBIO | FIOASYNC | TIOCSPGRP | TIOCSPTLCK => self.number(at.cast::<i32>()),
            _ => self.plain(at),
        }
    }

    /// The operation of futex(2).
    pub(crate) fn futex_operation(&mut self, op: u32) {
        let command = op & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
        self.named(command, FUTEX_OPERATIONS);
        if op & FUTEX_PRIVATE_FLAG != 0 {
            self.put("_PRIVATE");
        }
        if op & FUTEX_CLOCK_REALTIME != 0 {
            self.put("|FUTEX_CLOCK_REALTIME");
        }
    }

    /// The fourth argument of futex(2): a timeout, or a second count.
    pub(crate) fn futex_timeout(&mut self, timeout: UserPtr<Timespec>, op: u32) {
        match futex_command(op) {
            FUTEX_WAIT
            | FUTEX_WAIT_BITSET
            | FUTEX_LOCK_PI
            | FUTEX_LOCK_PI2
            | FUTEX_WAIT_REQUEUE_PI => self.value(timeout),
            FUTEX_REQUEUE | FUTEX_CMP_REQUEUE | FUTEX_CMP_REQUEUE_PI | FUTEX_WAKE_OP => {
                self.plain(low(timeout.addr().get()));
            }
            _ => self.current = Slot::Omitted,
        }
    }

    /// The fifth argument of futex(2).
    pub(crate) fn futex_second(&mut self, uaddr2: UserPtr<u32>, op: u32) {
        match futex_command(op) {
            FUTEX_REQUEUE
            | FUTEX_CMP_REQUEUE
            | FUTEX_CMP_REQUEUE_PI
            | FUTEX_WAKE_OP
            | FUTEX_WAIT_REQUEUE_PI => self.plain(uaddr2),
            _ => self.current = Slot::Omitted,
        }
    }

    /// The sixth argument of futex(2).
    pub(crate) fn futex_third(&mut self, val3: u32, op: u32) {
        match futex_command(op) {
            FUTEX_WAIT_BITSET | FUTEX_WAKE_BITSET if val3 == FUTEX_BITSET_MATCH_ANY => {
                self.put("FUTEX_BITSET_MATCH_ANY");
            }
            FUTEX_WAIT_BITSET | FUTEX_WAKE_BITSET | FUTEX_WAKE_OP => self.hex(val3),
            FUTEX_CMP_REQUEUE | FUTEX_CMP_REQUEUE_PI => self.plain(val3),
            _ => self.current = Slot::Omitted,
        }
    }

    /// The first argument of clone(2), which strace shows after the stack.
    pub(crate) fn clone_flags(&mut self, flags: CloneFlags, stack: UserAddr) {
        let (flags, signal) = flags.split();
        self.with(|out| {
            write!(out, "child_stack={stack:?}, flags=")?;
            crate::flags::show(flags, out)
        });
        if signal != 0 {
            let name = super::value::signal_name(i32::from(signal));
            self.put("|");
            self.put(&name);
        }
    }

    /// Where clone(2) stores the child's number for the parent.
    pub(crate) fn clone_parent(&mut self, at: UserPtr<i32>, flags: CloneFlags) {
        if !flags.intersects(CloneFlags::PARENT_SETTID | CloneFlags::PIDFD) {
            self.current = Slot::Omitted;
        } else if self.written_by_call(&at).is_some() {
            self.put("parent_tid=");
            self.number(at);
        }
    }

    /// The thread-local storage and the child's number of clone(2), in strace's order.
    pub(crate) fn clone_child(&mut self, tls: u64, flags: CloneFlags, child: UserPtr<i32>) {
        let with_tls = flags.contains(CloneFlags::SETTLS);
        let with_child = flags.intersects(CloneFlags::CHILD_SETTID | CloneFlags::CHILD_CLEARTID);
        match (with_tls, with_child) {
            (false, false) => self.current = Slot::Omitted,
            (true, false) => self.put(&format!("tls={tls:#x}")),
            (false, true) => self.put(&format!("child_tidptr={child:?}")),
            (true, true) => self.put(&format!("tls={tls:#x}, child_tidptr={child:?}")),
        }
    }

    /// The key of shmget(2), semget(2) and msgget(2).
    pub(crate) fn ipc_key(&mut self, key: i32) {
        match key {
            IPC_PRIVATE => self.put("IPC_PRIVATE"),
            _ => self.put(&format!("{key:#x}")),
        }
    }

    /// The flags of shmget(2), semget(2) and msgget(2), and the mode among them.
    pub(crate) fn ipc_flags(&mut self, flags: i32) {
        for (bit, name) in [(IPC_CREAT, "IPC_CREAT|"), (IPC_EXCL, "IPC_EXCL|")] {
            if flags & bit != 0 {
                self.put(name);
            }
        }
        let rest = flags & !(IPC_CREAT | IPC_EXCL);
        self.octal(u32::from_ne_bytes(rest.to_ne_bytes()));
    }

    /// The second argument of prctl(2).
    pub(crate) fn prctl_second(&mut self, argument: u64, option: i32) {
        match option {
            PR_SET_NAME => self.text(UserAddr::new(argument), 15),
            PR_GET_NAME => {
                if self.written_by_call(&UserAddr::new(argument)).is_some() {
                    self.text(UserAddr::new(argument), 15);
                }
            }
            PR_SET_PDEATHSIG => self.signal(signed(argument)),
            PR_SET_DUMPABLE
            | PR_SET_KEEPCAPS
            | PR_SET_TIMERSLACK
            | PR_SET_CHILD_SUBREAPER
            | PR_CAPBSET_READ
            | PR_CAPBSET_DROP => self.plain(argument),
            PR_GET_PDEATHSIG | PR_GET_CHILD_SUBREAPER => {
                self.filled_number(UserAddr::new(argument).cast::<i32>());
            }
            PR_GET_DUMPABLE | PR_GET_KEEPCAPS | PR_GET_TIMERSLACK | PR_GET_SECCOMP
            | PR_GET_SECUREBITS => self.current = Slot::Omitted,
            _ => self.hex(argument),
        }
    }

    /// The other arguments of prctl(2), which few options have.
    pub(crate) fn prctl_rest(&mut self, argument: u64, option: i32) {
        match option {
            PR_SET_NAME
            | PR_GET_NAME
            | PR_SET_PDEATHSIG
            | PR_GET_PDEATHSIG
            | PR_SET_DUMPABLE
            | PR_GET_DUMPABLE
            | PR_SET_KEEPCAPS
            | PR_GET_KEEPCAPS
            | PR_SET_TIMERSLACK
            | PR_GET_TIMERSLACK
            | PR_SET_CHILD_SUBREAPER
            | PR_GET_CHILD_SUBREAPER
            | PR_CAPBSET_READ
            | PR_CAPBSET_DROP
            | PR_GET_SECCOMP
            | PR_GET_SECUREBITS => {
                self.current = Slot::Omitted;
            }
            PR_GET_NO_NEW_PRIVS | PR_GET_THP_DISABLE => self.plain(argument),
            _ => self.hex(argument),
        }
    }

    /// The address of arch_prctl(2).
    pub(crate) fn arch_prctl_address(&mut self, argument: u64, code: i32) {
        let at = UserAddr::new(argument);
        match code {
            ARCH_GET_FS | ARCH_GET_GS => {
                if self.written_by_call(&at).is_some() {
                    match self.read::<UserAddr>(at) {
                        Some(base) => self.put(&format!("[{base:?}]")),
                        None => self.plain(at),
                    }
                }
            }
            _ => self.plain(at),
        }
    }
}

fn futex_command(op: u32) -> u32 {
    op & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)
}

#[allow(clippy::cast_possible_truncation, reason = "the ABI: an int argument")]
fn low(argument: u64) -> u32 {
    argument as u32
}

fn signed(argument: u64) -> i32 {
    i32::from_ne_bytes(low(argument).to_ne_bytes())
}
