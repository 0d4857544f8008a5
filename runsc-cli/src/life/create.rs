//! The beginning of a container.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::geteuid;

use super::notify::{self, Manager};
use super::status::state_json;
use super::{Client, Status, clock, delete, files, pod, start};
use crate::cgroup::Cgroup;
use crate::failure::{Failure, Outcome};
use crate::hooks;
use crate::network::Mode;
use crate::sandbox::{self, Options, Plan, Start};
use crate::spec::{self, Container, HostMounts};
use crate::state::{Held, HostProcess, Record, Root};

/// What is to be made.
#[derive(Debug)]
pub(crate) struct Making {
    /// The bundle's directory.
    pub(crate) bundle: PathBuf,
    pub(crate) id: String,
    pub(crate) console_socket: Option<PathBuf>,
    pub(crate) pidfd_socket: Option<PathBuf>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) oom_fifo: Option<PathBuf>,
    pub(crate) preserve_fds: u32,
    pub(crate) overlay: bool,
}

/// A container that has a name and no process yet.
struct Prepared {
    container: Container,
    record: Record,
    held: Held,
}

/// Creates a container. Its program waits for [`start`].
pub(crate) fn create(root: &Root, making: &Making, options: &Options) -> Outcome<()> {
    let Prepared {
        container,
        mut record,
        held,
    } = prepare(root, making, options)?;
    let result = launch(making, options, container, &mut record, &held);
    result.map_err(|failure| {
        let failure = explain(failure, &record);
        if let Some(cgroup) = &record.cgroup {
            let _ = cgroup.delete();
        }
        let _ = held.remove();
        delete::poststop(&record);
        failure
    })
}

/// Makes the container's cgroup. A command that is killed leaves nothing that the next one
/// does not know of: the record names the cgroup first.
fn make_cgroup(
    container: &Container,
    options: &Options,
    record: &mut Record,
    held: &Held,
) -> Outcome<()> {
    let id = record.id.clone();
    let note = |cgroup: &Cgroup| {
        record.cgroup = Some(cgroup.clone());
        held.write(record)
    };
    let made = sandbox::make_cgroup(container, &id, options.cgroup_driver, note);
    // What could not be made is gone again.
    record.cgroup = None;
    record.cgroup = made?;
    Ok(())
}

/// Adds what the host's kernel had to do with it.
fn explain(failure: Failure, record: &Record) -> Failure {
    match &record.cgroup {
        Some(cgroup) => sandbox::explain_by_cgroup(failure, cgroup),
        None => failure,
    }
}

/// All that a container is started with; its cgroup is made.
fn plan<'a>(
    making: &'a Making,
    options: &'a Options,
    mut container: Container,
    record: &mut Record,
    held: &Held,
) -> Outcome<Plan<'a>> {
    let (extra, variables) = files::passed_on(making.preserve_fds)?;
    container.config.process.env.extend(variables);
    make_cgroup(&container, options, record, held)?;
    let listener = making.oom_fifo.as_deref().map(files::listener);
    Ok(Plan {
        container,
        id: &making.id,
        options,
        control: Some(held.listen()?),
        oom_listener: listener.transpose()?,
        extra,
        cgroup: record.cgroup.clone(),
    })
}

fn launch(
    making: &Making,
    options: &Options,
    mut container: Container,
    record: &mut Record,
    held: &Held,
) -> Outcome<()> {
    let terminal = match (container.config.process.terminal, &making.console_socket) {
        (true, Some(socket)) => {
            let (master, slave) = sandbox::open_terminal(container.console_size)?;
            files::send(socket, std::os::fd::AsFd::as_fd(&master), "console socket")?;
            Some(slave)
        }
        (true, None) => {
            return Err(Failure::new(
                "cannot allocate tty if runsk will detach without setting console socket: give \
                 --console-socket, or set process.terminal to false",
            ));
        }
        (false, Some(_)) => {
            return Err(Failure::new(
                "cannot use console socket if runsk will not detach or allocate tty: set \
                 process.terminal to true",
            ));
        }
        (false, None) => None,
    };
    let place = container.hooks_place();
    let membership = container.membership.take();
    let plan = plan(making, options, container, record, held)?;
    if let Some(membership) = membership {
        let sandbox = held.directory().other(&membership.sandbox);
        record.sandbox = Some(membership.sandbox.clone());
        (record.sentry, record.gofer) = pod::join(&sandbox, plan, &membership, terminal)?;
        return settle(making, record, held, &place).inspect_err(|_| {
            // The container ends with the process that stands for it.
            let processes = [record.sentry, record.gofer];
            let _: Vec<_> = processes.iter().flatten().map(HostProcess::kill).collect();
        });
    }
    let running = sandbox::detach(plan, terminal)?;
    (record.sentry, record.gofer) = running.processes();
    let settled = settle(making, record, held, &place).and_then(|()| running.stay());
    settled.map_err(|failure| running.fail(Some(failure)))
}

/// Makes a container known that is ready to run.
fn settle(making: &Making, record: &mut Record, held: &Held, place: &hooks::Place) -> Outcome<()> {
    held.write(record)?;
    create_hooks(record, place)?;
    announce(making, record)?;
    record.creating = false;
    held.write(record)
}

