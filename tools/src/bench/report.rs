//! What was measured, as a table and as JSON.

use serde_json::{Value, json};

use super::case::{Case, Target};
use super::machine::Machine;
use super::samples::Samples;
use super::system::System;

/// Everything that a run has found out.
pub(super) struct Report {
    state: &'static str,
    cpus: usize,
    rounds: u32,
    pub(super) systems: Vec<String>,
    /// Which of them are runsk.
    ours: Vec<usize>,
    crowded: bool,
    pub(super) parts: Vec<Part>,
    notes: Vec<String>,
}

/// A part's rows.
pub(super) struct Part {
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
}

/// A case, and what each system took, in the order of the systems.
pub(super) struct Row {
    pub(super) case: Case,
    pub(super) cells: Vec<Cell>,
}

/// What one system took.
#[derive(Clone, Default)]
pub(super) struct Cell {
    pub(super) samples: Samples,
    failure: Option<String>,
}

/// The native one comes first.
const NATIVE: usize = 0;

/// How far a machine may be from the one of the references for its targets to hold as
/// they are, as a factor.
const ALIKE: f64 = 1.25;

impl Report {
    pub(super) fn new(machine: &Machine, systems: &[System], rounds: u32) -> Self {
        let ours = systems
            .iter()
            .enumerate()
            .filter(|(_, system)| system.is_runsk());
        Report {
            state: machine.state,
            cpus: machine.cpus,
            rounds,
            systems: systems.iter().map(|system| system.name.clone()).collect(),
            ours: ours.map(|(index, _)| index).collect(),
            crowded: machine.is_crowded(),
            parts: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Begins a part; its number is for [`Self::add`].
    pub(super) fn part(&mut self, title: &'static str, cases: &[Case]) -> usize {
        let row = |case: &Case| Row {
            case: *case,
            cells: vec![Cell::default(); self.systems.len()],
        };
        let rows = cases.iter().map(row).collect();
        self.parts.push(Part { title, rows });
        self.parts.len() - 1
    }

    fn cell(&mut self, part: usize, case: &str, system: usize) -> Option<&mut Cell> {
        let rows = &mut self.parts.get_mut(part)?.rows;
        let row = rows.iter_mut().find(|row| row.case.name == case)?;
        row.cells.get_mut(system)
    }

    pub(super) fn add(&mut self, part: usize, case: &str, system: usize, value: f64) {
        if let Some(cell) = self.cell(part, case, system) {
            cell.samples.add(value);
        }
    }

    pub(super) fn fail(&mut self, part: usize, case: &str, system: usize, why: &str) {
        if let Some(cell) = self.cell(part, case, system) {
            cell.failure = Some(why.to_owned());
        }
        let name = self.systems.get(system).cloned().unwrap_or_default();
        self.note(format!("{name}: {case}: {why}"));
    }

    /// A line below the table; said once.
    pub(super) fn note(&mut self, line: String) {
        if !self.notes.contains(&line) {
            self.notes.push(line);
        }
    }

    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "\nMedian [range] of {} rounds; {} CPUs, {}. ×: times native. !: misses the target.\n",
            self.rounds, self.cpus, self.state
        );
        for part in &self.parts {
            let mut lines = vec![self.heading(part)];
            lines.extend(part.rows.iter().map(|row| self.line(row)));
            text += &aligned(&lines);
        }
        for note in &self.notes {
            text += &format!("{note}\n");
        }
        text
    }

    fn heading(&self, part: &Part) -> Vec<String> {
        let mut cells = vec![part.title.to_owned(), "target".to_owned()];
        cells.extend(self.systems.iter().cloned());
        cells
    }

