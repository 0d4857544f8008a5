//! `start`, and the hooks that belong to it.

use std::io::{Seek, Write};
use std::os::fd::OwnedFd;

use nix::sys::memfd::{MFdFlags, memfd_create};
use oci_spec::runtime::Hook;
use sentry::config::ProcessConfig;
use sentry::control::{Answer, ExecRequest, Target, Terminal};

use super::notify::Manager;
use super::status::{state_json, state_value};
use super::{Client, Status};
use crate::failure::{Context, Failure, Outcome};
use crate::hooks;
use crate::network;
use crate::spec;
use crate::state::{Directory, Record};

/// Runs the program of a container that was created.
pub(crate) fn start(container: &Directory) -> Outcome<()> {
    let held = container.hold()?;
    let (record, status) = container.status()?;
    match status {
        Status::Created => {}
        Status::Stopped => {
            return Err(Failure::new("cannot start a container that has stopped"));
        }
        Status::Creating => return Err(Failure::new("the container is still being created")),
        Status::Running | Status::Paused => {
            return Err(Failure::new("cannot start an already running container"));
        }
    }
    let mut client = Client::connect(container)?;
    connect_network(&mut client, &record)?;
    if let Err(failure) = start_hooks(container, &record) {
        // What follows is as if it had ended by itself.
        let _ = client.signal(Target::First, nix::sys::signal::Signal::SIGKILL as i32);
        return Err(failure);
    }
    let manager = Manager::find();
    let starting = match manager {
        Some(_) => Some(client.start_and_tell()?),
        None => client.start().map(|()| None)?,
    };
    poststart(&record).inspect_err(|_| {
        // It may have ended by itself.
        let _ = Client::connect(container).and_then(|mut client| {
            client.signal(Target::First, nix::sys::signal::Signal::SIGKILL as i32)
        });
    })?;
    drop(held);
    if let Some((manager, starting)) = manager.zip(starting) {
        manager.follow(starting, record.sentry.map(|sentry| sentry.pid));
    }
    Ok(())
}

/// Gives the container the network that is prepared for it.
pub(super) fn connect_network(client: &mut Client, record: &Record) -> Outcome<()> {
    let found = network::find(record).map_err(|failure| match network::is_gone(record) {
        true => Failure::new("container not running"),
        false => failure,
    });
    match found? {
        Some(found) => client.network(found),
        None => Ok(()),
    }
}

/// After the program was started.
pub(super) fn poststart(record: &Record) -> Outcome<()> {
    let Some(hooks) = &record.hooks else {
        return Ok(());
    };
    let state = state_json(record, Status::Running);
    hooks::run("poststart", hooks.poststart().as_ref(), &state)
}

/// Runs the hooks that run inside the container before its program does.
pub(super) fn start_hooks(container: &Directory, record: &Record) -> Outcome<()> {
    let hooks = record
        .hooks
        .as_ref()
        .and_then(|h| h.start_container().as_ref());
    for hook in hooks.into_iter().flatten() {
        let path = hook.path().display();
        inside(container, record, hook)
            .context(format_args!("error running startContainer hook {path}"))?;
    }
    Ok(())
}

/// The number of the first process inside.
const FIRST: i32 = 1;

fn inside(container: &Directory, record: &Record, hook: &Hook) -> Outcome<()> {
    use std::os::unix::ffi::OsStrExt;
    let first = spec::process(&record.process)?;
    let strings = |list: &Option<Vec<String>>| -> Vec<Vec<u8>> {
        let list = list.iter().flatten();
        list.map(|text| text.as_bytes().to_vec()).collect()
    };
    let mut args = strings(hook.args());
    let path = hook.path().as_os_str().as_bytes().to_vec();
    if args.is_empty() {
        args.push(path.clone());
    }
    let process = ProcessConfig {
        args,
        program: Some(path),
        env: strings(hook.env()),
        terminal: false,
        ..first
    };
    // As the container sees it.
    let mut state = state_value(record, Status::Created);
    state["pid"] = FIRST.into();
    let stdin = in_memory(&state.to_string())?;
    let null = || std::fs::File::options().write(true).open("/dev/null");
    let stdout = OwnedFd::from(null().context("/dev/null")?);
    let stderr = OwnedFd::from(null().context("/dev/null")?);
    let exec = ExecRequest {
        process,
        terminal: Terminal::No,
    };
    let mut connection = Client::connect(container)?.exec(exec, &[stdin, stdout, stderr])?;
    // Without an end there is no success. A hook that takes too long dies with the connection.
    if let Some(seconds) = hook.timeout() {
        use nix::sys::time::TimeValLike;
        let timeout = nix::sys::time::TimeVal::seconds(seconds);
        nix::sys::socket::setsockopt(
            &connection.socket(),
            nix::sys::socket::sockopt::ReceiveTimeout,
            &timeout,
        )
        .context("timeout")?;
    }
    match connection.receive::<Answer>() {
        Ok(Some((Answer::Exited(0), _))) => Ok(()),
        Ok(Some((Answer::Exited(status), _))) => Err(Failure::new(format!("exit status {status}"))),
        Err(syscalls::errno::EAGAIN) => Err(Failure::new("it took longer than its timeout")),
        _ => Err(Failure::new("the container ended")),
    }
}

/// A file that holds `text`, as stdin.
fn in_memory(text: &str) -> Outcome<OwnedFd> {
    let file = memfd_create(c"runsk-state", MFdFlags::MFD_CLOEXEC).context("a file in memory")?;
    let mut file = std::fs::File::from(file);
    file.write_all(text.as_bytes())
        .context("a file in memory")?;
    file.rewind().context("a file in memory")?;
    Ok(file.into())
}
