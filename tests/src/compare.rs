//! Whether two runs did the same.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

use crate::run::Outcome;

/// A detail that may differ between two correct runs. Each use stands in the case's row.
#[derive(Clone, Copy, Debug)]
pub enum Normalise {
    /// Every run of digits becomes `N`.
    Digits,
    /// Lines are compared as a set: their order is nobody's promise.
    LineOrder,
    /// Every run of blanks becomes one blank.
    Blanks,
}

impl Normalise {
    fn apply(self, text: &str) -> String {
        match self {
            Normalise::Digits => squeeze(text, |c| c.is_ascii_digit(), 'N'),
            Normalise::Blanks => squeeze(text, |c| c == ' ' || c == '\t', ' '),
            Normalise::LineOrder => {
                let mut lines: Vec<&str> = text.lines().collect();
                lines.sort_unstable();
                lines.iter().flat_map(|line| [line, "\n"]).collect()
            }
        }
    }
}

/// Replaces every run of characters of `class` by one `with`.
fn squeeze(text: &str, class: impl Fn(char) -> bool, with: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        let here = class(c);
        if !here {
            out.push(c);
        } else if !inside {
            out.push(with);
        }
        inside = here;
    }
    out
}

/// What of two outcomes is compared.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Whether stderr is.
    pub stderr: bool,
    /// What is blurred first, in this order.
    pub normalise: &'static [Normalise],
}

impl Scope {
    /// Everything, byte for byte.
    pub const ALL: Scope = Scope {
        stderr: true,
        normalise: &[],
    };

    /// Nothing when the two are equal in this scope, else a report for people.
    #[must_use]
    pub fn difference(self, expected: &Outcome, got: &Outcome) -> Option<String> {
        let mut report = String::new();
        if expected.end != got.end {
            let _ = writeln!(report, "end: expected {}, got {}", expected.end, got.end);
        }
        report += &self.text_difference("stdout", &expected.stdout, &got.stdout);
        if self.stderr {
            report += &self.text_difference("stderr", &expected.stderr, &got.stderr);
        }
        if report.is_empty() {
            return None;
        }
        // What the program complained about is the first thing one wants to know.
        if !self.stderr && !got.stderr.is_empty() {
            let _ = writeln!(
                report,
                "stderr: {}",
                tail(&String::from_utf8_lossy(&got.stderr))
            );
        }
        Some(report)
    }

    fn text_difference(self, what: &str, expected: &[u8], got: &[u8]) -> String {
        let (expected, got) = (self.blur(expected), self.blur(got));
        if expected == got {
            String::new()
        } else {
            format!("{what}:\n{}", diff(&expected, &got))
        }
    }

    fn blur(self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text).into_owned();
        self.normalise
            .iter()
            .fold(text, |text, how| how.apply(&text))
    }
}

/// The lines that differ, `-` as expected and `+` as found, with a little context; bounded.
#[must_use]
pub fn diff(expected: &str, got: &str) -> String {
    const MOST_LINES: usize = 60;
    let diff = TextDiff::from_lines(expected, got);
    let mut out = String::new();
    let mut lines = 0;
    for group in diff.grouped_ops(2) {
        for op in &group {
            for change in diff.iter_changes(op) {
                lines += 1;
                if lines > MOST_LINES {
                    out += "  … more lines differ\n";
                    return out;
                }
                let sign = match change.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                let _ = writeln!(
                    out,
                    "  {sign} {}",
                    change.to_string().trim_end_matches('\n')
                );
            }
        }
    }
    out
}

fn tail(text: &str) -> &str {
    const MOST: usize = 2000;
    match text.char_indices().rev().nth(MOST) {
        Some((at, _)) => &text[at..],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{Normalise, diff};

    #[test]
    fn blurring() {
        assert_eq!(Normalise::Digits.apply("pid 123, 45x"), "pid N, Nx");
        assert_eq!(Normalise::Blanks.apply("a  \t b"), "a b");
        assert_eq!(Normalise::LineOrder.apply("b\na\n"), "a\nb\n");
    }

    #[test]
    fn a_diff_names_the_line() {
        assert_eq!(diff("a\nb\n", "a\nc\n"), "    a\n  - b\n  + c\n");
    }
}
