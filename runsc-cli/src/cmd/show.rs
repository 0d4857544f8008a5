//! `runsk state`, `list` and `ps`.

use std::fmt::Write;

use serde_json::Value;

use crate::failure::{Context, Failure, Outcome};
use crate::flags::{self, ListFormat};
use crate::life::{Client, Status, state_value};
use crate::state::{Directory, Record, Root};

pub(super) fn state(container: &Directory) -> Outcome<String> {
    let (record, status) = container.status()?;
    json(&state_value(&record, status))
}

fn json(value: &Value) -> Outcome<String> {
    let mut text = serde_json::to_string_pretty(value).context("JSON")?;
    text.push('\n');
    Ok(text)
}

pub(super) fn list(root: &Root, args: &flags::List) -> Outcome<String> {
    root.sweep();
    let mut found = Vec::new();
    for container in root.list()? {
        match container.status() {
            Ok(pair) => found.push(pair),
            // Damaged: the others are there all the same.
            Err(failure) if container.exists() => log::warn!("{failure}"),
            // Deleted meanwhile.
            Err(failure) => log::debug!("{failure}"),
        }
    }
    if args.quiet {
        return Ok(found
            .iter()
            .map(|(record, _)| format!("{}\n", record.id))
            .collect());
    }
    match args.format {
        ListFormat::Json => {
            let states = found
                .iter()
                .map(|(record, status)| state_value(record, *status));
            let mut text = Value::Array(states.collect()).to_string();
            text.push('\n');
            Ok(text)
        }
        ListFormat::Table => Ok(table(&found)),
    }
}

fn table(found: &[(Record, Status)]) -> String {
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
    for (record, status) in found {
        let pid = record.sentry.filter(|_| *status != Status::Stopped);
        rows.push([
            record.id.clone(),
            pid.map_or(0, |sentry| sentry.pid).to_string(),
            status.word().to_owned(),
            record.bundle.display().to_string(),
            record.created.clone(),
            record.owner_name(),
        ]);
    }
    align(&rows)
}

/// Columns of equal width, three spaces apart; the last one is as long as it is.
pub(super) fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| Some(row.get(column)?.len()))
            .max()
    };
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}   ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

pub(super) fn ps(container: &Directory, args: &flags::Ps) -> Outcome<String> {
    let (record, status) = container.status()?;
    if matches!(status, Status::Stopped | Status::Creating) {
        return Err(Failure::new("container not running"));
    }
    if args.format == ListFormat::Json {
        // Numbers of the host: callers look them up there.
        let pids: Vec<i32> = record.sentry.iter().map(|sentry| sentry.pid).collect();
        return json(&pids.into());
    }
    let processes = Client::connect(container)?.processes()?;
    let mut rows = vec![["UID", "PID", "PPID", "TTY", "TIME", "CMD"].map(str::to_owned)];
    for process in processes {
        let seconds = process.cpu_ns / 1_000_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        rows.push([
            process.uid.to_string(),
            process.pid.to_string(),
            process.ppid.to_string(),
            process.tty,
            format!("{hours:02}:{minutes:02}:{:02}", seconds % 60),
            process.command.join(" ").replace(char::is_control, "?"),
        ]);
    }
    Ok(align(&rows))
}
