//! `runsk install`: makes this runtime known to Docker and containerd, and takes it out again.
//!
//! Whatever else stands in their files stays as it is. A file that says already what it
//! should is not touched.

mod containerd;
mod docker;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::{Gid, Uid, fchown};

use super::print;
use crate::failure::{Context, Failure, Outcome};
use crate::flags;

/// The runtime's name, for both.
const NAME: &str = "runsk";
const DOCKER: &str = "/etc/docker/daemon.json";
const CONTAINERD: &str = "/etc/containerd/config.toml";

/// What a file's text is to become.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    None,
    To(String),
}

/// One of the two, and what is told of it.
struct Service {
    name: &'static str,
    change: fn(&str, Wanted<'_>) -> Outcome<Change>,
    /// How it takes notice.
    reload: &'static str,
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
enum Wanted<'a> {
    /// The runtime, by its program.
    Installed(&'a Path),
    Removed,
}

const DOCKER_SERVICE: Service = Service {
    name: "Docker",
    change: docker::change,
    reload: "systemctl reload docker",
};
const CONTAINERD_SERVICE: Service = Service {
    name: "containerd",
    change: containerd::change,
    reload: "systemctl restart containerd",
};

pub(super) fn run(args: &flags::Install) -> Outcome<ExitCode> {
    let mut files: Vec<(Service, PathBuf)> = Vec::new();
    let named = args
        .docker
        .iter()
        .map(|file| (DOCKER_SERVICE, file.clone()));
    files.extend(named);
    let named = args.containerd.iter();
    files.extend(named.map(|file| (CONTAINERD_SERVICE, file.clone())));
    if files.is_empty() {
        files = present();
    }
    if files.is_empty() {
        return Err(Failure::new(
            "there is neither /etc/docker nor /etc/containerd: name the files, with --docker \
             FILE or --containerd FILE",
        ));
    }
    let program = std::env::current_exe().context("/proc/self/exe")?;
    let wanted = match args.remove {
        true => Wanted::Removed,
        false => Wanted::Installed(&program),
    };
    for (service, file) in &files {
        print(&apply(service, file, wanted)?)?;
    }
    let containerd = files
        .iter()
        .any(|(service, _)| service.name == "containerd");
    if containerd && !args.remove && !containerd::shim_is_on_path() {
        log::warn!(
            "{} is not on PATH: containerd looks for it there",
            containerd::SHIM
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The usual files of what is installed here.
fn present() -> Vec<(Service, PathBuf)> {
    let files = [(DOCKER_SERVICE, DOCKER), (CONTAINERD_SERVICE, CONTAINERD)];
    let files = files.map(|(service, file)| (service, PathBuf::from(file)));
    let is_there = |(_, file): &(Service, PathBuf)| file.parent().is_some_and(Path::is_dir);
    files.into_iter().filter(is_there).collect()
}

/// Changes a file if it must be; what was done.
fn apply(service: &Service, file: &Path, wanted: Wanted<'_>) -> Outcome<String> {
    let shown = file.display();
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        result => result.context(shown)?,
    };
    let change = (service.change)(&text, wanted).context(file.display())?;
    let shown = file.display();
    let name = service.name;
    Ok(match (change, wanted) {
        (Change::None, Wanted::Installed(_)) => {
            format!("{name}: {NAME} is in {shown} already\n")
        }
        (Change::None, Wanted::Removed) => format!("{name}: {NAME} is not in {shown}\n"),
        (Change::To(text), _) => {
            replace(file, &text)?;
            let done = match wanted {
                Wanted::Installed(_) => "added to",
                Wanted::Removed => "taken out of",
            };
            let reload = service.reload;
            format!("{name}: {NAME} was {done} {shown}; for it to take notice: {reload}\n")
        }
    })
}

/// Replaces a file's text, in one step for whoever reads it. Owner and mode stay.
fn replace(file: &Path, text: &str) -> Outcome<()> {
    // What a symbolic link leads to is what is changed.
    let file = match fs::canonicalize(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => file.to_path_buf(),
        result => result.context(file.display())?,
    };
    let shown = file.display().to_string();
    let dir = file.parent().unwrap_or(Path::new("/"));
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    fs::create_dir_all(dir).context(dir.display())?;
    let mut new = tempfile::NamedTempFile::new_in(dir).context(dir.display())?;
    new.write_all(text.as_bytes()).context(&shown)?;
    like(new.as_file(), &file).context(&shown)?;
    new.as_file().sync_all().context(&shown)?;
    new.persist(&file)
        .map(drop)
        .map_err(|error| error.error)
        .context(&shown)
}

fn like(new: &File, old: &Path) -> std::io::Result<()> {
    /// Of a file that was not there.
    const MODE: u32 = 0o644;
    let mode = match fs::metadata(old) {
        Ok(old) => {
            let (uid, gid) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
            fchown(new, Some(uid), Some(gid))?;
            old.mode()
        }
        Err(_) => MODE,
    };
    new.set_permissions(fs::Permissions::from_mode(mode))
}

/// What the tests of both files need.
#[cfg(test)]
mod samples {
    use std::path::Path;

    use super::{Change, Wanted};
    use crate::failure::Outcome;

    pub(super) fn changed(
        change: fn(&str, Wanted<'_>) -> Outcome<Change>,
        text: &str,
        wanted: Wanted<'_>,
    ) -> Option<String> {
        match change(text, wanted).expect(text) {
            Change::To(text) => Some(text),
            Change::None => None,
        }
    }

    pub(super) fn installed() -> Wanted<'static> {
        Wanted::Installed(Path::new("/usr/bin/runsk"))
    }
}
