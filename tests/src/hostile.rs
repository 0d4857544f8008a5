//! The C programs under `tests/attacks`: what a hostile application can do.
//!
//! Natively there is nothing for them to attack, so they are not compared: each says what it
//! got, and a sandbox is sound if that is nothing.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::bundle::{Process, Rights};
use crate::guest;
use crate::roots::Root;
use crate::run::{self, Job, Side};
use crate::supervise::End;
use crate::workspace;

/// A program, and what it says where it gets nothing.
struct Attack {
    name: &'static str,
    rights: Rights,
    /// On these platforms there is what it attacks.
    on: &'static [&'static str],
    says: &'static [&'static str],
}

const ATTACKS: &[Attack] = &[
    Attack {
        name: "calls",
        rights: Rights::Administrator,
        on: &["systrap", "ptrace", "kvm"],
        says: &["memory kept: no", "many calls, unsound 0"],
    },
    Attack {
        name: "stub",
        rights: Rights::Usual,
        on: &["systrap", "ptrace"],
        says: &[
            "scout exits 0",
            "stub: found",
            "scout: made, victim intact, bystander goes on, breaches 0",
            "jumps: made, victim intact, bystander goes on, breaches 0",
            "rewriting: made, victim intact, bystander goes on, breaches 0",
            "token: made, victim intact, bystander goes on, breaches 0",
            "stale mappings: made, victim intact, bystander goes on, breaches 0",
            "victim exits 0",
            "bystander exits 0",
        ],
    },
];

/// More lines in the log than this are a way to fill the host's disk.
const LOG_LINES: usize = 200;

/// Runs the suite as the program that `cargo test` started.
#[must_use]
pub fn main(testkit: &str) -> ExitCode {
    run::use_testkit(testkit);
    let arguments = Arguments::from_args();
    let root = nix::unistd::geteuid().is_root();
    if !root && !arguments.list {
        eprintln!("SKIPPED: containers are run as root");
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut trials = Vec::new();
    for attack in ATTACKS {
        let source = top.join("attacks").join(attack.name).with_extension("c");
        let program = guest::compile(&source, &top.join("guest"));
        let platforms = workspace::platforms().into_iter();
        for platform in platforms.filter(|name| attack.on.contains(&name.as_str())) {
            let name = format!("{}@{platform}", attack.name);
            let program = program.clone();
            let trial = Trial::test(name, move || {
                check(attack, program?, &platform).map_err(Failed::from)
            });
            trials.push(trial.with_ignored_flag(!root));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn check(attack: &Attack, program: PathBuf, platform: &str) -> Result<(), String> {
    let job = Job {
        flags: &[],
        root: Root::Program,
        guest: Some(program),
        process: Process {
            args: ["/guest", "--role", "attack"].map(str::to_owned).to_vec(),
            env: Vec::new(),
            cwd: "/".to_owned(),
            user: 0,
            rights: attack.rights,
        },
        stdin: Vec::new(),
        exits: 0,
        guard: Duration::from_secs(600),
    };
    let got = run::run(&job, &Side::Sandbox(platform.to_owned()))?;
    let said = String::from_utf8_lossy(&got.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    let sound = lines == attack.says
        && got.end == End::Exit(0)
        && got.leftovers.is_empty()
        && got.log_lines <= LOG_LINES;
    if sound {
        return Ok(());
    }
    Err(format!(
        "{}, left {:?}, {} lines in the log\n{said}log:\n{}",
        got.end, got.leftovers, got.log_lines, got.log
    ))
}
