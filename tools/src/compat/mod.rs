//! Syscall test suites: each test natively and in the sandbox, the ends compared.
//!
//! A suite is built elsewhere, by its own means; what is needed here is how each test is
//! started: a list with a name and a command in each line, as the Linux Test Project's
//! `runtest` files are, or googletest programs, whose tests are told by the programs
//! themselves. Exit status 0 is a pass, 32 and 77 are a skip; anything else is a failure.
//! A test that passes natively and not in the sandbox is a gap.
//!
//! - `case`: the tests, and how they are found. `job`: one run of one test.
//! - `report`: what is said meanwhile, at the end, and as JSON.

mod case;
mod job;
mod report;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;

use crate::step;
use case::Case;
use job::{Jobs, Place};
use report::{Report, Result as Row};

/// Which tests to run, and how.
#[derive(Args)]
pub(crate) struct Options {
    /// A list of tests: a name and a command in each line.
    #[arg(long, value_name = "FILE")]
    list: Vec<PathBuf>,
    /// A googletest program: each of its tests is one.
    #[arg(long, value_name = "PROGRAM")]
    gtest: Vec<PathBuf>,
    /// Directory to put before PATH.
    #[arg(long, value_name = "DIR")]
    path: Vec<PathBuf>,
    /// A variable for the tests.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Only tests whose name contains one of these.
    #[arg(value_name = "PART")]
    only: Vec<String>,
    /// The platform, as `runsk --platform` has it.
    #[arg(long, default_value = "auto")]
    platform: String,
    /// Seconds that a test may take.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Tests at once.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Take what happened natively from the JSON of an earlier run, where it has the test.
    #[arg(long, value_name = "FILE")]
    native: Option<PathBuf>,
    /// Use this binary instead of building one.
    #[arg(long)]
    runsk: Option<PathBuf>,
    /// Keep what tests print that pass natively and not in the sandbox.
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Also write every result to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Fails if a test that passes natively does not in the sandbox.
pub(crate) fn run(options: &Options) -> Result<ExitCode, String> {
    let mut cases = case::from_lists(&options.list)?;
    cases.extend(case::from_googletest(&options.gtest)?);
    if !options.only.is_empty() {
        cases.retain(|case| options.only.iter().any(|part| case.name.contains(part)));
    }
    if cases.is_empty() {
        return Err("no test: name a --list or a --gtest program".to_owned());
    }
    let known = match &options.native {
        Some(file) => report::native_of(file)?,
        None => Default::default(),
    };
    let runsk = match &options.runsk {
        Some(path) => path.clone(),
        None => step::build_runsk()?,
    };
    let jobs = Jobs {
        runsk,
        platform: options.platform.clone(),
        path: options.path.clone(),
        env: options.env.clone(),
        limit: Duration::from_secs(options.seconds),
        logs: options.logs.clone(),
    };
    let report = Mutex::new(Report::new(cases.len()));
    let queue = Mutex::new(VecDeque::from(cases));
    let work = || {
        while let Some(case) = take(&queue) {
            let native = match known.get(&case.name) {
                Some(end) => Ok(*end),
                None => jobs.run(&case, Place::Native),
            };
            let sandbox = jobs.run(&case, Place::Sandbox);
            let row = native.and_then(|native| {
                let sandbox = sandbox?;
                Ok(Row {
                    name: case.name.clone(),
                    native,
                    sandbox,
                })
            });
            jobs.tidy(&case, row.as_ref().is_ok_and(Row::is_gap));
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            report.add(&case.name, row);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.finish(options.json.as_deref())
}

fn take(queue: &Mutex<VecDeque<Case>>) -> Option<Case> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front()
}
