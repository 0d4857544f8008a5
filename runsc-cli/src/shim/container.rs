//! The container: what containerd asks for, done by `runsk`, and told in events.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use containerd_shim::api::{CreateTaskRequest, ExecProcessRequest};
use containerd_shim::protos::events::task::{
    TaskCreate, TaskExecAdded, TaskExecStarted, TaskExit, TaskIO, TaskStart,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::at_work::AtWork;
use super::events::Events;
use super::exit::{Ends, Exit};
use super::fault::{self, Answer, Context};
use super::logger::Owner;
use super::oom::{Fifo, Listener};
use super::options::Options;
use super::process::{Life, Process};
use super::rootfs;
use super::runsk::Runsk;
use super::streams::{self, Names};
use super::terminal::Socket;

/// The file in the bundle with the number of the first process.
pub(crate) const PID_FILE: &str = "init.pid";
/// How long processes may take to end after the container was told to.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    namespace: String,
    pub(super) runsk: Runsk,
    init: Arc<Process>,
    pub(super) execs: Mutex<HashMap<String, Arc<Process>>>,
    pub(super) paused: AtomicBool,
    oom: Mutex<Option<Listener>>,
    pub(super) events: Events,
}

impl Container {
    /// Makes it; its first process waits.
    pub(crate) fn create(
        request: &CreateTaskRequest,
        namespace: &str,
        events: &Events,
    ) -> Answer<Arc<Self>> {
        let bundle = PathBuf::from(&request.bundle);
        let options = Options::new(&request.options)?;
        options.keep(&bundle)?;
        let names = Names {
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
            terminal: request.terminal,
        };
        let container = Arc::new(Container {
            runsk: Runsk::new(&options, namespace, &request.id, &bundle)?
                .holding(AtWork::on(&bundle)?),
            id: request.id.clone(),
            namespace: namespace.to_owned(),
            bundle,
            init: Arc::new(Process::new(String::new(), names)),
            execs: Mutex::default(),
            paused: AtomicBool::new(false),
            oom: Mutex::default(),
            events: events.clone(),
        });
        let init = &container.init;
        let order = init.starting();
        let made = rootfs::mount(&container.bundle, &request.rootfs)
            .and_then(|()| container.make_init(&request.bundle));
        if let Err(error) = made {
            rootfs::unmount(&container.bundle);
            return Err(error);
        }
        let mut io = TaskIO::new();
        io.set_stdin(request.stdin.clone());
        io.set_stdout(request.stdout.clone());
        io.set_stderr(request.stderr.clone());
        io.set_terminal(request.terminal);
        let mut event = TaskCreate::new();
        event.set_container_id(request.id.clone());
        event.set_bundle(request.bundle.clone());
        event.set_rootfs(request.rootfs.clone());
        event.set_io(io);
        event.set_pid(init.pid());
        events.publish(event);
        drop(order);
        Ok(container)
    }

    fn make_init(self: &Arc<Self>, bundle: &str) -> Answer<()> {
        let fifo = Fifo::new(&self.bundle)?;
        let path = fifo.path.display().to_string();
        let flags = ["--bundle", bundle, "--oom-fifo", &path];
        self.make(&self.init, "create", &flags, PID_FILE)?;
        let listener = fifo.listen(self.id.clone(), Arc::clone(&self.init), self.events.clone())?;
        *self.oom.lock() = Some(listener);
        Ok(())
    }

    /// Has `runsk` make a process, and from then on waits for its end.
    fn make(
        self: &Arc<Self>,
        process: &Arc<Process>,
        command: &str,
        flags: &[&str],
        pid_file: &str,
    ) -> Answer<()> {
        let pid_file = self.bundle.join(pid_file);
        let ends = Ends::new()?;
        let names = &process.names;
        let owner = Owner {
            id: self.name_of(process),
            namespace: self.namespace.clone(),
        };
        let (pid, held, terminal) = if names.terminal {
            let socket = Socket::new(&self.bundle)?;
            let path = socket.path().display().to_string();
            let flags = [flags, &["--console-socket", &path]].concat();
            let null = streams::Ends::null();
            let pid = self.runsk.make(command, &flags, &pid_file, null)?;
            let terminal = socket.receive()?;
            (pid, terminal.connect(names, &owner)?, Some(terminal))
        } else {
            let (streams, held) = streams::open(names, &owner)?;
            let pid = self.runsk.make(command, flags, &pid_file, streams)?;
            (pid, held, None)
        };
        process.made(pid, held, terminal);
        let (container, process) = (Arc::clone(self), Arc::clone(process));
        let watch = move || container.take_exit(&process, ends.wait(pid));
        let builder = std::thread::Builder::new().name("watch".to_owned());
        builder.spawn(watch).map(drop).context("a thread")
    }

