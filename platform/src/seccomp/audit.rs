//! Which rows of a list are used, and what is missing: for tests and for whoever changes a
//! list.
//!
//! In a process under audit nothing is refused. Every call is passed to a thread of the
//! same process that is under no filter (`SECCOMP_RET_USER_NOTIF` in seccomp(2)); it lets
//! the call go on and writes a line about each row when it is used first, and about each
//! call that no row covers:
//! ```text
//! used 3 futex
//! missing openat 0xffffff9c 0x7f… 0x0 0x0 0x0 0x0
//! ```
//! [`unused`] compares such a text with the list.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use libc::{seccomp_notif, seccomp_notif_resp};
use syscalls::Errno;
use syscalls::errno::{EINTR, ENOENT};

use super::list::{self, Allow};
use super::program::{Otherwise, Program};
use crate::host::check;

const RECEIVE: libc::c_ulong = 0xc050_2100;
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`
const CONTINUE: u32 = 1;
const SEND: libc::c_ulong = 0xc018_2101;

/// Puts this thread, and all that it starts from now on, under audit. `report` gets the
/// lines. Every call becomes some fifty times slower.
pub fn start(rows: Vec<Allow>, report: OwnedFd) -> Result<(), Errno> {
    let program = Program::compile(&rows, Otherwise::Notify)?;
    let listener = Arc::new(AtomicI32::new(-1));
    let theirs = Arc::clone(&listener);
    let auditor = move || {
        // This thread cannot be told otherwise: telling takes a call, which waits for us.
        let listener = loop {
            match theirs.load(Ordering::Acquire) {
                -1 => std::thread::sleep(Duration::from_millis(1)),
                number => break number,
            }
        };
        // SAFETY: the kernel has just made this descriptor, for us alone.
        let listener = unsafe { OwnedFd::from_raw_fd(listener) };
        Audit {
            rows,
            report: File::from(report),
            seen: BTreeSet::new(),
        }
        .serve(&listener);
    };
    std::thread::Builder::new()
        .name("audit".to_owned())
        .spawn(auditor)?;
    let number = program.load(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    let number = RawFd::try_from(number).map_err(|_| ENOENT)?;
    listener.store(number, Ordering::Release);
    Ok(())
}

/// The rows that a report has no use of.
#[must_use]
pub fn unused<'a>(rows: &'a [Allow], report: &str) -> Vec<&'a Allow> {
    let used: BTreeSet<usize> = report
        .lines()
        .filter_map(|line| line.strip_prefix("used ")?.split(' ').next()?.parse().ok())
        .collect();
    let rows = rows.iter().enumerate();
    rows.filter(|(index, _)| !used.contains(index))
        .map(|(_, row)| row)
        .collect()
}

/// The calls that no row covers, as a report names them.
#[must_use]
pub fn missing(report: &str) -> Vec<&str> {
    let lines = report.lines();
    lines
        .filter_map(|line| line.strip_prefix("missing "))
        .collect()
}

struct Audit {
    rows: Vec<Allow>,
    report: File,
    /// Lines written.
    seen: BTreeSet<String>,
}

impl Audit {
    fn serve(&mut self, listener: &OwnedFd) {
        let listener = std::os::fd::AsRawFd::as_raw_fd(listener);
        loop {
            // SAFETY: all-zero is a valid seccomp_notif; the kernel demands it.
            let mut call = unsafe { std::mem::zeroed::<seccomp_notif>() };
            // SAFETY: the call fills in a seccomp_notif.
            let received = check(unsafe { libc::ioctl(listener, RECEIVE, &raw mut call) });
            match received {
                Ok(_) => {}
                // The caller was killed, or we were interrupted.
                Err(ENOENT | EINTR) => continue,
                Err(_) => return,
            }
            self.note(i64::from(call.data.nr), &call.data.args);
            let go_on = seccomp_notif_resp {
                id: call.id,
                val: 0,
                error: 0,
                flags: CONTINUE,
            };
            // Fails only if the caller is gone.
            // SAFETY: the call reads a seccomp_notif_resp.
            unsafe { libc::ioctl(listener, SEND, &raw const go_on) };
        }
    }

    fn note(&mut self, number: i64, args: &[u64; 6]) {
        let row = self.rows.iter().position(|row| row.covers(number, args));
        let name = list::name(number).unwrap_or("?");
        let (key, line) = match row {
            Some(index) => {
                let line = format!("used {index} {name}\n");
                (line.clone(), line)
            }
            None => {
                let [a, b, c, d, e, f] = args;
                let line = format!("missing {name} {a:#x} {b:#x} {c:#x} {d:#x} {e:#x} {f:#x}\n");
                (format!("missing {name} {a:#x} {b:#x}"), line)
            }
        };
        if self.seen.insert(key) {
            let _ = self.report.write_all(line.as_bytes());
        }
    }
}
