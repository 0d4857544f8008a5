//! The whole life of a container whose program does nothing, seen from a shell.

use std::process::Stdio;
use std::time::Instant;

use super::Options;
use super::bundle::Bundles;
use super::case;
use super::report::Report;
use super::system::System;

/// Containers of each system in each round.
const IN_A_ROW: u32 = 5;

pub(super) fn run(
    options: &Options,
    bundles: &Bundles,
    systems: &[System],
    report: &mut Report,
) -> Result<(), String> {
    let case = case::LIFECYCLE;
    if !options.wants(case.name) {
        return Ok(());
    }
    let part = report.part("Lifecycle, µs (native: chroot)", &[case]);
    for round in 1..=options.rounds {
        eprintln!("    lifecycle: round {round} of {}", options.rounds);
        for (index, system) in systems.iter().enumerate() {
            for _ in 0..IN_A_ROW {
                let mut command = system.bare_command(&bundles.small, &["/nothing"])?;
                command.stdout(Stdio::null()).stderr(Stdio::null());
                let start = Instant::now();
                let status = command.status();
                let took = start.elapsed();
                let status = status.map_err(|error| format!("{}: {error}", system.name))?;
                if status.success() {
                    report.add(part, case.name, index, took.as_secs_f64() * 1e6);
                } else {
                    report.fail(part, case.name, index, &status.to_string());
                    break;
                }
            }
        }
    }
    Ok(())
}
