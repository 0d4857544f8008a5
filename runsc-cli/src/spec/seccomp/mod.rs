//! `linux.seccomp`: from rows of names to a filter that the container's kernel runs.
//!
//! What a profile means is what runc makes of it: rows whose action is the default one say
//! nothing; unknown names are left out; conditions on one argument that a row names twice
//! are alternatives; calls that are newer than every call of a profile that refuses by
//! default do not exist (`ENOSYS`). Of several rows for one call the conditional ones are
//! asked first, in their order.

mod compile;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompFilterFlag,
    LinuxSeccompOperator as Operator, LinuxSyscall,
};
use sentry::config::SeccompConfig;

use crate::failure::{Failure, Outcome};
use compile::{Comparison, Condition, Profile, Rule};

/// What runc gives where a profile names no error.
const DEFAULT_ERRNO: u32 = libc::EPERM.unsigned_abs();
const ENOSYS: u32 = libc::ENOSYS.unsigned_abs();
const MAX_ERRNO: u32 = 4095;

/// What can become of a call.
pub(crate) const ACTIONS: [&str; 8] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

/// How arguments are compared.
pub(crate) const OPERATORS: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

/// The filter of a container's processes.
pub(super) fn convert(seccomp: &LinuxSeccomp) -> Outcome<SeccompConfig> {
    if seccomp.listener_metadata().is_some() && seccomp.listener_path().is_none() {
        return Err(Failure::new(
            "linux.seccomp: listenerMetadata means nothing without listenerPath",
        ));
    }
    architectures(seccomp.architectures().as_deref().unwrap_or_default());
    let config = SeccompConfig {
        program: profile(seccomp)?.compile(),
        log: flags(seccomp),
    };
    sentry::seccomp::check(&config).map_err(|_| {
        Failure::new(format!(
            "linux.seccomp: the profile makes a filter of {} instructions: Linux takes 4096",
            config.program.len()
        ))
    })?;
    Ok(config)
}

fn profile(seccomp: &LinuxSeccomp) -> Outcome<Profile> {
    let default_action = seccomp.default_action();
    let default = result(default_action, seccomp.default_errno_ret())?;
    let mut calls: BTreeMap<u32, Vec<Rule>> = BTreeMap::new();
    let mut last = None;
    for row in seccomp.syscalls().iter().flatten() {
        let result = result(row.action(), row.errno_ret())?;
        if row.names().is_empty() {
            return Err(Failure::new("linux.seccomp: a row names no call"));
        }
        let rules = rules(row, result)?;
        for name in row.names() {
            let Some(number) = number(name) else {
                log::debug!("config.json: linux.seccomp: there is no call {name}");
                continue;
            };
            last = last.max(Some(number));
            if result != default {
                calls.entry(number).or_default().extend(rules.clone());
            }
        }
    }
    for rules in calls.values_mut() {
        // Stable: those of one kind stay in their order.
        rules.sort_by_key(|rule| rule.conditions.is_empty());
    }
    let lenient = matches!(
        default_action,
        Action::ScmpActAllow | Action::ScmpActLog | Action::ScmpActTrace
    );
    let newer = result_of(Action::ScmpActErrno, ENOSYS);
    Ok(Profile {
        default,
        calls,
        beyond: last.filter(|_| !lenient).map(|last| (last, newer)),
        x32: seccomp
            .architectures()
            .iter()
            .flatten()
            .any(|arch| *arch == Arch::ScmpArchX32),
    })
}

/// Which others there are does not matter: the container's kernel has one.
fn architectures(list: &[Arch]) {
    let known = |arch: &Arch| {
        matches!(
            arch,
            Arch::ScmpArchNative | Arch::ScmpArchX86 | Arch::ScmpArchX86_64 | Arch::ScmpArchX32
        )
    };
    if let Some(other) = list.iter().find(|arch| !known(arch)) {
        log::debug!("config.json: linux.seccomp: {other} does not occur");
    }
}

