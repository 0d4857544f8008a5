//! Whole programs on a Debian root, beside chroot.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bundle::{Bundle, work_dir};
use super::case::{self, Case};
use super::report::Report;
use super::scripts::{SCRIPTS, Script, TOOK};
use super::system::System;
use super::{Options, debian, limited};
use crate::step;

pub(super) fn run(
    options: &Options,
    systems: &[System],
    report: &mut Report,
) -> Result<(), String> {
    let cases = case::PROGRAMS
        .iter()
        .filter(|case| options.wants(case.name));
    let cases: Vec<Case> = cases.copied().collect();
    if cases.is_empty() {
        return Ok(());
    }
    let bundle = prepare()?;
    let part = report.part("Programs, µs", &cases);
    for round in 1..=options.rounds {
        for script in SCRIPTS.iter().filter(|script| options.wants(script.name)) {
            eprintln!(
                "    programs: round {round} of {}: {}",
                options.rounds, script.name
            );
            for (index, system) in systems.iter().enumerate() {
                match measure(system, &bundle, script) {
                    Ok(took) => report.add(part, script.name, index, took),
                    Err(why) => report.fail(part, script.name, index, &why),
                }
            }
        }
    }
    Ok(())
}

/// The root with all that the programs work on, made once.
fn prepare() -> Result<Bundle, String> {
    let dir = work_dir().join("debian");
    let root = dir.join("root");
    if !root.exists() {
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        debian::make(&root)?;
    }
    let prepared = root.join("srv/prepared");
    if !prepared.exists() {
        for script in SCRIPTS.iter().filter(|script| !script.prepare.is_empty()) {
            let mut command = Command::new("chroot");
            command.arg(&root).args(["/bin/sh", "-c", script.prepare]);
            step::must(&mut command)?;
        }
        fs::write(&prepared, "").map_err(|error| format!("{}: {error}", prepared.display()))?;
    }
    Bundle::at(&dir)
}

/// For one program on one system.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs a program to its end; microseconds, with the container around it, unless the script
/// measures itself.
fn measure(system: &System, bundle: &Bundle, script: &Script) -> Result<f64, String> {
    if script.name == "find-cold" {
        // Cold for the host too.
        let _ = fs::write("/proc/sys/vm/drop_caches", "2");
    }
    let mut command = system.command(bundle, &["/bin/bash", "-c", script.run])?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let output = limited::output(&mut command, LIMIT)?;
    let whole = start.elapsed().as_secs_f64() * 1e6;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    // A script that measures itself says how long it took.
    let own = lines.lines().find_map(|line| line.strip_prefix(TOOK));
    if output.status.success() {
        return match own {
            Some(own) => own.parse().map_err(|_| format!("a time: {own}")),
            None => Ok(whole),
        };
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().unwrap_or_default();
    Err(format!("{}: {last}", output.status))
}