/// The hooks that belong to `create`, in their order.
fn create_hooks(record: &Record, place: &hooks::Place) -> Outcome<()> {
    let Some(hooks) = &record.hooks else {
        return Ok(());
    };
    let state = state_json(record, Status::Creating);
    hooks::run("prestart", hooks.prestart().as_ref(), &state)?;
    hooks::run("createRuntime", hooks.create_runtime().as_ref(), &state)?;
    let create_container = hooks.create_container().as_ref();
    hooks::run_apart("createContainer", create_container, &state, place)
}

/// Tells the caller of the container's process.
fn announce(making: &Making, record: &Record) -> Outcome<()> {
    let pid = record.sentry.map_or(0, |sentry| sentry.pid);
    if let Some(socket) = &making.pidfd_socket {
        files::send_pidfd(socket, pid)?;
    }
    match &making.pid_file {
        Some(file) => files::write_pid(file, pid),
        None => Ok(()),
    }
}

/// What becomes of a container that was run, at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtEnd {
    Remove,
    Keep,
}

/// Creates a container, runs it and waits for its end; its exit status.
pub(crate) fn run(
    root: &Root,
    making: &Making,
    options: &Options,
    at_end: AtEnd,
) -> Outcome<ExitCode> {
    let Prepared {
        container,
        mut record,
        held,
    } = prepare(root, making, options)?;
    let result = run_held(making, options, container, &mut record, held);
    let result = result.map_err(|failure| explain(failure, &record));
    let directory = root.container(&making.id);
    match (result, at_end) {
        (Ok(status), AtEnd::Keep) => Ok(status),
        (result, _) => {
            // Somebody may have deleted it already.
            if let Err(failure) = delete::remove_stopped(&directory, &record) {
                log::debug!("{failure}");
            }
            result
        }
    }
}

fn run_held(
    making: &Making,
    options: &Options,
    container: Container,
    record: &mut Record,
    held: Held,
) -> Outcome<ExitCode> {
    if let Some(membership) = &container.membership {
        return Err(Failure::new(format!(
            "a container in the sandbox of {} is not waited for: use create, or run --detach",
            membership.sandbox
        )));
    }
    let place = container.hooks_place();
    let new_network = container.new_network;
    let plan = plan(making, options, container, record, &held)?;
    // Only what has to happen between the two makes the program wait.
    let manager = Manager::find();
    let begin = match record.hooks {
        Some(_) => Start::OnOrder,
        None if manager.is_some() => Start::OnOrder,
        None if record.network.is_some() => Start::OnOrder,
        // What the namespace is made of comes when the Sentry is there.
        None if options.network == Mode::Host && new_network => Start::OnOrder,
        None => Start::AtOnce,
    };
    let attached = sandbox::attach(plan, begin)?;
    let running = attached.running();
    (record.sentry, record.gofer) = running.processes();
    record.creating = false;
    held.write(record)?;
    let directory = held.directory().clone();
    let ready = match begin {
        Start::OnOrder => running.wait_until_ready().and_then(|()| {
            let rest = || {
                create_hooks(record, &place)?;
                announce(making, record)?;
                let mut client = Client::connect(&directory)?;
                start::connect_network(&mut client, record)?;
                start::start_hooks(&directory, record)?;
                match manager {
                    Some(manager) => {
                        let starting = client.start_and_tell()?;
                        let pid = nix::unistd::getpid().as_raw();
                        std::thread::spawn(move || manager.follow(starting, Some(pid)));
                    }
                    None => running.start()?,
                }
                start::poststart(record)
            };
            rest().map_err(Some)
        }),
        Start::AtOnce => announce(making, record).map_err(Some),
    };
    // From now on other commands may change it.
    drop(held);
    match ready {
        Ok(()) => attached.wait(),
        Err(known) => Err(attached.fail(known)),
    }
}

fn prepare(root: &Root, making: &Making, options: &Options) -> Outcome<Prepared> {
    let mut bundle = spec::load(&making.bundle)?;
    // Further processes have nothing to say to a service manager.
    let process = bundle.spec.process().clone();
    let notify = notify::is_wanted();
    if notify {
        notify::set_up(&mut bundle.spec);
    }
    let mut container = spec::container(&bundle, &HostMounts::default(), &|kind, path| {
        pod::resident(root, kind, path)
    })?;
    container.config.root.overlay |= making.overlay;
    container.config.notify = notify.then(|| notify::SOCKET.into());
    let spec = bundle.spec;
    let rootfs = spec.root().as_ref().map(|root| root.path().clone());
    let record = Record {
        id: making.id.clone(),
        rootfs: absolute(&bundle.dir, &rootfs.unwrap_or_default()),
        bundle: bundle.dir,
        created: clock::now(),
        owner: geteuid().as_raw(),
        annotations: spec
            .annotations()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
        sentry: None,
        gofer: None,
        creating: true,
        hooks: spec.hooks().clone().filter(hooks::any),
        process: process.ok_or_else(|| Failure::new("process is missing"))?,
        network: container.network_path.clone(),
        network_mode: options.network,
        sandbox: None,
        cgroup: None,
    };
    let held = root.create(&record)?;
    Ok(Prepared {
        container,
        record,
        held,
    })
}

fn absolute(bundle: &Path, path: &Path) -> PathBuf {
    let path = bundle.join(path);
    fs::canonicalize(&path).unwrap_or(path)
}
