//! Builds Debian roots with debootstrap, from the mirror this machine is configured for.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use crate::workspace;

/// What the root holds beyond the packages marked essential.
const PACKAGES: &[&str] = &[
    "bash",
    "coreutils",
    "python3",
    "perl",
    "git",
    "sqlite3",
    "gcc",
    "libc6-dev",
    "make",
    "tar",
    "xz-utils",
    "procps",
    "file",
    "busybox-static",
];

/// What the root of servers holds beyond the packages marked essential.
const SERVERS: &[&str] = &[
    "nginx-light",
    "redis-server",
    "redis-tools",
    "postgresql",
    "openssh-server",
    "openssh-client",
    "wrk",
    "curl",
    "apache2-utils",
    "python3",
];

/// Bumped when the recipe changes in another way than its packages.
const RECIPE: u32 = 1;

/// The Debian root, built when it is not there yet or not of this recipe; takes minutes then.
///
/// # Errors
/// When debootstrap is missing, no mirror is configured, or it fails.
pub fn root() -> Result<PathBuf, String> {
    let dir = workspace::work_dir().join("debian");
    build(&dir)?;
    Ok(dir.join("root"))
}

/// A root with servers and their clients, for scripts that ask for it; built as [`root`] is.
///
/// # Errors
/// As [`root`].
pub fn servers() -> Result<PathBuf, String> {
    let dir = workspace::work_dir().join("servers");
    build_with(&dir, SERVERS)?;
    Ok(dir.join("root"))
}

/// Builds the root in `dir/root`, with its stamp and log beside it. Safe to call from several
/// processes at once: one builds, the others wait for it.
///
/// # Errors
/// As [`root`].
pub fn build(dir: &Path) -> Result<(), String> {
    build_with(dir, PACKAGES)
}

fn build_with(dir: &Path, packages: &[&str]) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let lock = File::create(dir.join("lock")).map_err(|e| format!("{}: {e}", dir.display()))?;
    let _one_at_a_time =
        Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, e)| e.to_string())?;

    let stamp = dir.join("stamp");
    let recipe = format!("{RECIPE} {}\n", packages.join(","));
    if fs::read_to_string(&stamp).is_ok_and(|found| found == recipe) {
        return Ok(());
    }
    let root = dir.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).map_err(|e| format!("{}: {e}", root.display()))?;
    }
    let source = Source::configured()?;
    println!(
        "debian-root: {} from {} into {}",
        source.suite,
        source.mirror,
        root.display()
    );
    debootstrap(&source, packages, &root, &dir.join("log"))?;
    // Downloads are of no use to a program that runs over the root.
    for cache in ["var/cache/apt/archives", "var/lib/apt/lists"] {
        remove_files(&root.join(cache));
    }
    fs::write(&stamp, recipe).map_err(|e| format!("{}: {e}", stamp.display()))
}

/// A repository that debootstrap can work from.
struct Source {
    mirror: String,
    suite: String,
}

impl Source {
    /// The first repository of apt's own configuration with a script in debootstrap: that
    /// leaves out updates, security and third parties.
    fn configured() -> Result<Source, String> {
        let out = Command::new("apt-get")
            .args([
                "indextargets",
                "--format",
                "$(REPO_URI) $(CODENAME) $(RELEASE) $(COMPONENT)",
            ])
            .arg("Created-By: Packages")
            .output()
            .map_err(|e| format!("apt-get: {e}"))?;
        let text = String::from_utf8_lossy(&out.stdout);
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(&mirror), Some(&component)) = (fields.first(), fields.last()) else {
                continue;
            };
            let known = |suite: &&&str| {
                Path::new("/usr/share/debootstrap/scripts")
                    .join(suite)
                    .exists()
            };
            if component != "main" {
                continue;
            }
            // Without downloaded lists apt knows no code name and leaves the field empty.
            if let Some(suite) = fields
                .get(1..fields.len() - 1)
                .and_then(|s| s.iter().find(known))
            {
                return Ok(Source {
                    mirror: mirror.to_owned(),
                    suite: (*suite).to_owned(),
                });
            }
        }
        Err("apt has no repository that debootstrap knows (or debootstrap is missing)".to_owned())
    }
}

fn debootstrap(source: &Source, packages: &[&str], root: &Path, log: &Path) -> Result<(), String> {
    let mut child = Command::new("debootstrap")
        .arg("--variant=minbase")
        .arg(format!("--include={}", packages.join(",")))
        .arg(&source.suite)
        .arg(root)
        .arg(&source.mirror)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("debootstrap: {e}"))?;
    let mut told = Instant::now();
    let mut last = String::new();
    let mut all = String::new();
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|out| BufReader::new(out).lines())
    {
        let Ok(line) = line else { break };
        all += &format!("{line}\n");
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            println!("debian-root: {line}");
        }
        last = line;
    }
    let _ = fs::write(log, all);
    let status = child.wait().map_err(|e| format!("debootstrap: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("debootstrap: {status}: {last}"))
    }
}

fn remove_files(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // A directory stays: apt expects its own to exist.
        let _ = fs::remove_file(entry.path());
    }
}
