//! The container's profile, as runc applies it and as the container's own kernel does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::errors::Dir;
use crate::sandbox::{Caller, is_root, runsk};

/// What dockerd sends for a container with its default capabilities.
const DOCKER: &str = include_str!("samples/docker-seccomp.json");

/// What only a profile forbids to a process with all capabilities.
const FORBIDDEN: &str = "
    unshare -m true; echo $?; mount -t tmpfs x /tmp; echo $?; umount /proc; echo $?
    hostname other; echo $?; hostname; grep -E '^(Seccomp|NoNewPrivs)' /proc/self/status
    mkdir -p /tmp/d && chroot /tmp/d /x; echo $?; id -u; ls /";

/// A bundle with nothing but a static busybox in it.
fn bundle(test: &str, script: &str, no_new_privs: bool, profile: &Value) -> Dir {
    let dir = Dir::bundle(test, |config| {
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/bin/sh", "-c", script]);
        config["process"]["noNewPrivileges"] = json!(no_new_privs);
        let mut all = Vec::new();
        for set in ["bounding", "effective", "permitted"] {
            all.push((
                set,
                json!(["CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SETPCAP"]),
            ));
        }
        config["process"]["capabilities"] = all.into_iter().collect();
        config["root"]["readonly"] = json!(false);
        let own = |mount: &Value| mount["destination"] == "/proc" || mount["destination"] == "/dev";
        config["mounts"] = config["mounts"]
            .as_array()
            .expect("mounts")
            .iter()
            .filter(|m| own(m))
            .cloned()
            .collect();
        config["hostname"] = json!("before");
        config["linux"]["seccomp"] = profile.clone();
    });
    let bin = dir.0.join("rootfs/bin");
    for name in ["bin", "tmp", "proc", "dev", "sys"] {
        fs::create_dir_all(dir.0.join("rootfs").join(name)).expect("directory");
    }
    let busybox = bin.join("busybox");
    fs::copy("/bin/busybox", &busybox).expect("busybox-static");
    fs::set_permissions(&busybox, PermissionsExt::from_mode(0o755)).expect("mode");
    for applet in [
        "sh", "unshare", "mount", "umount", "hostname", "grep", "mkdir", "chroot", "id", "ls",
        "true", "sleep",
    ] {
        let _ = std::os::unix::fs::symlink("busybox", bin.join(applet));
    }
    dir
}

/// What the container said, and how it ended.
fn outcome(command: &mut Command, bundle: &Dir) -> (Option<i32>, String) {
    let id = bundle.0.file_name().expect("name");
    let output: Output = command
        .args(["run", "--bundle"])
        .arg(&bundle.0)
        .arg(id)
        .stdin(Stdio::null())
        .output()
        .expect("a runtime");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Runs under both; `None` without the rights for runc.
fn both(bundle: &Dir) -> Option<[(Option<i32>, String); 2]> {
    if !is_root() {
        return None;
    }
    let state = bundle.0.join("runc-state");
    let native = outcome(Command::new("runc").arg("--root").arg(&state), bundle);
    let ours = outcome(runsk(Caller::Root).args(["--log", "/dev/null"]), bundle);
    Some([native, ours])
}

#[test]
fn dockers_profile_forbids_as_under_runc() {
    let profile: Value = serde_json::from_str(DOCKER).expect("JSON");
    for no_new_privs in [false, true] {
        let bundle = bundle("seccomp-docker", FORBIDDEN, no_new_privs, &profile);
        let Some([native, ours]) = both(&bundle) else {
            return;
        };
        assert!(native.1.contains("Operation not permitted"), "{native:?}");
        assert!(native.1.contains("Seccomp:\t2"), "{native:?}");
        assert_eq!(native, ours);
    }
}

#[test]
fn without_a_profile_nothing_is_forbidden() {
    let script =
        "mount -t tmpfs x /tmp; echo $?; hostname other; hostname; grep ^Seccomp /proc/self/status";
    let bundle = bundle("seccomp-none", script, true, &Value::Null);
    if let Some([native, ours]) = both(&bundle) {
        assert!(
            native.1.starts_with("0\nother\nSeccomp:\t0\n"),
            "{native:?}"
        );
        assert_eq!(native, ours);
    }
}

#[test]
fn a_program_that_is_killed() {
    // A call that runc does not make itself once the profile holds.
    for (action, status) in [("KILL_PROCESS", 159), ("KILL", 159), ("TRAP", 159)] {
        let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["times"], "action": format!("SCMP_ACT_{action}")}]});
        let bundle = bundle("seccomp-kill", "times; echo not reached", false, &profile);
        if let Some([native, ours]) = both(&bundle) {
            assert_eq!(native, (Some(status), String::new()));
            assert_eq!(native, ours);
        }
    }
}

#[test]
fn what_a_profile_logs_or_traces() {
    let profile = json!({"defaultAction": "SCMP_ACT_LOG", "syscalls": [
        {"names": ["getppid"], "action": "SCMP_ACT_TRACE", "errnoRet": 7}]});
    // Without a tracer the call does not exist, which the shell takes for a number.
    let bundle = bundle(
        "seccomp-log",
        "echo $PPID; sleep 0.01; echo $?",
        true,
        &profile,
    );
    if let Some([native, ours]) = both(&bundle) {
        assert_eq!(native, ours);
    }
}
