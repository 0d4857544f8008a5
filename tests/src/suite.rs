//! Turns rows into the trials that `cargo test` shows: one native, one for each platform.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::bundle::Process;
use crate::case::Case;
use crate::compare::Scope;
use crate::run::{self, Job, Outcome, Side};
use crate::supervise::End;
use crate::{again, expected, guest, workspace};

/// How two outcomes of a row are compared.
#[derive(Clone, Copy, Debug)]
pub enum Judge {
    /// As a whole.
    Whole(Scope),
    /// Section by section, as [`guest`] programs print them.
    Sections,
}

/// How often a row is run natively to learn what Linux makes of it.
const MOST_NATIVE_RUNS: usize = 5;

/// A row, ready to run.
#[derive(Debug)]
pub struct Row {
    name: String,
    job: Job,
    judge: Judge,
    /// What it did natively, in each of the runs made so far. One is enough for most; where
    /// Linux itself leaves something to chance, each of its outcomes is right.
    natives: Mutex<Vec<Outcome>>,
}

impl Row {
    /// A row of this name.
    #[must_use]
    pub fn new(name: String, job: Job, judge: Judge) -> Row {
        Row {
            name,
            job,
            judge,
            natives: Mutex::new(Vec::new()),
        }
    }

    /// The outcome of the native run with this number, which is made if it was not yet.
    fn native(&self, number: usize) -> Result<Outcome, String> {
        let mut natives = self.natives.lock().map_err(|e| e.to_string())?;
        while natives.len() <= number {
            natives.push(run::run(&self.job, &Side::Native)?);
        }
        Ok(natives[number].clone())
    }

    /// Natively until two runs agree: only what Linux does twice says anything about a sandbox.
    fn check_native(&self) -> Result<(), String> {
        let mut differences = String::new();
        for number in 0..MOST_NATIVE_RUNS {
            let got = self.native(number)?;
            self.check_end(&got)?;
            for before in 0..number {
                match self.scope().difference(&self.native(before)?, &got) {
                    None => return Ok(()),
                    Some(difference) => differences += &difference,
                }
            }
        }
        Err(format!("not deterministic:\n{differences}"))
    }

    fn scope(&self) -> Scope {
        match self.judge {
            Judge::Whole(scope) => scope,
            Judge::Sections => Scope::ALL,
        }
    }

    /// Whether a native run ended as the row says.
    fn check_end(&self, got: &Outcome) -> Result<(), String> {
        if got.end == End::Hung || !got.leftovers.is_empty() {
            return Err(format!("{} and {:?}", got.end, got.leftovers));
        }
        if got.end != End::Exit(self.job.exits) {
            return Err(format!(
                "{}, not {}, natively\n{}{}",
                got.end,
                End::Exit(self.job.exits),
                String::from_utf8_lossy(&got.stdout),
                String::from_utf8_lossy(&got.stderr)
            ));
        }
        Ok(())
    }

    fn check_sandbox(&self, platform: &str) -> Result<(), String> {
        let first = self.native(0)?;
        let got = run::run(&self.job, &Side::Sandbox(platform.to_owned()))?;
        let mut report = match self.verdict(platform, &first, &got) {
            Ok(()) => String::new(),
            Err(_) if self.is_native(platform, &got)? => String::new(),
            Err(difference) => difference,
        };
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

    /// Whether Linux too does this sometimes.
    fn is_native(&self, platform: &str, got: &Outcome) -> Result<bool, String> {
        for number in 1..MOST_NATIVE_RUNS {
            if self.verdict(platform, &self.native(number)?, got).is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn verdict(&self, platform: &str, native: &Outcome, got: &Outcome) -> Result<(), String> {
        match self.judge {
            Judge::Whole(scope) => verdict(
                scope.difference(native, got),
                expected::cause(&self.name, platform),
            ),
            Judge::Sections => guest::verdict(&self.name, platform, native, got),
        }
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
                flags: &[],
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
            let check = format!("{}@{platform}", row.name);
            let trial = Trial::test(name, move || {
                again::check(&check, || this.check_sandbox(&platform)).map_err(Failed::from)
            });
            trials.push(trial.with_kind(known));
        }
    }
    let trials = trials
        .into_iter()
        .map(|trial| trial.with_ignored_flag(!root))
        .collect();
    let conclusion = again::run(&arguments, trials);
    conclusion.exit_code()
}
