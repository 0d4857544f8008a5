//! The first process.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crossbeam_channel::Sender;
use platform::Regs;
use syscalls::abi::fs::OpenFlags;
use syscalls::errno::{EACCES, EAGAIN, ENOENT, ENOEXEC, ENOMEM, ENOTDIR, EPERM};
use syscalls::{Errno, Fd, Stop};

use super::mounts::{self, Trees};
use super::{BootError, Stdio};
use crate::config::ProcessConfig;
use crate::fd::{CloseOnExec, FdTable};
use crate::fs::gofer::WriteBack;
use crate::fs::host;
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::signal::{SigSet, SignalHandlers};
use crate::task::{
    Capabilities, Credentials, Current, FsContext, Limits, NewGroup, NewTask, Resource, Session,
    Strings, Task, ThreadGroup, UserIds, run,
};
use crate::tty::{Console, HostTerminal, Master};
use crate::vfs::open::Opening;
use crate::vfs::{File, SetAttr, Walking};

/// What the first process is made with.
pub(super) struct First {
    pub(super) kernel: Arc<Kernel>,
    pub(super) gofer: gofer::Client,
    pub(super) write_back: WriteBack,
    pub(super) stdio: Stdio,
}

/// The process and its console, if it has one.
type Made = (Arc<ThreadGroup>, Option<Console>);
type Report = Sender<Result<Made, BootError>>;

fn host_error(what: &'static str) -> impl Fn(Errno) -> BootError {
    move |errno| BootError::Host { what, errno }
}

impl First {
    /// Makes and runs the process on a thread of its own, which reports how that went.
    pub(super) fn spawn(self, report: Report) -> Result<(), BootError> {
        let live = move || {
            let made = self.make();
            match made {
                Ok((mut current, console)) => {
                    // Without a listener the sandbox was given up.
                    let _ = report.send(Ok((current.group.clone(), console)));
                    drop(report);
                    current.run();
                    current.exit();
                }
                Err(error) => drop(report.send(Err(error))),
            }
        };
        run::spawn_host_thread(live).map_err(|error| BootError::Host {
            what: "a host thread",
            errno: error.into(),
        })
    }

    /// Everything but running it.
    fn make(self) -> Result<(Current, Option<Console>), BootError> {
        let trees = Trees {
            kernel: &self.kernel,
            gofer: &self.gofer,
            write_back: &self.write_back,
        };
        let config = &self.kernel.config;
        let namespace = trees.root(&config.root)?;
        let mut current = self.nobody(FsContext::new(namespace))?;
        mounts::mount_all(&current, &trees)?;
        let process = &config.process;
        let console = match self.stdio {
            Stdio::Host(fds) => {
                give_host_files(&current, fds)?;
                None
            }
            Stdio::Terminal(terminal) => Some(give_terminal(&current, terminal)?),
        };
        set_limits(&current, process)?;
        current.set_credentials(credentials(process));
        let fs = current.fs.get();
        fs.umask.set(process.umask.unwrap_or(0o022) & 0o777);
        enter_directory(&current, process)?;
        start_program(&mut current, process)?;
        {
            let mut tree = self.kernel.pids.lock();
            tree.insert_process(&current.group, None);
            current.group.set_leader(current.task());
            current.group.state().threads.push(current.task().clone());
            tree.insert_task(current.task());
        }
        current.group.set_protected(true);
        Ok((current, console))
    }

    /// A task with all rights and nothing in its memory.
    fn nobody(&self, fs: Arc<FsContext>) -> Result<Current, BootError> {
        let kernel = &self.kernel;
        let limits = crate::mm::Limits::default();
        let mm = Mm::new(&*kernel.platform, &kernel.memory, limits)
            .map_err(host_error("an address space"))?;
        let context = kernel.platform.new_context().map_err(|error| {
            log::error!("{error}");
            host_error("a context")(ENOMEM)
        })?;
        let pid = kernel.pids.allocate();
        let group = ThreadGroup::new(NewGroup {
            pid,
            handlers: Arc::new(SignalHandlers::default()),
            limits: Limits::default(),
            session: Session::new(pid),
            pgid: pid,
            exit_signal: None,
        });
        let creds = Credentials {
            permitted: Capabilities::all(),
            effective: Capabilities::all(),
            bounding: Capabilities::all(),
            ..Credentials::default()
        };
        let task = Task::new(NewTask {
            tid: pid,
            kernel: kernel.clone(),
            group,
            name: b"init"[..].into(),
            creds: Arc::new(creds),
            fs,
            fds: Arc::new(FdTable::default()),
            mm: mm.clone(),
            blocked: SigSet::EMPTY,
        });
        Ok(Current::new(task, mm, Regs::default(), context))
    }
}

fn give_host_files(task: &Current, fds: Vec<OwnedFd>) -> Result<(), BootError> {
    let watcher = host::Watcher::new().map_err(host_error("watching stdin"))?;
    let files = host::open_all(fds, &watcher)
        .map_err(host_error("the descriptors of the first process"))?;
    give_files(task, files).map_err(host_error("descriptors"))
}

