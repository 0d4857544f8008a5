//! What is said of the tests.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::job::End;

/// One test's two ends.
pub(super) struct Result {
    pub(super) name: String,
    pub(super) native: End,
    pub(super) sandbox: End,
}

impl Result {
    /// It passes natively only.
    pub(super) fn is_gap(&self) -> bool {
        self.native == End::Passed && self.sandbox != End::Passed
    }
}

/// All results so far.
pub(super) struct Report {
    all: usize,
    results: Vec<Result>,
    broken: Vec<String>,
}

impl Report {
    pub(super) fn new(all: usize) -> Self {
        Report {
            all,
            results: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Adds a result and says it, or why there is none.
    pub(super) fn add(&mut self, name: &str, result: std::result::Result<Result, String>) {
        let line = match result {
            Ok(result) => {
                let line = result
                    .is_gap()
                    .then(|| format!("GAP   {name}: {}", result.sandbox.word()));
                self.results.push(result);
                line
            }
            Err(error) => {
                self.broken.push(name.to_owned());
                Some(format!("ERROR {name}: {error}"))
            }
        };
        if stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        if let Some(line) = line {
            println!("{line}");
        }
        if stderr().is_terminal() {
            eprint!(
                "{} of {}: {name}",
                self.results.len() + self.broken.len(),
                self.all
            );
            let _ = stderr().flush();
        }
    }

    /// The summary, and the file of all results.
    pub(super) fn finish(mut self, json: Option<&Path>) -> std::result::Result<ExitCode, String> {
        if stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        self.results.sort_by(|a, b| a.name.cmp(&b.name));
        let count = |of: &dyn Fn(&Result) -> bool| self.results.iter().filter(|r| of(r)).count();
        let native = count(&|r| r.native == End::Passed);
        let both = count(&|r| r.native == End::Passed && r.sandbox == End::Passed);
        let gaps = count(&Result::is_gap);
        let only_here = count(&|r| r.native != End::Passed && r.sandbox == End::Passed);
        println!(
            "{} tests, {native} pass natively: {both} of them pass in the sandbox, {gaps} do not; {only_here} pass in the sandbox only",
            self.all
        );
        if let Some(file) = json {
            let rows: Vec<Value> = self.results.iter().map(|r| {
                json!({ "name": r.name, "native": r.native.word(), "sandbox": r.sandbox.word() })
            }).collect();
            let text = json!({ "tests": self.all, "native": native, "both": both, "gaps": gaps, "results": rows });
            fs::write(file, format!("{text:#}\n"))
                .map_err(|e| format!("{}: {e}", file.display()))?;
        }
        let clean = gaps == 0 && self.broken.is_empty();
        Ok(if clean {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// How tests ended natively, by an earlier run's JSON.
pub(super) fn native_of(file: &Path) -> std::result::Result<BTreeMap<String, End>, String> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|e| format!("{shown}: {e}"))?;
    let value: Value = serde_json::from_str(&text).map_err(|e| format!("{shown}: {e}"))?;
    let rows = value["results"]
        .as_array()
        .ok_or_else(|| format!("{shown}: no results"))?;
    let row = |row: &Value| {
        let name = row["name"].as_str()?.to_owned();
        Some((name, End::parse(row["native"].as_str()?)?))
    };
    Ok(rows.iter().filter_map(row).collect())
}