    fn take_exit(&self, process: &Process, exit: Exit) {
        if process.exec_id.is_empty() {
            // All others end with it, and their ends are told first.
            let end = Instant::now() + PATIENCE;
            let execs: Vec<_> = self.execs.lock().values().cloned().collect();
            let running = execs.iter().filter(|exec| exec.pid() != 0);
            running.for_each(|exec| exec.wait_until(end));
        }
        // Its start is told first.
        drop(process.starting());
        if process.exec_id.is_empty() {
            self.oom.lock().iter().for_each(Listener::finish);
        }
        let _order = process.starting();
        let mut event = TaskExit::new();
        event.set_container_id(self.id.clone());
        event.set_id(self.name_of(process));
        event.set_pid(process.pid());
        event.set_exit_status(exit.status);
        event.set_exited_at(exit.at.clone());
        process.ended(exit);
        self.events.publish(event);
    }

    /// containerd's name for a process.
    fn name_of(&self, process: &Process) -> String {
        match process.exec_id.as_str() {
            "" => self.id.clone(),
            id => id.to_owned(),
        }
    }

    /// The process of this name; the first one without.
    pub(crate) fn process(&self, exec_id: &str) -> Answer<Arc<Process>> {
        if exec_id.is_empty() {
            return Ok(Arc::clone(&self.init));
        }
        let found = self.execs.lock().get(exec_id).cloned();
        found.ok_or_else(|| fault::not_found(format_args!("process {exec_id} does not exist")))
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// Runs the program of a process; its number on the host.
    pub(crate) fn start(self: &Arc<Self>, exec_id: &str) -> Answer<u32> {
        let process = self.process(exec_id)?;
        let _order = process.starting();
        if !matches!(process.life(), Life::Created) {
            return Err(fault::not_now("the process was started already"));
        }
        if exec_id.is_empty() {
            self.runsk.ask("start", &[])?;
            process.runs();
            let mut event = TaskStart::new();
            event.set_container_id(self.id.clone());
            event.set_pid(process.pid());
            self.events.publish(event);
        } else {
            let file = self.exec_file(exec_id).display().to_string();
            let flags = ["--process", &file, "--detach"];
            let started = self.make(&process, "exec", &flags, &format!("{exec_id}.pid"));
            if let Err(error) = started {
                process.ended(Exit::now(255));
                return Err(error);
            }
            process.runs();
            let mut event = TaskExecStarted::new();
            event.set_container_id(self.id.clone());
            event.set_exec_id(exec_id.to_owned());
            event.set_pid(process.pid());
            self.events.publish(event);
        }
        Ok(process.pid())
    }

    fn exec_file(&self, exec_id: &str) -> PathBuf {
        self.bundle.join(format!("{exec_id}.process.json"))
    }

    /// Takes note of a further process.
    pub(crate) fn exec(&self, request: &ExecProcessRequest) -> Answer<()> {
        let id = &request.exec_id;
        if id.is_empty() || id.contains('/') {
            return Err(fault::invalid(format_args!("exec id \"{id}\"")));
        }
        if self.is_paused() {
            return Err(fault::not_now(
                "cannot exec in a paused container: resume it",
            ));
        }
        let mut execs = self.execs.lock();
        if execs.contains_key(id) {
            return Err(fault::exists(format_args!("process {id} already exists")));
        }
        const WHAT: &str = "the process to be run";
        let mut spec: Value = serde_json::from_slice(&request.spec.value).context(WHAT)?;
        spec["terminal"] = json!(request.terminal);
        std::fs::write(self.exec_file(id), spec.to_string()).context(WHAT)?;
        let names = Names {
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
            terminal: request.terminal,
        };
        execs.insert(id.clone(), Arc::new(Process::new(id.clone(), names)));
        let mut event = TaskExecAdded::new();
        event.set_container_id(self.id.clone());
        event.set_exec_id(id.clone());
        self.events.publish(event);
        Ok(())
    }

    /// Forgets a process that does not run; with the first one, the container goes.
    pub(crate) fn delete(&self, exec_id: &str) -> Answer<(u32, Exit)> {
        let process = self.process(exec_id)?;
        match (process.life(), exec_id) {
            (Life::Running, _) => return Err(fault::not_now("cannot delete a running process")),
            (_, "") => {
                self.runsk.ask("delete", &["--force"])?;
                process.wait_until(Instant::now() + PATIENCE);
                rootfs::unmount(&self.bundle);
            }
            _ => {
                self.execs.lock().remove(exec_id);
                let _ = std::fs::remove_file(self.exec_file(exec_id));
            }
        }
        process.close();
        let exit = match process.life() {
            Life::Stopped(exit) => exit,
            _ => Exit::now(0),
        };
        Ok((process.pid(), exit))
    }
}
