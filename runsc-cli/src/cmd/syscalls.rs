//! `runsk syscalls`: which system calls the kernel serves, from the one table.

use std::fmt::Write;

use serde::Serialize;
use syscalls::{Level, Row, TABLE};

use crate::flags;

#[derive(Serialize)]
struct Entry {
    number: usize,
    name: &'static str,
    support: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    args: Vec<Argument>,
}

#[derive(Serialize)]
struct Argument {
    name: &'static str,
    r#type: &'static str,
}

impl Entry {
    fn new(row: &Row) -> Self {
        let (support, note) = match row.level {
            Level::Served => ("served", None),
            Level::Partial(why) => ("partial", Some(why.to_owned())),
            Level::Refused(errno) => ("refused", Some(errno.name().to_owned())),
        };
        let argument = |(name, r#type): &(&'static str, &'static str)| Argument { name, r#type };
        Entry {
            number: row.number,
            name: row.name,
            support,
            note,
            args: row.args.iter().map(argument).collect(),
        }
    }
}

pub(super) fn text(args: &flags::Syscalls) -> String {
    let mut entries: Vec<_> = TABLE.iter().map(Entry::new).collect();
    entries.sort_by_key(|entry| entry.number);
    if args.json {
        // Plain data without maps: it always has a JSON form.
        let mut json = serde_json::to_string_pretty(&entries).unwrap_or_default();
        json.push('\n');
        return json;
    }
    let mut text = String::new();
    for entry in &entries {
        let Entry {
            number,
            name,
            support,
            ..
        } = entry;
        let note = entry.note.as_deref().unwrap_or_default();
        let line = format!("{number:>4} {name:<28} {support:<8} {note}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let count = |level| entries.iter().filter(|e| e.support == level).count();
    let _ = writeln!(
        text,
        "{} calls: {} served, {} partial, {} refused",
        entries.len(),
        count("served"),
        count("partial"),
        count("refused")
    );
    text
}
