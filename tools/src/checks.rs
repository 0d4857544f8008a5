//! What the tree must look like.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::step;

/// Each crate, and the crates below it that it may name.
const LAYERS: [(&str, &[&str]); 6] = [
    ("syscalls", &[]),
    ("platform", &["syscalls"]),
    ("gofer", &["platform", "syscalls"]),
    ("sentry", &["gofer", "platform", "syscalls"]),
    ("runsc-cli", &["sentry", "gofer", "platform", "syscalls"]),
    ("tools", &[]),
];

/// Everything that may stand at the top.
const TOP: [&str; 15] = [
    "Cargo.toml",
    "Cargo.lock",
    "sentry",
    "gofer",
    "platform",
    "runsc-cli",
    "syscalls",
    "tests",
    "tools",
    "README.md",
    "LICENSE",
    ".ci",
    ".git",
    ".gitignore",
    "target",
];

/// Directories that builds and tests make and git ignores.
const IGNORED: [&str; 1] = [".work"];

const OURS: [&str; 7] = [
    "syscalls",
    "platform",
    "gofer",
    "sentry",
    "runsc-cli",
    "tests",
    "tools",
];

pub(crate) fn run() -> Result<ExitCode, String> {
    let root = step::workspace();
    let mut faults = Vec::new();
    layers(&root, &mut faults)?;
    top(&root, &mut faults)?;
    forbids_unsafe(&root, &mut faults)?;
    if faults.is_empty() {
        eprintln!("==> the tree has the shape it should have");
        return Ok(ExitCode::SUCCESS);
    }
    Err(faults.join("\n"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Dependencies of a manifest that are crates of ours; those of tests do not count.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]"
            && let Some(name) = line.split(['.', '=', ' ']).next()
            && OURS.contains(&name)
        {
            found.push(name.to_owned());
        }
    }
    found
}

fn layers(root: &Path, faults: &mut Vec<String>) -> Result<(), String> {
    for (name, below) in LAYERS {
        let manifest = read(&root.join(name).join("Cargo.toml"))?;
        for dependency in dependencies(&manifest) {
            if !below.contains(&dependency.as_str()) {
                faults.push(format!("{name} names {dependency}, which is not below it"));
            }
        }
    }
    Ok(())
}

fn top(root: &Path, faults: &mut Vec<String>) -> Result<(), String> {
    let entries = fs::read_dir(root).map_err(|error| format!("{}: {error}", root.display()))?;
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !TOP.contains(&name.as_str()) && !IGNORED.contains(&name.as_str()) {
            faults.push(format!("{name} does not belong at the top level"));
        }
    }
    Ok(())
}

fn forbids_unsafe(root: &Path, faults: &mut Vec<String>) -> Result<(), String> {
    let entries = [
        "syscalls/src/lib.rs",
        "gofer/src/lib.rs",
        "sentry/src/lib.rs",
        "runsc-cli/src/main.rs",
        "runsc-cli/src/shim/main.rs",
        "tests/src/lib.rs",
        "tools/src/main.rs",
    ];
    for entry in entries {
        if !read(&root.join(entry))?.contains("#![forbid(unsafe_code)]") {
            faults.push(format!("{entry} does not forbid unsafe code"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use super::dependencies;

    #[test]
    fn the_tree_is_in_shape() {
        assert_eq!(super::run(), Ok(ExitCode::SUCCESS));
    }

    #[test]
    fn only_dependencies_proper_count() {
        let manifest = "[dependencies]\nsyscalls.workspace = true\nlog = \"1\"\n[dev-dependencies]\nsentry.workspace = true\n";
        assert_eq!(dependencies(manifest), ["syscalls"]);
    }
}
