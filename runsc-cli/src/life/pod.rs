//! A container that lives in the sandbox of another one.
//!
//! Its files are served by a Gofer of its own; the process that stands for it outside waits
//! for its end, as one of `exec --detach` does for a process.

use std::os::fd::{AsFd, OwnedFd};

use sentry::control::{CreateRequest, Terminal};

use super::{Client, files};
use crate::failure::{Context, Failure, Outcome};
use crate::sandbox::{self, Plan};
use crate::spec::Membership;
use crate::state::{Directory, HostProcess};

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
    fds.extend(files::standard(terminal.as_ref().zip(resized.as_ref()))?);
    fds.extend(plan.extra);
    let request = CreateRequest {
        name: id.to_owned(),
        config: plan.container.config,
        shared: membership.shared,
        terminal: match terminal {
            Some(_) => Terminal::Yes,
            None => Terminal::No,
        },
    };
    let made = client.create(request, &fds).and_then(|connection| {
        let terminal = terminal.zip(resized);
        sandbox::hand_over(id, connection, terminal, plan.cgroup.as_ref())
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
