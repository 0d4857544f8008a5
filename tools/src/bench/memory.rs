//! What a container costs that only sleeps: memory and processor time of all its processes.

use std::collections::HashMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::bundle::Bundles;
use super::case::{IDLE_MEMORY, IDLE_TIME};
use super::report::Report;
use super::system::System;

/// Until everything has come to rest.
const SETTLE: Duration = Duration::from_secs(2);
/// How long processor time is counted.
const WATCH: Duration = Duration::from_secs(10);
/// How long the container sleeps, seconds.
const SLEEP: &str = "14";

pub(super) fn run(
    bundles: &Bundles,
    systems: &[System],
    report: &mut Report,
) -> Result<(), String> {
    let part = report.part("A sleeping container", &[IDLE_MEMORY, IDLE_TIME]);
    for (index, system) in systems.iter().enumerate() {
        eprintln!("    idle: {}", system.name);
        let mut command = system.bare_command(&bundles.small, &["/bench", "sleep", SLEEP])?;
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|error| format!("{}: {error}", system.name))?;
        std::thread::sleep(SETTLE);
        if let Ok(Some(status)) = child.try_wait() {
            report.fail(part, IDLE_MEMORY.name, index, &status.to_string());
            continue;
        }
        let before = family(&child);
        let (start, spent) = (Instant::now(), time_of(&before));
        std::thread::sleep(WATCH);
        let spent = time_of(&before).saturating_sub(spent);
        let per_second = micros(spent) / start.elapsed().as_secs_f64();
        report.add(part, IDLE_TIME.name, index, per_second);
        let mut total = 0;
        for &pid in &before {
            let (name, pss) = (name(pid), pss(pid));
            total += pss;
            report.note(format!("{}: {name}: {pss} KiB", system.name));
        }
        report.add(part, IDLE_MEMORY.name, index, f64::from(total));
        // It ends by itself: so nothing of it stays behind, whoever runs it.
        let _ = child.wait();
    }
    Ok(())
}

/// The process and all below it.
pub(super) fn family(child: &Child) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_string_lossy().parse::<u32>();
        if let Ok(pid) = pid {
            children.entry(parent(pid)).or_default().push(pid);
        }
    }
    let mut found = vec![child.id()];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(children.get(pid).into_iter().flatten().copied());
        at += 1;
    }
    found
}

fn read(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

/// The number behind a word of a /proc file with lines of `Word: number`.
fn field(text: &str, word: &str) -> u32 {
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    let number = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn parent(pid: u32) -> u32 {
    field(&read(pid, "status"), "PPid")
}

fn name(pid: u32) -> String {
    read(pid, "comm").trim().to_owned()
}

/// Proportional set size, KiB; proc(5).
pub(super) fn pss(pid: u32) -> u32 {
    field(&read(pid, "smaps_rollup"), "Pss")
}

/// Processor time of all threads, nanoseconds.
fn time_of(pids: &[u32]) -> u64 {
    let threads = pids.iter().flat_map(|pid| {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        tasks.into_iter().flatten().flatten()
    });
    let spent = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    spent.sum()
}

fn micros(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6
}
