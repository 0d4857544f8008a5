//! The Gofer's process.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

use ::gofer::server::{Config, Mounts, Owners, ReadAhead, Rights, Server, Tree, seccomp_rows};
use platform::host::caps::Caps;
use platform::host::mounts::{Depth, clone_tree};
use platform::seccomp::{Otherwise, Program};

use super::boot::{GoferBoot, Inherited, Lifetime, TreeBoot, TreeRoot};
use super::{jail, start};
use crate::failure::{Context, Outcome};
use crate::log_file;

pub(super) use ::gofer::wire::{ClientEnd, ServerEnd};

/// What it needs to act for all users of a container: over files whose ids its user
/// namespace maps, and nothing else.
pub(super) const CAPS: Caps = Caps::CHOWN
    .union(Caps::DAC_OVERRIDE)
    .union(Caps::FOWNER)
    .union(Caps::FSETID)
    .union(Caps::SETFCAP);

/// Requests that can wait for the host's disks side by side.
const MAX_THREADS: usize = 16;

/// main of `runsk-gofer`.
pub(crate) fn main() -> ExitCode {
    super::child_main(c"runsk-gofer", serve)
}

fn serve(mut inherited: Inherited<GoferBoot>, supervisor: &OwnedFd) -> Outcome<ExitCode> {
    let log = inherited.boot.log.file;
    let log = log.map(|index| inherited.fd(index)).transpose()?;
    log_file::start(inherited.boot.log.settings, log);

    jail::leave_network()?;
    let trees = std::mem::take(&mut inherited.boot.trees);
    let trees = trees.into_iter().map(|tree| open(tree, &mut inherited));
    let trees = trees.collect::<Outcome<_>>()?;
    let (region, socket) = inherited.boot.sentry;
    let server = Server::prepare(Config {
        end: ServerEnd {
            region: inherited.fd(region)?,
            socket: inherited.fd(socket)?,
        },
        memory_file: inherited.fd(inherited.boot.memory)?,
        trees,
        owners: if inherited.boot.exact_owners {
            Owners::Exact
        } else {
            Owners::Approximate
        },
        read_ahead: if inherited.boot.host_reads_ahead {
            ReadAhead::Host
        } else {
            ReadAhead::Client
        },
        max_threads: MAX_THREADS,
    });
    let server = server.context("preparing the file server")?;
    let _own_fds = stay_in_own_fds()?;
    jail::empty_root()?;
    jail::lock(CAPS)?;
    if inherited.boot.lifetime == Lifetime::WithCommand {
        jail::end_with_parent(supervisor)?;
    }
    let rows = [seccomp_rows(), jail::COMMON].concat();
    let program = Program::compile(&rows, Otherwise::Trap);
    jail::filter("Gofer", program, supervisor)?;
    server.run().context("serving files")?;
    Ok(ExitCode::SUCCESS)
}

/// The server's current directory is `/proc/self/fd`, of the host's procfs. A clone of that
/// directory alone has no parent: from there `..` leads nowhere. It lasts as long as the
/// descriptor.
fn stay_in_own_fds() -> Outcome<OwnedFd> {
    let own = clone_tree(c"/proc/self/fd", Depth::One).context("/proc/self/fd")?;
    nix::unistd::fchdir(&own).context("/proc/self/fd")?;
    Ok(own)
}

fn open(tree: TreeBoot, inherited: &mut Inherited<GoferBoot>) -> Outcome<Tree> {
    let root = match tree.root {
        TreeRoot::Inherited(index) => inherited.fd(index)?,
        TreeRoot::Path(path) => {
            let path = OsString::from_vec(path);
            start::open_tree(Path::new(&path), tree.readonly)?
        }
    };
    Ok(Tree {
        root,
        rights: if tree.readonly {
            Rights::ReadOnly
        } else {
            Rights::ReadWrite
        },
        // Every tree is one mount. What is mounted below, and meant for the container, is a
        // tree of its own.
        mounts: Mounts::Stay,
    })
}
