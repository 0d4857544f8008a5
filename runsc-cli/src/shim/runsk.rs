//! The command `runsk`, as this program calls it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use command_fds::{CommandFdExt, FdMapping};
use serde_json::Value;

use super::at_work::AtWork;
use super::exit::Ends;
use super::fault::{self, Answer, Context};
use super::options::Options;
use super::streams::Ends as Streams;

const BINARY: &str = "runsk";
/// Where commands have the lock that says who is at work.
const AT_WORK_FD: i32 = 3;

/// The command, with the flags that all its commands get.
#[derive(Clone, Debug)]
pub(crate) struct Runsk {
    binary: PathBuf,
    flags: Vec<String>,
    id: String,
    log: PathBuf,
    at_work: Option<Arc<AtWork>>,
}

impl Runsk {
    /// For the container of a bundle.
    pub(crate) fn new(options: &Options, namespace: &str, id: &str, bundle: &Path) -> Answer<Self> {
        let root = options.root(namespace);
        let mut flags = vec!["--root".to_owned(), root.display().to_string()];
        if options.systemd_cgroup {
            flags.push("--systemd-cgroup".to_owned());
        }
        flags.extend(options.runtime_args.iter().cloned());
        Ok(Runsk {
            binary: binary(&options.binary_name)?,
            flags,
            id: id.to_owned(),
            log: bundle.join("log.json"),
            at_work: None,
        })
    }

    /// Commands end with this program, and nobody clears the bundle away before they have.
    pub(crate) fn holding(self, at_work: AtWork) -> Self {
        Runsk {
            at_work: Some(Arc::new(at_work)),
            ..self
        }
    }

    fn command(&self) -> Answer<Command> {
        let mut command = Command::new(&self.binary);
        command.args(&self.flags);
        // The service that its manager waits for is containerd.
        command.env_remove("NOTIFY_SOCKET");
        if let Some(at_work) = &self.at_work {
            command.arg("--end-with-caller");
            let lock = FdMapping {
                parent_fd: at_work.share()?,
                child_fd: AT_WORK_FD,
            };
            let mapped = command.fd_mappings(vec![lock]);
            mapped.context("a descriptor for runsk")?;
        }
        Ok(command)
    }

    /// Performs a command on the container; what it prints.
    pub(crate) fn ask(&self, name: &str, flags: &[&str]) -> Answer<String> {
        self.ask_about(name, flags, &[])
    }

    /// The same, with words that follow the container's name.
    pub(crate) fn ask_about(&self, name: &str, flags: &[&str], words: &[&str]) -> Answer<String> {
        let mut command = self.command()?;
        command.arg(name).args(flags).arg(&self.id).args(words);
        self.perform(command, "")
    }

    /// The same, with input.
    pub(crate) fn tell(&self, name: &str, flags: &[&str], input: &str) -> Answer<String> {
        let mut command = self.command()?;
        command.arg(name).args(flags).arg(&self.id);
        self.perform(command, input)
    }

    fn perform(&self, mut command: Command, input: &str) -> Answer<String> {
        let ends = Ends::new()?;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        });
        let mut child = command.spawn().context(self.binary.display())?;
        if let Some(mut stdin) = child.stdin.take() {
            // It says itself what it thinks of a part of its input.
            let _ = stdin.write_all(input.as_bytes());
        }
        let (mut printed, mut said) = (String::new(), String::new());
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut printed).context("its stdout")?;
        }
        // Short: it fits into the pipe while stdout is read.
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut said).context("its stderr")?;
        }
        match ends.wait(child.id()).status {
            0 => Ok(printed),
            status => Err(failure(last_line(&said), status)),
        }
    }

    /// Performs a command that leaves a process behind which gets these standard streams;
    /// its number on the host.
    pub(crate) fn make(
        &self,
        name: &str,
        flags: &[&str],
        pid_file: &Path,
        streams: Streams,
    ) -> Answer<u32> {
        let log = match name {
            "create" => self.log.clone(),
            _ => pid_file.with_extension("log"),
        };
        let mut command = self.command()?;
        command.arg("--log").arg(&log);
        command.args(["--log-format", "json", name]).args(flags);
        command.arg("--pid-file").arg(pid_file).arg(&self.id);
        command.stdin(streams.stdin).stdout(streams.stdout);
        command.stderr(streams.stderr);
        let ends = Ends::new()?;
        let child = command.spawn().context(self.binary.display())?;
        // It has the other sides of our streams open.
        drop(command);
        let status = ends.wait(child.id()).status;
        let said = fs::read_to_string(&log).unwrap_or_default();
        if name != "create" {
            let _ = fs::remove_file(&log);
        }
        if status != 0 {
            return Err(failure(last_error(&said).as_deref(), status));
        }
        let shown = pid_file.display();
        let text = fs::read_to_string(pid_file).context(&shown)?;
        text.trim().parse().context(&shown)
    }
}

