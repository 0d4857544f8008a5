//! A container that lives in the sandbox of another one.
//!
//! Its files are served by a Gofer of its own; the process that stands for it outside waits
//! for its end, as one of `exec --detach` does for a process.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sched::CloneFlags;
use oci_spec::runtime::LinuxNamespaceType as Kind;
use sentry::control::{CreateRequest, Terminal};

use super::{Client, files};
use crate::failure::{Context, Failure, Outcome};
use crate::sandbox::{self, Plan};
use crate::spec::{Membership, Resident};
use crate::state::{Directory, HostProcess, Record, Root};

/// The container whose namespace of a kind is at `path`.
pub(super) fn resident(root: &Root, kind: Kind, path: &Path) -> Option<Resident> {
    let containers = root.list().unwrap_or_default().into_iter();
    let mut records = containers.filter_map(|container| container.read().ok());
    let found = records.find(|record| record.lives() && has(record, kind, path))?;
    Some(Resident {
        id: found.id,
        sandbox: found.sandbox,
    })
}

/// By the name that the namespace has below the process that callers know; or because it is
/// the Sentry's own, or the one that the Sentry has taken the network of.
fn has(record: &Record, kind: Kind, path: &Path) -> bool {
    let file = match kind {
        Kind::Pid => "pid",
        Kind::Ipc => "ipc",
        Kind::Uts => "uts",
        Kind::Network => "net",
        Kind::Mount | Kind::User | Kind::Cgroup | Kind::Time => return false,
    };
    let Some(process) = record.sentry else {
        return false;
    };
    let own = format!("/proc/{}/ns/{file}", process.pid);
    let own = Path::new(&own);
    let is_same = |own: &Path| match (own.metadata(), path.metadata()) {
        (Ok(own), Ok(path)) => (own.dev(), own.ino()) == (path.dev(), path.ino()),
        _ => false,
    };
    let network = record.network.as_deref().filter(|_| kind == Kind::Network);
    own == path || record.sandbox.is_none() && is_same(network.unwrap_or(own))
}

/// Makes the container in the sandbox of `first`; the process that stands for it, and its
/// Gofer. Its first process waits for its start.
pub(super) fn join(
    first: &Directory,
    plan: Plan<'_>,
    membership: &Membership,
    terminal: Option<OwnedFd>,
) -> Outcome<(Option<HostProcess>, Option<HostProcess>)> {
    let id = plan.id;
    let no_sandbox = || format!("the sandbox {} of container {id}", membership.sandbox);
    let (record, _) = first.status().context(no_sandbox())?;
    if let Some(sandbox) = record.sandbox {
        return Err(Failure::new(format!(
            "{}: it lives in the sandbox {sandbox} itself",
            no_sandbox()
        )));
    }
    let mut client = Client::connect(first).context(no_sandbox())?;
    let memory = client.memory()?;
    let resized = terminal.as_ref().map(|_| files::bell()).transpose()?;
    let (gofer, channel) = sandbox::start_gofer(&plan, memory.as_fd())?;
    let gofer = HostProcess::find(gofer);
    let mut fds = vec![channel.region, channel.socket];
    fds.extend(plan.control);
    let oom_listener = plan.oom_listener.is_some();
    fds.extend(plan.oom_listener);
    fds.extend(files::standard(terminal.as_ref().zip(resized.as_ref()))?);
    fds.extend(plan.extra);
    let request = CreateRequest {
        name: id.to_owned(),
        config: plan.container.config,
        shared: membership.shared.clone(),
        oom_listener,
        terminal: match terminal {
            Some(_) => Terminal::Yes,
            None => Terminal::No,
        },
    };
    // Callers put interfaces into the network namespace of the process that they know: that
    // must not be the host's.
    let namespaces = match membership.shared.network {
        None if nix::unistd::geteuid().is_root() => CloneFlags::CLONE_NEWNET,
        _ => CloneFlags::empty(),
    };
    let made = client.create(request, &fds).and_then(|connection| {
        let terminal = terminal.zip(resized);
        sandbox::hand_over(id, connection, terminal, plan.cgroup.as_ref(), namespaces)
    });
    match made {
        Ok(pid) => Ok((HostProcess::find(pid), gofer)),
        Err(failure) => {
            if let Some(gofer) = gofer {
                gofer.kill();
            }
            Err(failure)
        }
    }
}
