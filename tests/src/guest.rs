//! The C programs under `tests/guest/FAMILY/*.c`: compiled static, run over a bare root.
//!
//! A program prints `== name` before each of its sections and then a line for each call; two
//! runs are compared section by section, so that one gap does not hide another.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bundle::{Process, Rights};
use crate::compare::{Scope, diff};
use crate::roots::Root;
use crate::run::{Job, Outcome};
use crate::suite::{Judge, Row, verdict as judge};
use crate::{expected, workspace};

/// Families whose programs work on files: each runs on the root's file system and on tmpfs.
const ON_TWO_FILE_SYSTEMS: &[&str] = &["files"];
/// The family whose programs make name spaces.
const ADMINISTRATORS: &str = "namespaces";
/// The family whose programs run over the host's stack too, as `host-net/…`.
const ON_TWO_NETWORKS: &str = "net";
/// How their names begin then.
const HOST_NETWORK: &str = "host-";
/// Where a program works on the root's own file system.
const ON_ROOT: &str = "/srv";
/// Where a program works on tmpfs.
const ON_TMPFS: &str = "/tmp";

/// A row for each program and place; compiles nothing yet.
///
/// # Errors
/// When the directory cannot be read or a program does not compile.
pub fn rows() -> Result<Vec<Row>, String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    let mut rows = Vec::new();
    for family in sorted_entries(&top)?.iter().filter(|path| path.is_dir()) {
        let family_name = name_of(family);
        for source in sorted_entries(family)?
            .iter()
            .filter(|p| p.extension().is_some_and(|e| e == "c"))
        {
            let binary = compile(source, &top)?;
            let name = format!("{family_name}/{}", name_of(&source.with_extension("")));
            if ON_TWO_FILE_SYSTEMS.contains(&family_name.as_str()) {
                rows.push(row(format!("{name}.root"), &binary, ON_ROOT));
                rows.push(row(format!("{name}.tmpfs"), &binary, ON_TMPFS));
            } else {
                rows.push(row(name.clone(), &binary, ON_TMPFS));
            }
            if family_name == ON_TWO_NETWORKS {
                rows.push(row(format!("{HOST_NETWORK}{name}"), &binary, ON_TMPFS));
            }
        }
    }
    Ok(rows)
}

fn row(name: String, binary: &Path, place: &str) -> Row {
    let rights = match name.split('/').next() {
        Some(ADMINISTRATORS) => Rights::Administrator,
        _ => Rights::Usual,
    };
    let flags: &[&str] = match name.starts_with(HOST_NETWORK) {
        true => &["--network=host"],
        false => &[],
    };
    let job = Job {
        flags,
        root: Root::Program,
        guest: Some(binary.to_owned()),
        process: Process {
            args: vec!["/guest".to_owned()],
            env: vec![format!("GUEST_DIR={place}")],
            cwd: "/".to_owned(),
            user: 0,
            rights,
        },
        stdin: Vec::new(),
        exits: 0,
        guard: Duration::from_secs(60),
    };
    Row::new(name, job, Judge::Sections)
}

/// The compiled program, made again when its source, the header or the flags changed.
///
/// # Errors
/// What is wrong, for people.
pub fn compile(source: &Path, top: &Path) -> Result<PathBuf, String> {
    // No warnings: passing what a compiler warns of is what these programs are for.
    const FLAGS: &[&str] = &[
        "-std=gnu17",
        "-O1",
        "-static",
        "-pthread",
        "-w",
        "-D_GNU_SOURCE",
    ];
    let read = |path: &Path| fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let mut hash = DefaultHasher::new();
    (FLAGS, read(source)?, read(&top.join("guest.h"))?).hash(&mut hash);
    let dir = workspace::work_dir().join("guest");
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let binary = dir.join(format!(
        "{}-{:016x}",
        name_of(&source.with_extension("")),
        hash.finish()
    ));
    if binary.exists() {
        return Ok(binary);
    }
    let making = binary.with_extension(std::process::id().to_string());
    let status = Command::new("gcc")
        .args(FLAGS)
        .arg("-I")
        .arg(top)
        .arg("-o")
        .arg(&making)
        .arg(source)
        .arg("-lm")
        .status()
        .map_err(|e| format!("gcc: {e} (packages gcc and libc6-dev)"))?;
    if !status.success() {
        return Err(format!("{} does not compile", source.display()));
    }
    fs::rename(&making, &binary).map_err(|e| format!("{}: {e}", binary.display()))?;
    Ok(binary)
}

fn sorted_entries(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Compares two runs of a program section by section against the list of known gaps.
///
/// # Errors
/// What is wrong, for people.
pub fn verdict(name: &str, platform: &str, native: &Outcome, got: &Outcome) -> Result<(), String> {
    if let Some(cause) = expected::cause(name, platform) {
        return judge(Scope::ALL.difference(native, got), Some(cause));
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (expected_text, got_text) = (text(&native.stdout), text(&got.stdout));
    let (wanted, found) = (sections(&expected_text), sections(&got_text));
    let mut report = String::new();
    for (section, lines) in &wanted {
        let theirs = found
            .iter()
            .find(|(name, _)| name == section)
            .map_or("", |(_, lines)| lines);
        let difference = (theirs != *lines).then(|| diff(lines, theirs));
        let key = format!("{name}#{section}");
        if let Err(problem) = judge(difference, expected::cause(&key, platform)) {
            let _ = write!(report, "== {section}\n{problem}");
        }
    }
    for (section, lines) in found
        .iter()
        .filter(|(name, _)| !wanted.iter().any(|(w, _)| w == name))
    {
        let _ = write!(
            report,
            "== {section} (not there natively)\n{}",
            diff("", lines)
        );
    }
    if native.end != got.end {
        let _ = writeln!(report, "end: expected {}, got {}", native.end, got.end);
    }
    if native.stderr != got.stderr {
        let _ = write!(
            report,
            "stderr:\n{}",
            diff(&text(&native.stderr), &text(&got.stderr))
        );
    }
    if report.is_empty() {
        Ok(())
    } else {
        Err(report)
    }
}

/// Splits at the lines `== name`; what stands before the first is the section "".
fn sections(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let (mut name, mut start, mut at) = ("", 0, 0);
    for line in text.split_inclusive('\n') {
        if let Some(next) = line.strip_prefix("== ") {
            found.push((name, &text[start..at]));
            name = next.trim_end();
            start = at + line.len();
        }
        at += line.len();
    }
    found.push((name, &text[start..]));
    found
}

#[cfg(test)]
mod tests {
    use super::sections;

    #[test]
    fn sections_are_split_at_their_names() {
        let found = sections("x\n== a\n1\n2\n== b\n");
        assert_eq!(found, [("", "x\n"), ("a", "1\n2\n"), ("b", "")]);
    }
}
