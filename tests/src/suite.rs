//! Turns rows into the trials that `cargo test` shows: one native, one for each platform.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::bundle::Process;
use crate::case::Case;
use crate::compare::Scope;
use crate::run::{self, Job, Outcome, Side};
use crate::supervise::End;
use crate::{expected, guest, workspace};

/// How two outcomes of a row are compared.
#[derive(Clone, Copy, Debug)]
pub enum Judge {
    /// As a whole.
    Whole(Scope),
    /// Section by section, as [`guest`] programs print them.
    Sections,
}

/// A row, ready to run.
#[derive(Debug)]
pub struct Row {
    name: String,
    job: Job,
    judge: Judge,
    native: OnceLock<Result<Outcome, String>>,
}

impl Row {
    /// A row of this name.
    #[must_use]
    pub fn new(name: String, job: Job, judge: Judge) -> Row {
        Row {
            name,
            job,
            judge,
            native: OnceLock::new(),
        }
    }

    fn native(&self) -> Result<&Outcome, String> {
        self.native
            .get_or_init(|| run::run(&self.job, &Side::Native))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Natively twice: only what gives the same result twice says anything about a sandbox.
    fn check_native(&self) -> Result<(), String> {
        let first = self.native()?;
        if first.end == End::Hung || !first.leftovers.is_empty() {
            return Err(format!("{} and {:?}", first.end, first.leftovers));
        }
        if first.end != End::Exit(self.job.exits) {
            return Err(format!(
                "{}, not {}, natively\n{}{}",
                first.end,
                End::Exit(self.job.exits),
                String::from_utf8_lossy(&first.stdout),
                String::from_utf8_lossy(&first.stderr)
            ));
        }
        let again = run::run(&self.job, &Side::Native)?;
        let scope = match self.judge {
            Judge::Whole(scope) => scope,
            Judge::Sections => Scope::ALL,
        };
        match scope.difference(first, &again) {
            None => Ok(()),
            Some(difference) => Err(format!(
                "not deterministic: a second run differs\n{difference}"
            )),
        }
    }

    fn check_sandbox(&self, platform: &str) -> Result<(), String> {
        let native = self.native()?;
        let got = run::run(&self.job, &Side::Sandbox(platform.to_owned()))?;
        let verdict = match self.judge {
            Judge::Whole(scope) => verdict(
                scope.difference(native, &got),
                expected::cause(&self.name, platform),
            ),
            Judge::Sections => guest::verdict(&self.name, platform, native, &got),
        };
        let mut report = verdict.err().unwrap_or_default();
        for left in &got.leftovers {
            let _ = writeln!(report, "left behind: {left}");
        }
        if report.is_empty() {
            return Ok(());
        }
        if !got.log.is_empty() {
            let _ = writeln!(report, "log:\n{}", got.log);
        }
        Err(report)
    }
}

/// A difference is a failure unless it is expected, and an expected one must be there.
///
/// # Errors
/// The failure, for people.
pub fn verdict(difference: Option<String>, cause: Option<&str>) -> Result<(), String> {
    match (difference, cause) {
        (None, None) | (Some(_), Some(_)) => Ok(()),
        (Some(difference), None) => Err(difference),
        (None, Some(cause)) => Err(format!(
            "passes, but is listed in tests/expected-failures.txt ({cause}): remove the line\n"
        )),
    }
}

/// Rows of a table of cases.
#[must_use]
pub fn rows(cases: &[&[Case]]) -> Vec<Row> {
    cases
        .iter()
        .flat_map(|table| table.iter())
        .map(|case| {
            let job = Job {
                root: case.root,
                guest: None,
                process: Process {
                    args: case.program.args(),
                    env: Vec::new(),
                    cwd: "/".to_owned(),
                    user: case.user,
                    rights: crate::bundle::Rights::Usual,
                },
                stdin: case.stdin.as_bytes().to_vec(),
                exits: case.exits,
                guard: case.guard,
            };
            let scope = Scope {
                stderr: case.stderr_compared,
                normalise: case.normalise,
            };
            Row::new(case.name.to_owned(), job, Judge::Whole(scope))
        })
        .collect()
}

/// Runs a suite as the program that `cargo test` started.
#[must_use]
pub fn main(rows: Vec<Row>, testkit: &str) -> ExitCode {
    run::use_testkit(testkit);
    let arguments = Arguments::from_args();
    let root = nix::unistd::geteuid().is_root();
    if !root && !arguments.list {
        eprintln!("SKIPPED: the native side needs root for its namespaces, mounts and chroot");
    }
    let mut trials = Vec::new();
    for row in rows.into_iter().map(Arc::new) {
        let this = Arc::clone(&row);
        let name = format!("{}@native", row.name);
        trials.push(Trial::test(name, move || {
            this.check_native().map_err(Failed::from)
        }));
        for platform in workspace::platforms() {
            let this = Arc::clone(&row);
            let name = format!("{}@{platform}", row.name);
            let known = expected::cause(&row.name, &platform).map_or("", |_| "known gap");
            let trial = Trial::test(name, move || {
                this.check_sandbox(&platform).map_err(Failed::from)
            });
            trials.push(trial.with_kind(known));
        }
    }
    let trials = trials
        .into_iter()
        .map(|trial| trial.with_ignored_flag(!root))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