/// Makes a terminal, the controlling one, behind the host's.
fn give_terminal(task: &Current, terminal: HostTerminal) -> Result<Console, BootError> {
    let make = || {
        let pty = task.kernel.ptys.create(&task.kernel)?;
        let name = format!("/dev/pts/{}", pty.index);
        let master = Master::new(pty);
        master.unlock();
        let opening = Opening::lenient(OpenFlags::RDWR, 0)?;
        let slave = match task.open_at(Fd::CWD, name.as_bytes(), &opening) {
            Ok(slave) => slave,
            Err(Stop::Errno(errno)) => return Err(errno),
            Err(_) => return Err(EAGAIN),
        };
        let process = &task.kernel.config.process;
        slave.inode().set_attr(&SetAttr {
            uid: Some(process.uid),
            ..SetAttr::default()
        })?;
        mounts::show_console(task, name.as_bytes())?;
        // The size is known before the program asks for it.
        let console = Console::attach(master, terminal)?;
        give_files(task, vec![slave.clone(), slave.clone(), slave])?;
        Ok(console)
    };
    make().map_err(host_error("a terminal (it needs a devpts on /dev/pts)"))
}

/// Puts files at descriptors 0, 1, 2 …
fn give_files(task: &Current, files: Vec<Arc<File>>) -> Result<(), Errno> {
    for file in files {
        task.reserve_fd()?.fill(file, CloseOnExec::No);
    }
    Ok(())
}

fn set_limits(task: &Current, process: &ProcessConfig) -> Result<(), BootError> {
    for &(resource, cur, max) in &process.rlimits {
        let resource = Resource::new(resource).map_err(host_error("rlimits"))?;
        let limit = syscalls::abi::sched::Rlimit { cur, max };
        let set = task.group.limits.update(resource, |_| Ok(limit));
        set.map_err(host_error("rlimits"))?;
    }
    Ok(())
}

/// What the process has before it executes its program.
fn credentials(process: &ProcessConfig) -> Credentials {
    let caps = &process.capabilities;
    let set = Capabilities::from_bits_truncate;
    let permitted = set(caps.permitted);
    let inheritable = set(caps.inheritable);
    Credentials {
        uid: UserIds::all(process.uid),
        gid: UserIds::all(process.gid),
        groups: process.groups.clone(),
        permitted,
        effective: set(caps.effective) & permitted,
        inheritable,
        bounding: set(caps.bounding),
        ambient: set(caps.ambient) & permitted & inheritable,
        no_new_privs: process.no_new_privs,
        ..Credentials::default()
    }
}

fn enter_directory(task: &Current, process: &ProcessConfig) -> Result<(), BootError> {
    let path: &[u8] = if process.cwd.is_empty() {
        b"/"
    } else {
        &process.cwd
    };
    let at = task
        .walk(path, Walking::FOLLOW | Walking::DIRECTORY)
        .map_err(|errno| BootError::WorkingDirectory {
            path: String::from_utf8_lossy(path).into_owned(),
            errno,
        })?;
    task.fs.get().cwd.set(at);
    Ok(())
}

/// Where programs are looked for without `PATH`.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Finds a program as execvpe(3) does: its path, and the opened file.
fn find_program(
    task: &Current,
    name: &[u8],
    env: &[Vec<u8>],
) -> Result<(Vec<u8>, Arc<File>), Errno> {
    let open = |path: &[u8]| task.open_program(task.walk_at(Fd::CWD, path, Walking::FOLLOW)?);
    if name.contains(&b'/') {
        return Ok((name.to_vec(), open(name)?));
    }
    let path = env.iter().find_map(|var| var.strip_prefix(b"PATH="));
    let mut result = ENOENT;
    for dir in path.unwrap_or(DEFAULT_PATH).split(|&b| b == b':') {
        let dir: &[u8] = if dir.is_empty() { b"." } else { dir };
        let path = [dir, b"/", name].concat();
        match open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(EACCES) => result = EACCES,
            Err(ENOENT | ENOTDIR) => {}
            Err(error) => return Err(error),
        }
    }
    Err(result)
}

fn start_program(task: &mut Current, process: &ProcessConfig) -> Result<(), BootError> {
    let name = process.args.first().cloned().unwrap_or_default();
    let failed = |errno: Errno| {
        let reason = match errno {
            ENOENT if !name.contains(&b'/') => "executable file not found in $PATH".to_owned(),
            ENOENT => "no such file or directory".to_owned(),
            EACCES | EPERM => "permission denied".to_owned(),
            ENOEXEC => "exec format error".to_owned(),
            _ => errno.text().to_lowercase(),
        };
        BootError::Program {
            path: String::from_utf8_lossy(&name).into_owned(),
            reason,
            errno,
        }
    };
    if name.is_empty() {
        return Err(failed(ENOENT));
    }
    let (path, file) = find_program(task, &name, &process.env).map_err(failed)?;
    let strings = Strings {
        argv: process.args.clone(),
        envp: process.env.clone(),
    };
    task.load_and_commit(file, path, strings).map_err(|stop| {
        failed(match stop {
            syscalls::Stop::Errno(errno) => errno,
            _ => EAGAIN,
        })
    })
}
