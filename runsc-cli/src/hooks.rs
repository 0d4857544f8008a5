//! Hooks: programs of the host that a configuration has run in a container's life.
//!
//! | hook | when | if it fails |
//! |---|---|---|
//! | prestart, createRuntime, createContainer | at the end of `create` | the container is not created |
//! | startContainer | at the beginning of `start`, inside the container | it is stopped |
//! | poststart | at the end of `start` | it is stopped |
//! | poststop | at the end of `delete` | a warning |
//!
//! All run one after the other. Those of `create` run in the host's namespaces, but for
//! createContainer: a container has no mount, UTS and IPC namespaces of the host, and so these
//! hooks run in ones that are made for them, with the container's host name, and in the
//! network namespace that the configuration names. What they mount is gone with them: it is on
//! nobody's host, but in no container either, whose trees the Gofer has taken before.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use oci_spec::runtime::{Hook, Hooks};

use crate::failure::{Context, Failure, Outcome};

/// What is kept of what a hook that failed has said, bytes.
const MAX_SAID: usize = 4096;

/// Those of all kinds.
fn all(hooks: &Hooks) -> impl Iterator<Item = &Hook> {
    let lists = [
        hooks.prestart(),
        hooks.create_runtime(),
        hooks.create_container(),
        hooks.start_container(),
        hooks.poststart(),
        hooks.poststop(),
    ];
    lists.into_iter().flatten().flatten()
}

/// Whether there are any.
pub(crate) fn any(hooks: &Hooks) -> bool {
    all(hooks).next().is_some()
}

/// Whether they can be run at all.
pub(crate) fn check(hooks: &Hooks) -> Outcome<()> {
    for hook in all(hooks) {
        let path = hook.path().display();
        if !hook.path().is_absolute() {
            return Err(Failure::new(format!("hook {path}: not an absolute path")));
        }
        if let Some(timeout @ ..=0) = hook.timeout() {
            return Err(Failure::new(format!(
                "hook {path}: a timeout of {timeout} s: give at least 1"
            )));
        }
    }
    Ok(())
}

/// Runs hooks one after the other, each with `state` on its stdin, until one fails.
pub(crate) fn run(kind: &str, hooks: Option<&Vec<Hook>>, state: &str) -> Outcome<()> {
    for (number, hook) in hooks.into_iter().flatten().enumerate() {
        log::debug!("{kind} hook {number}: {}", hook.path().display());
        run_one(hook, state).context(format_args!("error running {kind} hook #{number}"))?;
    }
    Ok(())
}

/// As [`run`], in namespaces like the container's.
pub(crate) fn run_apart(
    kind: &str,
    hooks: Option<&Vec<Hook>>,
    state: &str,
    place: &Place,
) -> Outcome<()> {
    if hooks.is_none_or(Vec::is_empty) {
        return Ok(());
    }
    // The namespaces are a thread's: they end with it and what it has started.
    let apart = || {
        place.enter().context(format_args!("{kind} hooks"))?;
        run(kind, hooks, state)
    };
    std::thread::scope(|scope| {
        let joined = scope.spawn(apart).join();
        joined.unwrap_or_else(|_| Err(Failure::new(format!("{kind} hooks"))))
    })
}

/// Where hooks of a container run that are not the host's affair.
#[derive(Debug)]
pub(crate) struct Place {
    /// Its host name.
    pub(crate) hostname: Vec<u8>,
    /// The network namespace that it is given.
    pub(crate) network: Option<PathBuf>,
}

impl Place {
    fn enter(&self) -> Outcome<()> {
        if !nix::unistd::geteuid().is_root() {
            // It may make them only below a user namespace, and a process with threads makes
            // none of those.
            return Ok(());
        }
        if let Some(path) = &self.network {
            let file = File::open(path).context(path.display())?;
            setns(&file, CloneFlags::CLONE_NEWNET).context(path.display())?;
        }
        let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
        unshare(flags).context("namespaces")?;
        let private = MsFlags::MS_SLAVE | MsFlags::MS_REC;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).context("mounts")?;
        nix::unistd::sethostname(OsStr::from_bytes(&self.hostname)).context("hostname")
    }
}

