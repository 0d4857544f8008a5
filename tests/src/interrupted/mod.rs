//! Lifecycles with a kill: at a random instant of `create`, `start`, `exec`, `kill` or `delete`
//! the command, the Sentry or the Gofer gets SIGKILL. Whatever the commands say from then on
//! must be true, and after `delete --force` nothing is left. The same with containerd's shim
//! ([`shim`]).
//!
//! `RUNSK_LIFECYCLES` says how many (60), `RUNSK_SEED` which ones: the seed is printed.

mod remains;
mod shim;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use remains::{has_sentry, is_process, sandbox_processes, soon};

use crate::bundle::{self, Process};
use crate::roots::{self, Root};
use crate::{again, workspace};

/// Longer than any command takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One container's life, step by step.
const STEPS: [&str; 5] = ["create", "start", "exec", "kill", "delete"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Command,
    Sentry,
    Gofer,
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

struct Bench {
    dir: PathBuf,
    runsk: PathBuf,
    /// How long each step takes undisturbed, microseconds.
    usual: BTreeMap<&'static str, u64>,
}

/// What a command did.
#[derive(Debug)]
struct Said {
    /// `None`: it was killed.
    status: Option<i32>,
    err: String,
}

/// Runs the lifecycles as the program that `cargo test` started.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root && !arguments.list {
        eprintln!("SKIPPED: runtimes are run as root");
    }
    let trials: [(&'static str, Check); 2] = [
        ("interrupted lifecycles", Bench::run),
        ("interrupted shims", shim::run),
    ];
    let trials = trials.into_iter().map(|(name, check)| {
        let trial = Trial::test(name, move || {
            again::check(name, check).map_err(Failed::from)
        });
        trial.with_ignored_flag(!is_root)
    });
    let conclusion = again::run(&arguments, trials.collect());
    conclusion.exit_code()
}

fn number(name: &str, otherwise: u64) -> Result<u64, String> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|e| format!("{name}={text}: {e}")),
        Err(_) => Ok(otherwise),
    }
}

type Check = fn() -> Result<(), String>;

/// One life of a container of this name: what was wrong with it.
type Life<'a> = dyn Fn(&str, &mut Random) -> Result<(), String> + Sync + 'a;

/// `prefix` begins their names.
fn run(what: &str, prefix: &str, life: &Life<'_>) -> Result<(), String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = number("RUNSK_SEED", since.map_or(1, |time| time.as_secs()))?;
    let count = number("RUNSK_LIFECYCLES", 60)?;
    println!("{count} {what} with a kill, RUNSK_SEED={seed}");
    let failures = failures(seed, count, prefix, life);
    if failures.is_empty() {
        println!("{what}: nothing was left, every message was true");
        return Ok(());
    }
    Err(format!("seed {seed}:\n{}", failures.join("\n")))
}

/// What was wrong with any of `count` lives, two at a time.
fn failures(seed: u64, count: u64, prefix: &str, life: &Life<'_>) -> Vec<String> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut failures = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return failures;
            }
            let mut random = Random(seed.wrapping_add(number << 20));
            let id = format!("{prefix}-{}-{number}", std::process::id());
            if let Err(message) = life(&id, &mut random) {
                failures.push(format!("lifecycle {number}: {message}"));
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default());
        joined.flatten().collect()
    })
}

impl Bench {
    fn run() -> Result<(), String> {
        let bench = Bench::new()?;
        let result = run("lifecycles", "cut", &|id, random| bench.life(id, random));
        let _ = fs::remove_dir_all(&bench.dir);
        result
    }

