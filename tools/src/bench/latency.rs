//! What single calls cost.

use std::process::Stdio;
use std::time::Duration;

use super::bundle::Bundles;
use super::case::{self, Case};
use super::report::Report;
use super::system::System;
use super::{Options, limited};

pub(super) fn run(
    options: &Options,
    bundles: &Bundles,
    systems: &[System],
    report: &mut Report,
) -> Result<(), String> {
    let cases = case::LATENCY.iter().filter(|case| options.wants(case.name));
    let cases: Vec<Case> = cases
        .map(|case| match report.is_crowded() {
            true => case::crowded(case),
            false => *case,
        })
        .collect();
    if cases.is_empty() {
        return Ok(());
    }
    let part = report.part("Calls, µs", &cases);
    let time = options.milliseconds.to_string();
    // Calibration takes as long again; a call that takes seconds is a finding.
    let limit = Duration::from_millis(u64::from(options.milliseconds) * 10) + PATIENCE;
    for round in 1..=options.rounds {
        for (index, system) in systems.iter().enumerate() {
            eprintln!(
                "    calls: round {round} of {}: {}",
                options.rounds, system.name
            );
            // All in one container, unless one case ends it: then the others by themselves.
            let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
            let all = [&["/bench", time.as_str()], names.as_slice()].concat();
            let limit_of_all = limit * u32::try_from(names.len()).unwrap_or(u32::MAX);
            let done = measure(system, bundles, &all, limit_of_all.min(LONGEST));
            if let Ok(lines) = &done
                && lines.len() == names.len()
            {
                lines
                    .iter()
                    .for_each(|line| record(report, part, index, line));
                continue;
            }
            for name in names {
                match measure(system, bundles, &["/bench", &time, name], limit) {
                    Ok(lines) => lines
                        .iter()
                        .for_each(|line| record(report, part, index, line)),
                    Err(why) => report.fail(part, name, index, &why),
                }
            }
        }
    }
    Ok(())
}

/// For a case beyond its time.
const PATIENCE: Duration = Duration::from_secs(5);
/// For all cases together.
const LONGEST: Duration = Duration::from_secs(60);

/// The lines that the guest program prints.
fn measure(
    system: &System,
    bundles: &Bundles,
    args: &[&str],
    limit: Duration,
) -> Result<Vec<String>, String> {
    let mut command = system.command(&bundles.small, args)?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = limited::output(&mut command, limit)?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = said.lines().last().unwrap_or_default();
        return Err(format!("{}: {last}", output.status));
    }
    Ok(lines)
}

/// Takes over a line of the guest program.
fn record(report: &mut Report, part: usize, system: usize, line: &str) {
    let mut words = line.splitn(3, ' ');
    let (Some(name), Some(value)) = (words.next(), words.next()) else {
        return;
    };
    match value.parse::<f64>() {
        Ok(nanoseconds) => report.add(part, name, system, nanoseconds / 1000.0),
        Err(_) => report.fail(part, name, system, words.next().unwrap_or("failed")),
    }
}