/// Runs hooks one after the other. Failures are told and change nothing.
pub(crate) fn run_all(kind: &str, hooks: Option<&Vec<Hook>>, state: &str) {
    for hook in hooks.into_iter().flatten() {
        if let Err(failure) = run_one(hook, state) {
            log::warn!("{kind} hook: {failure}");
        }
    }
}

fn run_one(hook: &Hook, state: &str) -> Outcome<()> {
    let path = hook.path();
    let shown = path.display().to_string();
    let mut command = Command::new(path);
    if let Some([name, args @ ..]) = hook.args().as_deref() {
        command.arg0(name).args(args);
    }
    command.env_clear();
    for variable in hook.env().iter().flatten() {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        command.env(name, value);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context(&shown)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook may look at none of it. The text fits into a pipe.
        let _ = stdin.write_all(state.as_bytes());
    }
    let status = wait(&mut child, hook.timeout()).context(&shown)?;
    if status.success() {
        return Ok(());
    }
    let said = said(&mut child);
    Err(Failure::new(format!("{shown}: {status}, stderr: {said}")))
}

/// Waits for its end, and ends it when its time is over.
fn wait(child: &mut Child, seconds: Option<i64>) -> std::io::Result<ExitStatus> {
    let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) else {
        return child.wait();
    };
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            let text = format!("it took longer than its timeout of {seconds} s");
            return Err(std::io::Error::other(text));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What there is on its stderr. Processes that it has left behind may still hold it open:
/// nobody waits for them.
fn said(child: &mut Child) -> String {
    use std::os::fd::AsFd;
    let Some(stderr) = child.stderr.take() else {
        return String::new();
    };
    let mut buffer = vec![0; MAX_SAID];
    let flags = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK);
    let read = nix::fcntl::fcntl(stderr.as_fd(), flags)
        .and_then(|_| nix::unistd::read(&stderr, &mut buffer));
    buffer.truncate(read.unwrap_or(0));
    String::from_utf8_lossy(&buffer).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::Hook;

    fn hook(script: &str, timeout: Option<i64>) -> Vec<Hook> {
        let text = serde_json::json!({
            "path": "/bin/sh", "args": ["hook", "-c", script], "env": ["A=b"],
            "timeout": timeout,
        });
        vec![serde_json::from_value(text).expect("a hook")]
    }

    fn run(script: &str, timeout: Option<i64>) -> Result<(), String> {
        let hooks = hook(script, timeout);
        super::run("prestart", Some(&hooks), "{\"id\":\"c\"}").map_err(|f| f.to_string())
    }

    #[test]
    fn a_hook_gets_the_state_its_name_and_its_environment_alone() {
        let script = "read state; [ \"$state\" = '{\"id\":\"c\"}' ] && [ $0 = hook ] \
                      && [ \"$A\" = b ] && [ -z \"$HOME\" ]";
        // $0 is what follows the script.
        let script = script.replace("$0", "hook");
        assert_eq!(run(&script, None), Ok(()));
    }

    #[test]
    fn failures_say_what_the_hook_said() {
        let failure = run("echo too bad >&2; exit 3", None).expect_err("it fails");
        assert!(
            failure.starts_with("error running prestart hook #0: /bin/sh: "),
            "{failure}"
        );
        assert!(
            failure.ends_with("exit status: 3, stderr: too bad"),
            "{failure}"
        );
    }

    #[test]
    fn a_hook_that_takes_too_long_is_ended() {
        let failure = run("exec sleep 100", Some(1)).expect_err("it is ended");
        assert!(failure.contains("timeout of 1 s"), "{failure}");
    }
}
