//! What limits a container, seen from inside: the kernel's own, before the host's.

use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::errors::Dir;
use crate::sandbox::{self, Caller, runsk};

const MEBI: u64 = 1 << 20;

/// What a shell command on the host's files printed, and what was said about it.
struct Run {
    status: Option<i32>,
    printed: String,
    said: String,
}

impl Run {
    fn new(test: &str, command: &str, resources: &Value) -> Self {
        let bundle = Dir::bundle(test, |config| {
            config["root"] = json!({ "path": "/" });
            config["process"]["terminal"] = json!(false);
            config["process"]["args"] = json!(["/bin/bash", "-c", command]);
            config["linux"]["resources"] = resources.clone();
            for mount in config["mounts"].as_array_mut().expect("mounts") {
                if mount["destination"] == "/sys/fs/cgroup" {
                    mount["options"] = json!(["nosuid", "noexec", "nodev"]);
                }
            }
        });
        let caller = if sandbox::is_root() {
            Caller::Root
        } else {
            Caller::Ordinary
        };
        let output = runsk(caller)
            .args(["run", "--overlay", "-b"])
            .arg(&bundle.0)
            .arg(format!("runsk-{test}-{}", std::process::id()))
            .stdin(Stdio::null())
            .output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.expect("runsk");
        Run {
            status: status.code(),
            printed: String::from_utf8(stdout).expect("text"),
            said: String::from_utf8(stderr).expect("text"),
        }
    }

    #[track_caller]
    fn prints(&self, expected: &str) {
        assert_eq!(self.printed, expected, "{}", self.said);
    }
}

#[test]
fn the_process_with_most_memory_is_ended() {
    let program = "import os\nx = []\nwhile True: x.append(b'x' * (1 << 20))";
    let command = format!(
        "python3 -c \"{program}\" >&2; echo status $?; \
         grep -E '^oom(_kill)? ' /sys/fs/cgroup/memory.events; \
         grep oom_kill /proc/vmstat"
    );
    let run = Run::new(
        "oom",
        &command,
        &json!({ "memory": { "limit": 100 * MEBI } }),
    );
    run.prints("status 137\noom 1\noom_kill 1\noom_kill 1\n");
    assert!(
        run.said.contains("out of memory: killed process ") && run.said.contains("(python3)"),
        "{}",
        run.said
    );
    assert!(run.said.contains("limit is 102400 KiB"), "{}", run.said);
    assert_eq!(run.status, Some(0));
}

