//! Many containers: one after the other, all at once, and what they cost that only sleep.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::bundle::Bundles;
use super::case::{MANY_AT_ONCE, MANY_IDLE, MANY_IN_A_ROW, MANY_WITH_COMMANDS};
use super::memory::{family, pss};
use super::report::Report;
use super::system::System;

const IN_A_ROW: u32 = 100;
const AT_ONCE: u32 = 50;
/// How long those sleep whose memory is looked at, seconds; and after which time.
const SLEEP: &str = "40";
const SETTLE: Duration = Duration::from_secs(4);

/// Each row is told for one container. Only one round: there are enough of them.
pub(super) fn run(
    bundles: &Bundles,
    systems: &[System],
    report: &mut Report,
) -> Result<(), String> {
    let cases = [MANY_IN_A_ROW, MANY_AT_ONCE, MANY_IDLE, MANY_WITH_COMMANDS];
    let part = report.part("Many containers, of each", &cases);
    for (index, system) in systems.iter().enumerate() {
        eprintln!("    many: {}", system.name);
        for (case, count, most) in [
            (MANY_IN_A_ROW, IN_A_ROW, 1),
            (MANY_AT_ONCE, AT_ONCE, AT_ONCE),
        ] {
            let start = Instant::now();
            match lives(bundles, system, count, most) {
                Ok(()) => {
                    let took = start.elapsed().as_secs_f64() * 1e6;
                    report.add(part, case.name, index, took / f64::from(count));
                }
                Err(why) => report.fail(part, case.name, index, &why),
            }
        }
        match asleep(bundles, system) {
            Ok((containers, commands)) => {
                let of_each = |sum: u32| f64::from(sum) / f64::from(AT_ONCE);
                report.add(part, MANY_IDLE.name, index, of_each(containers));
                let both = containers + commands;
                report.add(part, MANY_WITH_COMMANDS.name, index, of_each(both));
            }
            Err(why) => report.fail(part, MANY_IDLE.name, index, &why),
        }
    }
    Ok(())
}

fn begin(bundles: &Bundles, system: &System, args: &[&str]) -> Result<Child, String> {
    let mut command = system.bare_command(&bundles.small, args)?;
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn();
    child.map_err(|error| format!("{}: {error}", system.name))
}

fn end(children: &mut Vec<Child>) -> Result<(), String> {
    let mut result = Ok(());
    for mut child in children.drain(..) {
        let status = child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            result = Err(status.to_string());
        }
    }
    result
}

/// `count` containers whose program does nothing, `most` at a time.
fn lives(bundles: &Bundles, system: &System, count: u32, most: u32) -> Result<(), String> {
    let mut children = Vec::new();
    for number in 1..=count {
        children.push(begin(bundles, system, &["/nothing"])?);
        if number.is_multiple_of(most) {
            end(&mut children)?;
        }
    }
    end(&mut children)
}

/// Memory of containers that sleep, and that of the commands that wait for them, KiB.
fn asleep(bundles: &Bundles, system: &System) -> Result<(u32, u32), String> {
    let mut children = Vec::new();
    for _ in 0..AT_ONCE {
        children.push(begin(bundles, system, &["/bench", "sleep", SLEEP])?);
    }
    std::thread::sleep(SETTLE);
    let (mut containers, mut commands) = (0, 0);
    for child in &children {
        for pid in family(child) {
            // Natively the command is the program.
            match pid == child.id() && !system.is_native() {
                true => commands += pss(pid),
                false => containers += pss(pid),
            }
        }
    }
    // They end by themselves: so nothing stays behind, whoever runs them.
    end(&mut children)?;
    Ok((containers, commands))
}