    fn new() -> Result<Self, String> {
        let dir = workspace::work_dir().join(format!("interrupted-{}", std::process::id()));
        let bundle = dir.join("bundle");
        fs::create_dir_all(&bundle).map_err(|e| format!("{}: {e}", bundle.display()))?;
        let mut config = bundle::config(&Process {
            args: ["sh", "-c", "while :; do sleep 0.02; done"]
                .map(str::to_owned)
                .to_vec(),
            env: Vec::new(),
            cwd: "/".to_owned(),
            user: 0,
            rights: bundle::Rights::Usual,
        });
        config["root"] = json!({ "path": roots::base(Root::Busybox)?, "readonly": true });
        bundle::write(&bundle, &config)?;
        let mut bench = Bench {
            dir,
            runsk: workspace::runsk()?,
            usual: BTreeMap::new(),
        };
        for step in STEPS {
            let begin = Instant::now();
            let said = wait(bench.begin("usual", step)?, &bench.stderr("usual"))?;
            if said.status != Some(0) {
                return Err(format!("{step}: {said:?}"));
            }
            if step == "kill" {
                bench.await_stop("usual")?;
            }
            let took = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
            bench.usual.insert(step, took);
        }
        Ok(bench)
    }

    fn life(&self, id: &str, random: &mut Random) -> Result<(), String> {
        let at = usize::try_from(random.below(5)).unwrap_or(0);
        let step = *STEPS.get(at).unwrap_or(&"create");
        let victim = match random.below(4) {
            0 => Victim::Sentry,
            1 => Victim::Gofer,
            _ => Victim::Command,
        };
        let usual = self.usual.get(step).copied().unwrap_or(50_000);
        let delay = Duration::from_micros(random.below(usual + usual / 4));
        let story = format!("{victim:?} killed {delay:?} after the begin of {step}");
        let lived = self.steps(id, step, victim, delay);
        let ended = self.end(id);
        lived
            .and(ended)
            .map_err(|message| format!("{story}: {message}"))
    }

    fn steps(&self, id: &str, cut: &str, victim: Victim, delay: Duration) -> Result<(), String> {
        let mut killed = None;
        for step in STEPS {
            let child = self.begin(id, step)?;
            if step == cut {
                sleep(delay);
                if kill_victim(victim, &child, id) {
                    killed = Some(victim);
                }
            }
            let said = wait(child, &self.stderr(id))?;
            self.check(id, step, &said, killed)?;
            self.check_state(id)?;
            if step == "kill" && said.status == Some(0) {
                self.await_stop(id)?;
            }
        }
        Ok(())
    }

    fn stderr(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.stderr"))
    }

