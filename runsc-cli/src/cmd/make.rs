//! `runsk create` and `runsk run`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::Outcome;
use crate::flags;
use crate::life::{self, AtEnd, Making};
use crate::sandbox::{self, Options};
use crate::state::{Root, container_id};

pub(super) fn create(root: &Root, args: &flags::Make, options: &Options) -> Outcome<ExitCode> {
    let id = container_id(args.id.as_deref().unwrap_or_default())?;
    let bundle = args.bundle.clone().unwrap_or_else(|| PathBuf::from("."));
    life::create(root, &making(args, bundle, id), options)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn run(root: &Root, args: &flags::Run, options: &Options) -> Outcome<ExitCode> {
    let (bundle, id) = bundle_and_id(&args.make)?;
    let making = making(&args.make, bundle, id);
    if args.detach {
        life::create(root, &making, options)?;
        life::start(&root.container(&making.id))?;
        return Ok(ExitCode::SUCCESS);
    }
    let at_end = if args.keep {
        AtEnd::Keep
    } else {
        AtEnd::Remove
    };
    life::run(root, &making, options, at_end)
}

fn making(args: &flags::Make, bundle: PathBuf, id: String) -> Making {
    Making {
        bundle,
        id,
        console_socket: args.console_socket.clone(),
        pidfd_socket: args.pidfd_socket.clone(),
        pid_file: args.pid_file.clone(),
        oom_fifo: args.oom_fifo.clone(),
        preserve_fds: args.preserve_fds,
        overlay: args.overlay,
    }
}

/// With a single argument that is a bundle, the container gets a made-up name.
fn bundle_and_id(args: &flags::Make) -> Outcome<(PathBuf, String)> {
    let current = || PathBuf::from(".");
    match (&args.bundle, &args.id) {
        (Some(dir), Some(id)) => Ok((dir.clone(), container_id(id)?)),
        (Some(dir), None) => Ok((dir.clone(), sandbox::new_id()?)),
        (None, Some(path)) if is_bundle(path) => Ok((path.into(), sandbox::new_id()?)),
        (None, Some(id)) => Ok((current(), container_id(id)?)),
        (None, None) => Ok((current(), sandbox::new_id()?)),
    }
}

fn is_bundle(path: &OsStr) -> bool {
    Path::new(path).join("config.json").is_file()
}
