//! How the shim comes and goes.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use containerd_shim::cgroup::{add_task_to_cgroup, adjust_oom_score};
use containerd_shim::protos::protobuf::Message;
use containerd_shim::protos::protobuf::well_known_types::any::Any;
use containerd_shim::publisher::RemotePublisher;
use containerd_shim::util::{read_address, read_pid_from_file, timestamp, write_address};
use containerd_shim::{Config, DeleteResponse, Error, ExitSignal, Flags, Result, StartOpts, spawn};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setpgid};

use super::at_work;
use super::container::PID_FILE;
use super::events::Events;
use super::fault;
use super::options::Options;
use super::rootfs;
use super::runsk::Runsk;
use super::task::Service;

/// 128 + SIGKILL: what is said of a process whose end nobody saw.
const KILLED: u32 = 137;

pub(crate) struct Shim {
    id: String,
    namespace: String,
    bundle: PathBuf,
    exit: Arc<ExitSignal>,
    events: OnceLock<Events>,
}

impl containerd_shim::Shim for Shim {
    type T = Service;

    fn new(_: &str, flags: &Flags, _: &mut Config) -> Self {
        // containerd runs all three of us in the bundle.
        let bundle = match flags.bundle.as_str() {
            "" => std::env::current_dir().unwrap_or_default(),
            bundle => PathBuf::from(bundle),
        };
        Shim {
            id: flags.id.clone(),
            namespace: flags.namespace.clone(),
            bundle,
            exit: Arc::default(),
            events: OnceLock::new(),
        }
    }

    fn start_shim(&mut self, opts: StartOpts) -> Result<String> {
        let options = sent()?;
        let grouping = opts.id.clone();
        let (pid, address) = spawn(opts, &grouping, Vec::new())?;
        settle(&options, pid, &address).inspect_err(|_| {
            // Nobody would ever tell it to end.
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
            remove_socket(&address);
        })?;
        Ok(address)
    }

    fn delete_shim(&mut self) -> Result<DeleteResponse> {
        at_work::wait_until_nobody_is(&self.bundle);
        let options = Options::kept(&self.bundle);
        let runsk = Runsk::new(&options, &self.namespace, &self.id, &self.bundle);
        if let Err(error) = runsk.and_then(|runsk| runsk.ask("delete", &["--force"])) {
            // What else is left must go all the same. containerd puts it into its log.
            eprintln!("{}: {}", self.id, fault::text(&error));
        }
        rootfs::unmount(&self.bundle);
        remove_own_socket();
        let mut response = DeleteResponse::new();
        response.set_exit_status(KILLED);
        response.set_exited_at(timestamp()?);
        if let Ok(pid) = read_pid_from_file(&self.bundle.join(PID_FILE)) {
            response.set_pid(pid.cast_unsigned());
        }
        Ok(response)
    }

    fn wait(&mut self) {
        self.exit.wait();
        if let Some(events) = self.events.get() {
            events.flush();
        }
        // containerd removes the bundle as soon as we are gone, and with it the address.
        remove_own_socket();
    }

    fn create_task_service(&self, _: RemotePublisher) -> Service {
        // What is typed at containerd's terminal is not for us.
        let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
        let address = std::env::var("TTRPC_ADDRESS").unwrap_or_default();
        let new = || Events::new(address, self.namespace.clone());
        let events = self.events.get_or_init(new).clone();
        Service::new(self.namespace.clone(), events, Arc::clone(&self.exit))
    }
}

/// What containerd writes to stdin.
fn sent() -> Result<Options> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.map_err(|err| Error::IoError {
        context: "stdin".to_owned(),
        err,
    })?;
    let options = Options::new(&Any::parse_from_bytes(&bytes)?);
    options.map_err(|error| Error::Other(fault::text(&error)))
}

/// What belongs to a server that was started.
fn settle(options: &Options, pid: u32, address: &str) -> Result<()> {
    write_address(address)?;
    if !options.shim_cgroup.is_empty() {
        add_task_to_cgroup(&options.shim_cgroup, pid)?;
    }
    adjust_oom_score(pid)
}

fn remove_own_socket() {
    if let Ok(address) = read_address() {
        remove_socket(&address);
    }
}

fn remove_socket(address: &str) {
    let path = address.strip_prefix("unix://").unwrap_or(address);
    // It may be gone.
    let _ = std::fs::remove_file(path);
}
