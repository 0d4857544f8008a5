//! The jail of Sentry and Gofer, as /proc shows it, and that nothing outlives a sandbox.

use std::collections::BTreeSet;
use std::fs;

use crate::sandbox::{self, Caller, Sandbox, gone};

/// Field `name` of /proc/PID/status.
fn status(pid: i32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.strip_prefix(':'));
    value
        .unwrap_or_else(|| panic!("no {name}"))
        .trim()
        .to_owned()
}

fn namespace(pid: i32, kind: &str) -> String {
    let link = fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("namespace");
    link.to_string_lossy().into_owned()
}

fn descriptors(pid: i32) -> Vec<String> {
    let list = fs::read_dir(format!("/proc/{pid}/fd")).expect("fd");
    list.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .map(|link| link.to_string_lossy().into_owned())
        .collect()
}

/// Everything that holds for both processes.
fn check_jail(pid: i32) {
    for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        let own = namespace(std::process::id().cast_signed(), kind);
        assert_ne!(namespace(pid, kind), own, "{kind}");
    }
    assert_eq!(status(pid, "NoNewPrivs"), "1");
    assert_eq!(status(pid, "Seccomp"), "2", "a filter");
    for set in ["CapInh", "CapAmb"] {
        assert_eq!(status(pid, set), "0000000000000000", "{set}");
    }
    let root = format!("/proc/{pid}/root/");
    assert_eq!(
        fs::read_dir(&root).expect("root").count(),
        0,
        "an empty root"
    );
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("mounts");
    assert_eq!(mounts.lines().count(), 1, "{mounts}");
    assert!(mounts.contains(" / / ro,nosuid,nodev,noexec"), "{mounts}");
    let net = fs::read_to_string(format!("/proc/{pid}/net/dev")).expect("net");
    let interfaces: Vec<_> = net.lines().skip(2).collect();
    assert!(
        interfaces.iter().all(|line| line.trim().starts_with("lo:")),
        "{net}"
    );
}

fn check_sandbox(sandbox: &Sandbox, caller: Caller) {
    let (sentry, gofer) = (sandbox.sentry, sandbox.gofer);
    for pid in [sentry, gofer] {
        check_jail(pid);
    }
    let kinds = ["user", "mnt", "pid", "net", "ipc", "uts"];
    for kind in kinds {
        assert_ne!(namespace(sentry, kind), namespace(gofer, kind), "{kind}");
    }
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(status(sentry, set), "0000000000000000", "{set}");
        // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP
        assert_eq!(status(gofer, set), "000000008000001b", "{set}");
    }
    let ids = |pid, name| -> BTreeSet<String> {
        let ids = status(pid, name);
        ids.split_whitespace().map(str::to_owned).collect()
    };
    let uid = match caller {
        Caller::Root => "65534",
        Caller::Ordinary => sandbox::ORDINARY_TEXT,
    };
    assert_eq!(ids(sentry, "Uid"), BTreeSet::from([uid.to_owned()]));
    assert_eq!(ids(sentry, "Gid"), BTreeSet::from([uid.to_owned()]));
    if caller == Caller::Root {
        assert_eq!(status(sentry, "Groups"), "");
        assert_eq!(status(gofer, "Groups"), "");
    }

    // Of the host's files, the Sentry has its stdio and nothing else.
    let stdio = ["/dev/null", "pipe:"];
    let own = ["socket:", "/memfd:", "anon_inode:", "pipe:"];
    for link in descriptors(sentry) {
        let known = stdio
            .iter()
            .chain(&own)
            .any(|start| link.starts_with(start));
        assert!(known, "the Sentry holds {link}");
    }
}

#[test]
fn of_root() {
    if !sandbox::is_root() {
        return;
    }
    let sandbox = Sandbox::start(Caller::Root);
    check_sandbox(&sandbox, Caller::Root);
}

#[test]
fn of_an_ordinary_user() {
    let sandbox = Sandbox::start(Caller::Ordinary);
    check_sandbox(&sandbox, Caller::Ordinary);
}

#[test]
fn names_are_what_operators_look_for() {
    let sandbox = Sandbox::start(Caller::Ordinary);
    for (pid, name) in [
        (sandbox.sentry, "runsk-sentry"),
        (sandbox.gofer, "runsk-gofer"),
    ] {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("cmdline");
        assert!(line.starts_with(name), "{line}");
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).expect("comm");
        assert_eq!(comm.trim(), name);
    }
}

#[test]
fn nothing_outlives_a_killed_command_line() {
    for caller in [Caller::Root, Caller::Ordinary] {
        if caller == Caller::Root && !sandbox::is_root() {
            continue;
        }
        let mut sandbox = Sandbox::start(caller);
        sandbox.cli.kill().expect("kill");
        gone(sandbox.sentry);
        gone(sandbox.gofer);
    }
}

#[test]
fn a_dead_gofer_ends_the_sandbox() {
    let sandbox = Sandbox::start(Caller::Ordinary);
    sandbox::kill(sandbox.gofer);
    let sentry = sandbox.sentry;
    let (code, stderr) = sandbox.finish();
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("runsk: Gofer broken pipe: "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    gone(sentry);
}

/// Has the main thread of a process make one more call once it sleeps in one: reboot(2), with
/// arguments that mean nothing.
fn make_it_reboot(pid: i32) {
    sandbox::wait_for(|| reboot_from_a_call(pid));
}

fn reboot_from_a_call(pid: i32) -> Option<()> {
    use nix::sys::ptrace;
    use nix::sys::wait::waitpid;
    /// Length of the instruction `syscall`.
    const LENGTH: u64 = 2;
    const REBOOT: u64 = 169;
    let pid = nix::unistd::Pid::from_raw(pid);
    ptrace::attach(pid).expect("attach");
    waitpid(pid, None).expect("stop");
    let mut regs = ptrace::getregs(pid).expect("registers");
    let sleeps = regs.orig_rax != u64::MAX;
    if sleeps {
        regs.rip -= LENGTH;
        regs.rax = REBOOT;
        // Nothing is to be restarted.
        regs.orig_rax = u64::MAX;
        ptrace::setregs(pid, regs).expect("registers");
    }
    ptrace::detach(pid, None).expect("detach");
    sleeps.then_some(())
}

#[test]
fn a_call_that_a_filter_refuses_ends_the_sandbox_and_is_named() {
    if !sandbox::is_root() {
        eprintln!("SKIPPED: only root traces a process of another user namespace");
        return;
    }
    for name in ["Sentry", "Gofer"] {
        let sandbox = Sandbox::start(Caller::Root);
        let (sentry, gofer) = (sandbox.sentry, sandbox.gofer);
        make_it_reboot(if name == "Sentry" { sentry } else { gofer });
        let (code, stderr) = sandbox.finish();
        assert_eq!(code, Some(1), "{stderr}");
        let denied = format!("runsk: {name} syscall denied: reboot(0x");
        assert!(stderr.starts_with(&denied), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        gone(sentry);
        gone(gofer);
    }
}

#[test]
fn a_dead_sentry_ends_the_sandbox() {
    let sandbox = Sandbox::start(Caller::Ordinary);
    sandbox::kill(sandbox.sentry);
    let gofer = sandbox.gofer;
    let (code, stderr) = sandbox.finish();
    assert_eq!(code, Some(1));
    assert_eq!(stderr, "runsk: Sentry was killed by SIGKILL\n");
    gone(gofer);
}
