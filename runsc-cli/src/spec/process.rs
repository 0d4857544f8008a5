//! The `process` of a configuration.

use oci_spec::runtime::{PosixRlimit, PosixRlimitType, Process};
use sentry::config::ProcessConfig;

use super::{absolute_inside, bytes, caps, settings};
use crate::failure::{Failure, Outcome};

/// The highest id that runc and systemd accept.
const MAX_ID: u32 = i32::MAX.unsigned_abs();

/// Checks and converts the process.
pub(crate) fn convert(process: &Process) -> Outcome<ProcessConfig> {
    let args = strings("process.args", process.args().as_deref())?;
    if args.is_empty() {
        return Err(Failure::new(
            "process.args is empty: it must name a program",
        ));
    }
    if !process.cwd().is_absolute() {
        return Err(Failure::new(format!(
            "process.cwd \"{}\" is not an absolute path",
            process.cwd().display()
        )));
    }
    let user = process.user();
    let groups = user.additional_gids().clone().unwrap_or_default();
    for id in [user.uid(), user.gid()].iter().chain(&groups) {
        if *id > MAX_ID {
            return Err(Failure::new(format!(
                "process.user: id {id} is not in the range 0 to {MAX_ID}"
            )));
        }
    }
    Ok(ProcessConfig {
        args,
        program: None,
        env: strings("process.env", process.env().as_deref())?,
        cwd: absolute_inside("process.cwd", process.cwd())?,
        uid: user.uid(),
        gid: user.gid(),
        groups,
        umask: user.umask().map(umask).transpose()?,
        capabilities: caps::convert(process.capabilities().as_ref()),
        rlimits: rlimits(process.rlimits().as_deref().unwrap_or_default())?,
        seccomp: None,
        no_new_privs: process.no_new_privileges().unwrap_or(false),
        terminal: process.terminal().unwrap_or(false),
        settings: settings::convert(process)?,
    })
}

/// `process.consoleSize` as (rows, columns).
pub(crate) fn console_size(process: &Process) -> Option<(u16, u16)> {
    let size = process.console_size()?;
    let number = |value: u64| u16::try_from(value).ok();
    Some((number(size.height())?, number(size.width())?))
}

fn strings(what: &str, list: Option<&[String]>) -> Outcome<Vec<Vec<u8>>> {
    let list = list.unwrap_or_default();
    list.iter().map(|value| bytes(what, value)).collect()
}

fn umask(value: u32) -> Outcome<u16> {
    u16::try_from(value)
        .ok()
        .filter(|mask| *mask <= 0o777)
        .ok_or_else(|| Failure::new(format!("process.user.umask {value} is above 511 (0777)")))
}

fn rlimits(list: &[PosixRlimit]) -> Outcome<Vec<(u32, u64, u64)>> {
    for (at, limit) in list.iter().enumerate() {
        if list.iter().take(at).any(|other| other.typ() == limit.typ()) {
            return Err(Failure::new(format!(
                "process.rlimits: {} is given twice",
                limit.typ()
            )));
        }
    }
    list.iter().map(rlimit).collect()
}

/// As (number, soft, hard).
fn rlimit(limit: &PosixRlimit) -> Outcome<(u32, u64, u64)> {
    let number = match limit.typ() {
        PosixRlimitType::RlimitCpu => libc::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => libc::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => libc::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => libc::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => libc::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => libc::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => libc::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => libc::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => libc::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => libc::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => libc::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => libc::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => libc::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => libc::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => libc::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => libc::RLIMIT_RTTIME,
    };
    let (soft, hard) = (limit.soft(), limit.hard());
    if soft > hard {
        return Err(Failure::new(format!(
            "process.rlimits: {}: soft limit {soft} is above the hard limit {hard}",
            limit.typ()
        )));
    }
    Ok((number, soft, hard))
}