    fn command(&self, id: &str) -> Result<Command, String> {
        let err = File::create(self.stderr(id)).map_err(|e| e.to_string())?;
        let mut command = Command::new(&self.runsk);
        command.arg("--root").arg(self.dir.join("state"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(err);
        Ok(command)
    }

    fn begin(&self, id: &str, step: &str) -> Result<Child, String> {
        let mut command = self.command(id)?;
        command.arg(step);
        match step {
            "create" => command.arg("-b").arg(self.dir.join("bundle")).arg(id),
            // Every other one stays, and somebody stands for it.
            "exec" if id.ends_with(['1', '3', '5', '7', '9']) => {
                command.args(["-d", id, "sleep", "1000"])
            }
            "exec" => command.args([id, "true"]),
            "kill" => command.args([id, "KILL"]),
            _ => command.arg(id),
        };
        command.spawn().map_err(|e| e.to_string())
    }

    /// What `state` says; `None` if there is no such container.
    fn state(&self, id: &str) -> Result<Option<Value>, String> {
        let mut command = self.command(id)?;
        let output = command.stdout(Stdio::piped()).arg("state").arg(id).output();
        let output = output.map_err(|e| e.to_string())?;
        if output.status.success() {
            let state = serde_json::from_slice(&output.stdout);
            return state.map(Some).map_err(|e| format!("state: {e}"));
        }
        let err = fs::read_to_string(self.stderr(id)).unwrap_or_default();
        match err.contains("does not exist") {
            true => Ok(None),
            false => Err(format!("state: {err}")),
        }
    }

    /// `state` is no lie.
    fn check_state(&self, id: &str) -> Result<(), String> {
        let there = self.dir.join("state").join(id).exists();
        let Some(state) = self.state(id)? else {
            return match there {
                true => Err("state does not see it".to_owned()),
                false => Ok(()),
            };
        };
        let pid = state["pid"].as_i64().unwrap_or(0);
        match state["status"].as_str() {
            Some("stopped") if pid == 0 => Ok(()),
            Some("creating" | "created" | "running") => {
                // It may end at any moment.
                let lives = is_process(&pid.to_string(), id);
                let ended = || {
                    self.state(id)
                        .is_ok_and(|s| s.is_none_or(|s| s["status"] == "stopped"))
                };
                match lives || soon(ended) {
                    true => Ok(()),
                    false => Err(format!("there is no process {pid}: {state}")),
                }
            }
            _ => Err(state.to_string()),
        }
    }

    /// What a command said is true.
    fn check(
        &self,
        id: &str,
        step: &str,
        said: &Said,
        killed: Option<Victim>,
    ) -> Result<(), String> {
        let told = || format!("{step}: {said:?} after {killed:?}");
        let err = said.err.trim();
        match said.status {
            None if killed == Some(Victim::Command) => return Ok(()),
            None => return Err(told()),
            Some(0) => return Ok(()),
            // Its own status is that of a killed process.
            Some(137) if step == "exec" && killed.is_some() => return Ok(()),
            // SIGBUS: a page of a file that nobody serves any more.
            Some(135) if step == "exec" && killed == Some(Victim::Gofer) => return Ok(()),
            Some(_) if killed.is_none() || err.is_empty() => return Err(told()),
            Some(_) => {}
        }
        let is_there = self.dir.join("state").join(id).exists();
        let lives = || has_sentry(id);
        let broken = |victim: Victim| killed == Some(victim);
        let holds = if err.contains("does not exist") {
            !is_there
        } else if err.contains("not stopped") {
            // It may have been about to end.
            lives() || broken(Victim::Command)
        } else if ["not running", "stopped", "No such process"]
            .iter()
            .any(|word| err.contains(word))
        {
            soon(|| !lives())
        } else if err.contains("being created") {
            broken(Victim::Command)
        } else if err.contains("Gofer") || err.to_lowercase().contains("input/output error") {
            broken(Victim::Gofer)
        } else if err.contains("Sentry") {
            broken(Victim::Sentry) || broken(Victim::Gofer)
        } else {
            false
        };
        match holds {
            true => Ok(()),
            false => Err(told()),
        }
    }

    fn await_stop(&self, id: &str) -> Result<(), String> {
        let stopped = || match self.state(id) {
            Ok(state) => state.is_none_or(|state| state["status"] == "stopped"),
            Err(_) => false,
        };
        match soon(stopped) {
            true => Ok(()),
            false => Err(format!("it does not stop: {:?}", self.state(id))),
        }
    }

    /// After `delete --force` nothing is left.
    fn end(&self, id: &str) -> Result<(), String> {
        let mut command = self.command(id)?;
        command.args(["delete", "--force", id]);
        let child = command.spawn().map_err(|e| e.to_string())?;
        let said = wait(child, &self.stderr(id))?;
        if said.status != Some(0) {
            return Err(format!("delete --force: {said:?}"));
        }
        remains::none(&self.dir.join("state"), id)?;
        remains::no_mounts(id)
    }
}

/// False if there is no such process (any more).
fn kill_victim(victim: Victim, command: &Child, id: &str) -> bool {
    let name = match victim {
        Victim::Command => {
            let pid = Pid::from_raw(command.id().cast_signed());
            return kill(pid, Signal::SIGKILL).is_ok();
        }
        Victim::Sentry => "runsk-sentry",
        Victim::Gofer => "runsk-gofer",
    };
    let processes = sandbox_processes(id);
    let found = processes.iter().find(|(found, _)| found == name);
    found.is_some_and(|(_, pid)| kill(Pid::from_raw(*pid), Signal::SIGKILL).is_ok())
}

fn wait(mut child: Child, stderr: &Path) -> Result<Said, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Ok(Said {
                status: status.code(),
                err: fs::read_to_string(stderr).unwrap_or_default(),
            });
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err("the command does not end".to_owned());
        }
        sleep(Duration::from_millis(1));
    }
}