/// The larger one is spared where its adjustment says so.
#[test]
fn adjustments_are_honoured() {
    let command = "exec 2> /dev/null
        hold() { python3 -c 'import sys,time
x = bytearray(b\"x\") * (int(sys.argv[1]) << 20)
time.sleep(60)' $1 & }
        hold 50; large=$!
        echo 1000 > /proc/self/oom_score_adj
        hold 30; small=$!
        while [ $(($(grep VmRSS /proc/$large/status | tr -dc 0-9)
                 + $(grep VmRSS /proc/$small/status | tr -dc 0-9))) -lt 90000 ]; do :; done
        echo 0 > /proc/self/oom_score_adj
        python3 -c 'x = bytearray(b\"x\") * (40 << 20)'
        echo more $?
        kill $large && echo spared
        wait $small; echo small $?";
    let run = Run::new(
        "adjusted",
        command,
        &json!({ "memory": { "limit": 143 * MEBI } }),
    );
    run.prints("more 0\nspared\nsmall 137\n");
}

#[test]
fn pages_of_files_make_room() {
    let command = "cat /usr/lib/x86_64-linux-gnu/lib*.so* > /dev/null
        [ $(stat -Lc %s /usr/lib/x86_64-linux-gnu/lib*.so* | paste -sd+ | bc) -gt 100000000 ] &&
        echo much; grep '^oom ' /sys/fs/cgroup/memory.events";
    let command = command.replace("| paste -sd+ | bc)", "| awk '{ s += $1 } END { print s }')");
    let run = Run::new(
        "files",
        &command,
        &json!({ "memory": { "limit": 64 * MEBI } }),
    );
    run.prints("much\noom 0\n");
}

#[test]
fn fork_fails_at_the_limit_of_tasks() {
    let command = "python3 -c '
import os, errno
made = []
try:
    while True:
        pid = os.fork()
        if pid == 0:
            os.pause() if hasattr(os, \"pause\") else __import__(\"signal\").pause()
        made.append(pid)
except OSError as error:
    print(len(made), errno.errorcode[error.errno])
print(open(\"/sys/fs/cgroup/pids.events\").read(), end=\"\")
for pid in made: os.kill(pid, 9)
for pid in made: os.waitpid(pid, 0)
print(os.waitpid(os.fork() or os._exit(0), 0)[1])
'";
    let run = Run::new("pids", command, &json!({ "pids": { "limit": 10 } }));
    // The shell may have made way for Python.
    let first = run.printed.lines().next().unwrap_or_default();
    assert!(
        ["8 EAGAIN", "9 EAGAIN"].contains(&first),
        "{}{}",
        run.printed,
        run.said
    );
    assert!(
        run.printed.ends_with("EAGAIN\nmax 1\n0\n"),
        "{}",
        run.printed
    );
}

/// A process that ends with another thread than its first leaves none behind.
#[test]
fn threads_that_end_last_are_counted_no_longer() {
    let command = "for i in 1 2 3; do python3 -c '
import ctypes, threading, time
threading.Thread(target=lambda: time.sleep(0.1)).start()
ctypes.CDLL(None).syscall(60, 0)
'; done; cat /sys/fs/cgroup/pids.current";
    let run = Run::new("threads", command, &json!({ "pids": { "limit": 10 } }));
    // The shell and cat, or cat in its place.
    assert!(
        ["1\n", "2\n"].contains(&&*run.printed),
        "{}{}",
        run.printed,
        run.said
    );
    assert!(!run.said.contains("do not end"), "{}", run.said);
}

#[test]
fn programs_see_the_limits() {
    let command = "nproc; grep -c ^processor /proc/cpuinfo; cat /sys/devices/system/cpu/online
        getconf _NPROCESSORS_ONLN; cd /sys/fs/cgroup
        cat memory.max pids.max cpu.max cgroup.controllers /proc/self/cgroup
        grep MemTotal /proc/meminfo; free -m | awk '/Mem/ { print $2 }'
        [ $(cat memory.current) -gt 0 ] && cat pids.current; cut -f1,4 /proc/cgroups";
    let resources = json!({
        "memory": { "limit": 256 * MEBI },
        "pids": { "limit": 50 },
        "cpu": { "quota": 80_000, "period": 100_000 },
    });
    let run = Run::new("seen", command, &resources);
    run.prints(
        "1\n1\n0\n1\n268435456\n50\n80000 100000\ncpuset cpu memory pids\n0::/\n\
         MemTotal:         262148 kB\n256\n2\n\
         #subsys_name\tenabled\ncpuset\t1\ncpu\t1\nmemory\t1\npids\t1\n",
    );
}

#[test]
fn groups_inside() {
    let command = "exec 2>&1; cd /sys/fs/cgroup; mkdir a
        ls a | grep -c pids; echo +pids > cgroup.subtree_control; ls a | grep -c pids
        mkdir a/b; echo $$ > a/b/cgroup.procs; cat /proc/self/cgroup
        echo 2 > a/pids.max; python3 -c 'import os
try: os.fork()
except OSError as error: print(error)'
        echo max > a/pids.max; grep -c 'max [1-9]' a/pids.events
        rmdir a; rmdir a/b; echo $$ > cgroup.procs; rmdir a
        sleep 60 & echo $! > a/b/cgroup.procs; cat a/b/cgroup.procs | grep -c $!
        cat a/cgroup.events; echo 1 > a/cgroup.kill; wait; cat a/cgroup.events
        rmdir a/b a; ls -d a; echo 5 > pids.max; echo 0 > cgroup.freeze; echo nonsense > cgroup.procs";
    let run = Run::new("inside", command, &json!({}));
    let printed = run.printed.replace("/bin/bash: line ", "");
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(
        lines.get(..3),
        Some(&["0", "3", "0::/a/b"][..]),
        "{printed}"
    );
    for part in [
        "[Errno 11] Resource temporarily unavailable\n1\n",
        "rmdir: failed to remove 'a': Device or resource busy\n\
         rmdir: failed to remove 'a/b': Device or resource busy\n\
         rmdir: failed to remove 'a': Device or resource busy\n1\n",
        "populated 1\nfrozen 0\n",
        "populated 0\nfrozen 0\n",
        "ls: cannot access 'a': No such file or directory\n",
        "echo: write error: Operation not permitted\n",
        "echo: write error: Invalid argument\n",
    ] {
        assert!(printed.contains(part), "{part:?} is not in\n{printed}");
    }
}

#[test]
fn a_frozen_group_stands_still() {
    let command = "cd /sys/fs/cgroup; mkdir a
        (while :; do :; done) & busy=$!; echo $busy > a/cgroup.procs
        (read < /dev/zero; sleep 60) & echo $! > a/cgroup.procs
        used() { awk '/user_usec/ { print $2 }' a/cpu.stat; }
        echo 1 > a/cgroup.freeze; until grep -q 'frozen 1' a/cgroup.events; do :; done
        before=$(used); sleep 0.1; [ $(used) = $before ] && echo still
        grep -c T /proc/$busy/stat
        kill -CONT $busy; sleep 0.1; [ $(used) = $before ] && echo still
        echo 0 > a/cgroup.freeze; until [ $(used) -gt $before ]; do :; done
        echo 1 > a/cgroup.freeze; until grep -q 'frozen 1' a/cgroup.events; do :; done
        kill -KILL $busy; wait $busy; echo $?; kill -KILL $!; wait; rmdir a; echo gone";
    let run = Run::new("frozen", command, &json!({}));
    run.prints("still\n0\nstill\n137\ngone\n");
}
