//! The Gofer's process.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

use platform::host::caps::Caps;

use super::boot::{GoferBoot, Inherited, TreeBoot, TreeRoot};
use super::{jail, start, supervisor};
use crate::failure::Outcome;
use crate::log_file;

pub(super) use ::gofer::wire::{ClientEnd, ServerEnd as Channel};

/// What it needs to act for all users of a container: over files whose ids its user
/// namespace maps, and nothing else.
pub(super) const CAPS: Caps = Caps::CHOWN
    .union(Caps::DAC_OVERRIDE)
    .union(Caps::FOWNER)
    .union(Caps::FSETID)
    .union(Caps::SETFCAP);

/// main of `runsk-gofer`.
pub(crate) fn main() -> ExitCode {
    super::child_main(c"runsk-gofer", serve)
}

fn serve(mut inherited: Inherited<GoferBoot>, supervisor: &OwnedFd) -> Outcome<ExitCode> {
    let log = inherited
        .boot
        .log
        .file
        .map(|index| inherited.fd(index))
        .transpose()?;
    log_file::start(inherited.boot.log.settings, log);
    jail::leave_network()?;
    let trees = std::mem::take(&mut inherited.boot.trees);
    let trees = trees
        .into_iter()
        .map(|tree| open(tree, &mut inherited))
        .collect::<Outcome<Vec<_>>>()?;
    jail::empty_root()?;
    jail::lock(CAPS)?;
    jail::end_with_parent(supervisor)?;
    let _ = trees;
    let _: Option<()> = supervisor::hear(supervisor, supervisor::Wait::Yes);
    Ok(ExitCode::SUCCESS)
}

fn open(tree: TreeBoot, inherited: &mut Inherited<GoferBoot>) -> Outcome<OwnedFd> {
    match tree.root {
        TreeRoot::Inherited(index) => inherited.fd(index),
        TreeRoot::Path(path) => {
            let path = OsString::from_vec(path);
            let path = Path::new(&path);
            start::open_tree(path, tree.readonly)
        }
    }
}
