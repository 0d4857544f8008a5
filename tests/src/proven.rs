//! Which rows run: all, or with `RUNSK_ROWS=proven` those of `tests/proven-rows.txt`.

use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Whether the row is to run.
pub(crate) fn is_wanted(row: &str) -> bool {
    static PROVEN: OnceLock<Option<BTreeSet<&str>>> = OnceLock::new();
    let proven = PROVEN.get_or_init(|| {
        let asked = std::env::var("RUNSK_ROWS").is_ok_and(|rows| rows == "proven");
        let lines = include_str!("../proven-rows.txt").lines().map(str::trim);
        asked.then(|| {
            lines
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .collect()
        })
    });
    proven.as_ref().is_none_or(|rows| rows.contains(row))
}