/// True if what is refused shall be logged. The other flags are for what an ordinary
/// kernel's processes have besides: threads, speculation, listeners.
fn flags(seccomp: &LinuxSeccomp) -> bool {
    let mut flags = seccomp.flags().iter().flatten();
    flags.any(|flag| *flag == LinuxSeccompFilterFlag::SeccompFilterFlagLog)
}

/// What a filter returns for an action.
fn result(action: Action, errno: Option<u32>) -> Outcome<u32> {
    if action == Action::ScmpActNotify {
        return Err(Failure::new(
            "linux.seccomp: SCMP_ACT_NOTIFY is not supported: choose another action, for \
             example SCMP_ACT_ERRNO",
        ));
    }
    if errno.is_some() && !matches!(action, Action::ScmpActErrno | Action::ScmpActTrace) {
        return Err(Failure::new(format!(
            "linux.seccomp: {action} has no errnoRet: take it out"
        )));
    }
    let errno = errno.unwrap_or(DEFAULT_ERRNO);
    if action == Action::ScmpActErrno && errno > MAX_ERRNO {
        return Err(Failure::new(format!(
            "linux.seccomp: errnoRet {errno} is above {MAX_ERRNO}"
        )));
    }
    Ok(result_of(action, errno))
}

fn result_of(action: Action, errno: u32) -> u32 {
    let data = errno & 0xffff;
    match action {
        Action::ScmpActKill | Action::ScmpActKillThread => libc::SECCOMP_RET_KILL_THREAD,
        Action::ScmpActKillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        Action::ScmpActTrap => libc::SECCOMP_RET_TRAP,
        Action::ScmpActErrno => libc::SECCOMP_RET_ERRNO | data,
        Action::ScmpActNotify => libc::SECCOMP_RET_USER_NOTIF,
        Action::ScmpActTrace => libc::SECCOMP_RET_TRACE | data,
        Action::ScmpActLog => libc::SECCOMP_RET_LOG,
        Action::ScmpActAllow => libc::SECCOMP_RET_ALLOW,
    }
}

fn number(name: &str) -> Option<u32> {
    let row = syscalls::TABLE.iter().find(|row| row.name == name)?;
    u32::try_from(row.number).ok()
}

/// One rule for all conditions of a row, or, if it names an argument twice, one for each.
fn rules(row: &LinuxSyscall, result: u32) -> Outcome<Vec<Rule>> {
    let conditions: Vec<Condition> = row
        .args()
        .iter()
        .flatten()
        .map(condition)
        .collect::<Outcome<_>>()?;
    let twice = conditions
        .iter()
        .enumerate()
        .any(|(at, condition)| conditions.iter().take(at).any(|c| c.arg == condition.arg));
    let rule = |conditions| Rule { conditions, result };
    Ok(if twice {
        conditions.into_iter().map(|c| rule(vec![c])).collect()
    } else {
        vec![rule(conditions)]
    })
}

fn condition(arg: &LinuxSeccompArg) -> Outcome<Condition> {
    const ARGUMENTS: usize = 6;
    let index = arg.index();
    let arg_number = u32::try_from(index).ok().filter(|_| index < ARGUMENTS);
    let arg_number = arg_number.ok_or_else(|| {
        Failure::new(format!(
            "linux.seccomp: calls have arguments 0 to 5, not {index}"
        ))
    })?;
    let second = arg.value_two().unwrap_or(0);
    let (comparison, value, mask) = match arg.op() {
        Operator::ScmpCmpNe => (Comparison::NotEqual, arg.value(), u64::MAX),
        Operator::ScmpCmpLt => (Comparison::Less, arg.value(), u64::MAX),
        Operator::ScmpCmpLe => (Comparison::AtMost, arg.value(), u64::MAX),
        Operator::ScmpCmpEq => (Comparison::Equal, arg.value(), u64::MAX),
        Operator::ScmpCmpGe => (Comparison::AtLeast, arg.value(), u64::MAX),
        Operator::ScmpCmpGt => (Comparison::Greater, arg.value(), u64::MAX),
        Operator::ScmpCmpMaskedEq => (Comparison::Equal, second, arg.value()),
    };
    Ok(Condition {
        arg: arg_number,
        comparison,
        value,
        mask,
    })
}
