//! Conformance: the sentences of the OCI runtime specification that say MUST, each with a
//! check of its own.
//!
//! A [`Row`] is a sentence, where it stands, and what shows that runsk does so. Sentences
//! that runsk knowingly treats otherwise are rows too: their checks show what happens
//! instead, and they are counted apart. What is about other platforms (Windows, Solaris, VMs)
//! or about those who write configurations has no row.

mod bench;
mod config;
mod hooks;
mod lifecycle;
mod linux;
mod mounts;
mod operations;
mod process;
mod seccomp;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use bench::{Bench, Outcome};

use crate::again;

/// One sentence.
#[derive(Clone, Copy)]
struct Row {
    /// File and heading of the specification.
    at: &'static str,
    /// The sentence.
    must: &'static str,
    check: Check,
}

#[derive(Clone, Copy)]
enum Check {
    /// It is so.
    Holds(fn(&Bench) -> Outcome),
    /// It is otherwise, for this reason; the check shows how.
    Differs(&'static str, fn(&Bench) -> Outcome),
}

const fn row(at: &'static str, must: &'static str, check: fn(&Bench) -> Outcome) -> Row {
    let check = Check::Holds(check);
    Row { at, must, check }
}

const fn differs(
    at: &'static str,
    must: &'static str,
    why: &'static str,
    check: fn(&Bench) -> Outcome,
) -> Row {
    let check = Check::Differs(why, check);
    Row { at, must, check }
}

const SUBJECTS: &[(&str, &[Row])] = &[
    ("lifecycle", lifecycle::ROWS),
    ("operations", operations::ROWS),
    ("config", config::ROWS),
    ("mounts", mounts::ROWS),
    ("process", process::ROWS),
    ("hooks", hooks::ROWS),
    ("linux", linux::ROWS),
    ("seccomp", seccomp::ROWS),
];

/// Runs all checks as the program that `cargo test` started.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root && !arguments.list {
        eprintln!("SKIPPED: runtimes are run as root");
    }
    let mut trials = Vec::new();
    let (mut holds, mut otherwise) = (0, Vec::new());
    for (subject, rows) in SUBJECTS {
        for (number, row) in rows.iter().enumerate() {
            let name = format!("{subject}-{:02} {}: {}", number + 1, row.at, row.must);
            let check = match row.check {
                Check::Holds(check) => {
                    holds += 1;
                    check
                }
                Check::Differs(why, check) => {
                    otherwise.push(format!("{}: {}\n    {why}", row.at, row.must));
                    check
                }
            };
            let once = move || check(&Bench::new(&format!("{subject}-{number}"))?);
            let shown = name.clone();
            let run = move || again::check(&shown, once).map_err(Failed::from);
            trials.push(Trial::test(name, run).with_ignored_flag(!is_root));
        }
    }
    let conclusion = again::run(&arguments, trials);
    if !arguments.list {
        println!(
            "OCI runtime specification: {holds} sentences hold, {} are treated otherwise:",
            otherwise.len()
        );
        for text in otherwise {
            println!("  {text}");
        }
    }
    conclusion.exit_code()
}