/// What is named, what lies beside this program, or what is on PATH.
fn binary(named: &str) -> Answer<PathBuf> {
    if named.contains('/') {
        let named = PathBuf::from(named);
        return match is_program(&named) {
            true => Ok(named),
            false => Err(fault::not_found(format_args!(
                "BinaryName {}: there is no such program",
                named.display()
            ))),
        };
    }
    let me = std::env::current_exe().unwrap_or_default();
    let beside = me.parent().map(|dir| dir.join(BINARY));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = if named.is_empty() { BINARY } else { named };
    let on_path = std::env::split_paths(&path).map(|dir| dir.join(name));
    let beside = beside.filter(|_| named.is_empty());
    let mut candidates = beside.into_iter().chain(on_path);
    candidates
        .find(|candidate| is_program(candidate))
        .ok_or_else(|| {
            fault::not_found(format_args!(
                "there is no {name} beside {} or on PATH: install it, or set BinaryName",
                me.display()
            ))
        })
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// By the words that runsk has for what containerd must know.
fn failure(said: Option<&str>, status: u32) -> containerd_shim::protos::ttrpc::Error {
    let Some(said) = said else {
        return fault::other(format_args!("runsk: exit status {status}"));
    };
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&[
        "container not running",
        "no such process",
        "process already finished",
    ]) {
        fault::not_found(format_args!("process already finished: {said}"))
    } else if has(&["does not exist"]) {
        fault::not_found(said)
    } else if has(&["already exists"]) {
        fault::exists(said)
    } else {
        fault::other(said)
    }
}

fn last_line(said: &str) -> Option<&str> {
    let line = said.trim_end().lines().next_back()?;
    Some(line.strip_prefix("runsk: ").unwrap_or(line))
}

/// The last error in a log of JSON lines.
fn last_error(log: &str) -> Option<String> {
    let lines = log.lines().rev();
    let mut values = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let last = values.find(|value| value["level"] == "error")?;
    Some(last["msg"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{binary, failure, last_error};

    #[test]
    fn the_last_error_of_a_log() {
        let log = "{\"level\":\"error\",\"msg\":\"a\"}\n{\"level\":\"error\",\"msg\":\"b\"}\n\
                   {\"level\":\"info\",\"msg\":\"c\"}\nnonsense\n";
        assert_eq!(last_error(log).as_deref(), Some("b"));
        assert_eq!(last_error(""), None);
    }

    #[test]
    fn what_is_missing_is_said() {
        let error = binary("/nonexistent/runsk").expect_err("nothing there");
        assert!(error.to_string().contains("BinaryName"), "{error}");
        assert!(binary("no-such-runtime").is_err());
        assert_eq!(
            binary("sh").expect("on PATH").file_name(),
            Some("sh".as_ref())
        );
    }

    #[test]
    fn words_that_containerd_must_know() {
        let code = |said| format!("{:?}", failure(Some(said), 1));
        assert!(code("container not running").contains("NOT_FOUND"));
        assert!(code("container c does not exist").contains("NOT_FOUND"));
        assert!(code("anything").contains("UNKNOWN"));
    }
}