    fn line(&self, row: &Row) -> Vec<String> {
        let native = row.cells.get(NATIVE).and_then(|cell| cell.samples.median());
        let limit = limit(&row.case, native);
        let mut cells = vec![row.case.title.to_owned(), said(&row.case, limit)];
        for (index, cell) in row.cells.iter().enumerate() {
            let mut text = shown(cell);
            if let (Some(native), Some(median)) = (native, cell.samples.median())
                && index != NATIVE
                && native > 0.0
            {
                text += &format!(" {}×", number(median / native));
            }
            let misses = match (limit, cell.samples.median()) {
                (Some(limit), Some(median)) => median > limit,
                (limit, None) => limit.is_some(),
                (None, _) => false,
            };
            if misses && self.ours.contains(&index) {
                text += " !";
            }
            cells.push(text);
        }
        cells
    }

    pub(super) fn json(&self) -> String {
        let cell = |name: &String, cell: &Cell| {
            json!({
                "system": name,
                "median": cell.samples.median(),
                "samples": cell.samples.all(),
                "failure": cell.failure,
            })
        };
        let row = |row: &Row| {
            let native = row.cells.get(NATIVE).and_then(|cell| cell.samples.median());
            let cells = self.systems.iter().zip(&row.cells);
            json!({
                "case": row.case.name,
                "title": row.case.title,
                "limit": limit(&row.case, native),
                "systems": cells.map(|(name, value)| cell(name, value)).collect::<Vec<_>>(),
            })
        };
        let part = |part: &Part| {
            let rows: Vec<Value> = part.rows.iter().map(row).collect();
            json!({ "title": part.title, "rows": rows })
        };
        let report = json!({
            "machine": self.state,
            "cpus": self.cpus,
            "rounds": self.rounds,
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
            "notes": self.notes,
        });
        format!("{report:#}\n")
    }
}

/// What a median may be at most.
fn limit(case: &Case, native: Option<f64>) -> Option<f64> {
    let target = match case.target {
        Target::None => return None,
        Target::Native(factor) => return native.map(|native| native * factor),
        Target::Micros(target) => target,
    };
    match (case.reference, native) {
        (Some(reference), Some(native)) if native > reference * ALIKE => {
            Some(target * native / reference)
        }
        _ => Some(target),
    }
}

fn said(case: &Case, limit: Option<f64>) -> String {
    match (case.target, limit) {
        (Target::None, _) => String::new(),
        (Target::Native(factor), _) => format!("≤ {}×", number(factor)),
        (Target::Micros(target), Some(limit)) if limit > target => {
            format!("≤ {} (here {})", number(target), number(limit))
        }
        (Target::Micros(target), _) => format!("≤ {}", number(target)),
    }
}

fn shown(cell: &Cell) -> String {
    match (cell.samples.median(), cell.samples.range()) {
        (Some(median), Some((least, most))) if least < most => {
            format!("{} [{}-{}]", number(median), number(least), number(most))
        }
        (Some(median), _) => number(median),
        _ => "–".to_owned(),
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// Columns as wide as their widest cell.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths);
        let padded: Vec<String> = cells
            .map(|(cell, &width)| format!("{cell:<width$}"))
            .collect();
        text += padded.join("  ").trim_end();
        text.push('\n');
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::case::{LATENCY, LIFECYCLE};
    use super::*;

    #[test]
    fn targets_follow_the_machine() {
        let getpid = LATENCY.iter().find(|case| case.name == "getpid").unwrap();
        assert_eq!(limit(getpid, Some(0.11)), Some(0.3));
        let slow = limit(getpid, Some(0.22)).unwrap();
        assert!((slow - 0.6).abs() < 1e-9, "{slow}");
        assert_eq!(limit(getpid, Some(0.05)), Some(0.3));
        assert_eq!(limit(&LIFECYCLE, Some(1.0)), Some(15_000.0));
        let cpu = LATENCY.iter().find(|case| case.name == "cpu").unwrap();
        assert_eq!(limit(cpu, Some(3.0)), Some(3.0));
        assert_eq!(limit(cpu, None), None);
    }

    #[test]
    fn columns_are_aligned() {
        let lines = [
            vec!["a".to_owned(), "µs".to_owned(), "x".to_owned()],
            vec!["long".to_owned(), String::new(), "y".to_owned()],
        ];
        assert_eq!(aligned(&lines), "a     µs  x\nlong      y\n\n");
    }
}
