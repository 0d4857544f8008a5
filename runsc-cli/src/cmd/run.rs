//! `runsk run`: creates a container, runs it, and removes it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use crate::flags;
use crate::sandbox::{self, Options};
use crate::spec::{self, HostMounts};

pub(super) fn run(args: &flags::Run, options: Options) -> Outcome<ExitCode> {
    let (dir, id) = bundle_and_id(args)?;
    let bundle = spec::load(&dir)?;
    let mut container = spec::container(&bundle, &HostMounts::default())?;
    container.config.root.overlay = args.overlay;
    sandbox::run(container, &id, options)
}

/// With a single argument that is a bundle, the container gets a made-up name.
fn bundle_and_id(args: &flags::Run) -> Outcome<(PathBuf, String)> {
    let current = || PathBuf::from(".");
    match (&args.bundle, &args.id) {
        (Some(dir), Some(id)) => Ok((dir.clone(), checked_id(id)?)),
        (Some(dir), None) => Ok((dir.clone(), sandbox::new_id()?)),
        (None, Some(path)) if is_bundle(Path::new(path)) => Ok((path.into(), sandbox::new_id()?)),
        (None, Some(id)) => Ok((current(), checked_id(id)?)),
        (None, None) => Ok((current(), sandbox::new_id()?)),
    }
}

fn is_bundle(path: &Path) -> bool {
    path.join("config.json").is_file()
}

/// Ids become names of files and cgroups: runc allows the same characters.
fn checked_id(id: &OsStr) -> Outcome<String> {
    const MAX: usize = 1024;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    id.to_str()
        .filter(|id| id.chars().all(allowed))
        .filter(|id| !matches!(*id, "" | "." | "..") && id.len() <= MAX)
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::new(format!(
                "invalid container ID \"{}\": use letters, digits, and \"_+-.\", or give a \
                 directory that holds config.json",
                id.to_string_lossy()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::checked_id;

    #[test]
    fn ids() {
        for good in ["a", "k8s_POD-1.2+x", "..."] {
            assert_eq!(checked_id(good.as_ref()).expect(good), good);
        }
        for bad in ["", ".", "..", "a/b", "bundle/", "ä", "a b"] {
            assert!(checked_id(bad.as_ref()).is_err(), "{bad}");
        }
    }
}
