//! Tests, and where they come from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One test.
pub(super) struct Case {
    /// Unique, and fit for a file's name.
    pub(super) name: String,
    /// A shell command.
    pub(super) command: String,
}

/// Tests of lists: `name command…` in each line, `#` begins a comment.
pub(super) fn from_lists(files: &[PathBuf]) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, command) = line.split_once(char::is_whitespace).unwrap_or((line, line));
            cases.push(Case {
                name: name.replace('/', "_"),
                command: command.trim().to_owned(),
            });
        }
    }
    Ok(cases)
}

/// Tests that googletest programs tell of.
pub(super) fn from_googletest(programs: &[PathBuf]) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for program in programs {
        let shown = program.display();
        let program = program
            .canonicalize()
            .map_err(|e| format!("{shown}: {e}"))?;
        let output = Command::new(&program)
            .arg("--gtest_list_tests")
            .output()
            .map_err(|e| format!("{shown}: {e}"))?;
        if !output.status.success() {
            return Err(format!("{shown} --gtest_list_tests: {}", output.status));
        }
        let listing = String::from_utf8_lossy(&output.stdout);
        cases.extend(tests(&listing).map(|test| of_googletest(&program, &test)));
    }
    Ok(cases)
}

fn of_googletest(program: &Path, test: &str) -> Case {
    let stem = program.file_name().unwrap_or_default().to_string_lossy();
    Case {
        name: format!("{stem}.{}", test.replace('/', "_")),
        command: format!("'{}' '--gtest_filter={test}'", program.display()),
    }
}

/// The full names of a listing: a suite on a line of its own, its tests indented below.
fn tests(listing: &str) -> impl Iterator<Item = String> {
    let mut suite = "";
    listing.lines().filter_map(move |line| {
        let word = line.split_whitespace().next()?;
        if line.starts_with(' ') {
            return Some(format!("{suite}{word}"));
        }
        suite = if word.ends_with('.') { word } else { "" };
        None
    })
}

#[cfg(test)]
mod tests {
    use super::tests as names;

    #[test]
    fn listings_of_googletest() {
        let listing = "Running main() from gtest\nOpen.\n  Creates\n  Fails # a comment\nAll/Read.\n  Works/0  # GetParam() = 1\n";
        let found: Vec<_> = names(listing).collect();
        assert_eq!(found, ["Open.Creates", "Open.Fails", "All/Read.Works/0"]);
    }
}
