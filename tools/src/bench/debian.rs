//! The Debian root that whole programs run on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::step;

/// Beyond the essential ones.
const PACKAGES: &str = "bash,coreutils,findutils,gcc,git,libc6-dev,make,python3,redis-server,\
                        sqlite3,tar";
/// The source package that is built; it needs a compiler and make only.
const SOURCE: &str = "lz4";

/// Makes the root with debootstrap, from the mirror that this machine is configured for.
pub(super) fn make(root: &Path) -> Result<(), String> {
    let (mirror, suite) = repository()?;
    let part = root.with_extension("part");
    let at = |path: &Path| path.to_string_lossy().into_owned();
    if part.exists() {
        fs::remove_dir_all(&part).map_err(|error| format!("{}: {error}", part.display()))?;
    }
    let mut debootstrap = Command::new("debootstrap");
    debootstrap
        .args(["--variant=minbase", &format!("--include={PACKAGES}")])
        .args([&suite, &at(&part), &mirror])
        .stdout(Stdio::null());
    step::must(&mut debootstrap)?;
    source(&part, &mirror, &suite)?;
    fs::rename(&part, root).map_err(|error| format!("{}: {error}", root.display()))
}

/// The first of apt's repositories: mirror and suite.
fn repository() -> Result<(String, String), String> {
    let output = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(CODENAME) $(COMPONENT)",
        ])
        .arg("Created-By: Packages")
        .output()
        .map_err(|error| format!("apt-get: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.strip_suffix(" main"))
        .filter_map(|line| line.split_once(' '))
        .map(|(mirror, suite)| (mirror.to_owned(), suite.to_owned()))
        .find(|(_, suite)| !suite.is_empty())
        .ok_or_else(|| "apt has no repository: run apt-get update".to_owned())
}

/// Unpacks the source package in the root's /srv/source.
fn source(root: &Path, mirror: &str, suite: &str) -> Result<(), String> {
    let list = root.join("tmp/sources.list");
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let line = format!("deb-src [signed-by={keys}] {mirror} {suite} main\n");
    fs::write(&list, line).map_err(|error| format!("{}: {error}", list.display()))?;
    let lists = root.join("tmp/lists");
    fs::create_dir_all(lists.join("partial")).map_err(|error| error.to_string())?;
    let options = [
        format!("Dir::Etc::SourceList={}", list.display()),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("Dir::State::Lists={}", lists.display()),
    ];
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        for option in &options {
            apt.args(["-o", option]);
        }
        apt.args(args)
            .current_dir(root.join("srv"))
            .stdout(Stdio::null());
        apt
    };
    step::must(&mut apt(&["update", "-q"]))?;
    step::must(&mut apt(&["source", "-q", "--download-only", SOURCE]))?;
    // The upstream part is enough; unpacking it needs no tool of Debian's.
    let mut unpack = Command::new("sh");
    unpack.current_dir(root.join("srv"));
    unpack.args([
        "-c",
        "mkdir source && tar -xf *.orig.tar.* -C source --strip-components=1",
    ]);
    step::must(&mut unpack)?;
    fs::remove_dir_all(&lists).map_err(|error| error.to_string())
}
