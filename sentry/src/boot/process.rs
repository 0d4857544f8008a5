//! Making a process that no other process is the parent of: the first one, and those that
//! are started from outside.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::bounded;
use platform::Regs;
use syscalls::abi::fs::OpenFlags;
use syscalls::errno::{EACCES, EAGAIN, EIO, ENODEV, ENOENT, ENOEXEC, ENOMEM, ENOTDIR, EPERM};
use syscalls::{Errno, Fd, Stop};

use super::mounts;
use super::{BootError, Home, Stdio};
use crate::config::{ProcessConfig, SettingsConfig};
use crate::fd::{CloseOnExec, FdTable};
use crate::fs::{devpts, host};
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::signal::{SigSet, SignalHandlers};
use crate::task::{
    Capabilities, Credentials, Current, FsContext, Limits, NewGroup, NewTask, Numbers, Resource,
    Session, Strings, Task, ThreadGroup, UserIds, host_thread,
};
use crate::time::cpu_limit;
use crate::tty::{Console, HostTerminal, Master};
use crate::vfs::open::Opening;
use crate::vfs::{File, SetAttr, Walking};

/// Where a process's terminal is shown, apart from /dev/pts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// As /dev/console too.
    Console,
    /// Nowhere else.
    PtsOnly,
}

pub(super) fn host_error(what: &'static str) -> impl Fn(Errno) -> BootError {
    move |errno| BootError::Host { what, errno }
}

/// Makes a process on a host thread of its own, and runs it there after `wait`. Returns when
/// it is made, with what else `make` has made.
pub(super) fn spawn<T: Send + 'static>(
    make: impl FnOnce() -> Result<(Current, T), BootError> + Send + 'static,
    wait: impl FnOnce() + Send + 'static,
) -> Result<(Arc<ThreadGroup>, T), BootError> {
    let (report, reported) = bounded(1);
    let live = move || match make() {
        Ok((mut current, beside)) => {
            // Without a listener the sandbox was given up.
            let _ = report.send(Ok((current.group.clone(), beside)));
            drop(report);
            wait();
            current.run();
            current.exit();
        }
        Err(error) => drop(report.send(Err(error))),
    };
    host_thread::spawn(live).map_err(|error| BootError::Host {
        what: "a host thread",
        errno: error.into(),
    })?;
    // The other side is dropped unsent only if the thread died.
    let lost = |_| host_error("starting the process")(EIO);
    reported.recv().map_err(lost)?
}

/// Gives a process its descriptors, limits, credentials and working directory; its terminal,
/// if it has one.
pub(super) fn furnish(
    task: &Current,
    process: &ProcessConfig,
    stdio: Stdio,
    place: Place,
) -> Result<Option<Console>, BootError> {
    let console = match stdio {
        Stdio::Host(fds) => {
            give_host_files(task, fds)?;
            None
        }
        Stdio::Terminal(terminal, others) => {
            let console = give_terminal(task, process, terminal, place)?;
            give_host_files(task, others)?;
            Some(console)
        }
    };
    set_limits(task, process)?;
    apply_settings(task, &process.settings);
    task.set_credentials(credentials(process));
    let fs = task.fs.get();
    fs.umask.set(process.umask.unwrap_or(0o022) & 0o777);
    enter_directory(task, process)?;
    Ok(console)
}

/// Makes the process findable. It has no parent.
pub(super) fn publish(task: &Current) {
    let mut tree = task.kernel.pids.lock();
    tree.insert_process(&task.group, None);
    task.group.set_leader(task.task());
    task.group.state().threads.push(task.task().clone());
    tree.insert_task(task.task());
}

/// A task with all rights and nothing in its memory.
pub(super) fn nobody(
    kernel: &Arc<Kernel>,
    home: &Home,
    numbers: &Arc<Numbers>,
    fs: Arc<FsContext>,
) -> Result<Current, BootError> {
    let limits = crate::mm::Limits::default();
    let memory = kernel.memory_of(&home.group);
    let mm = Mm::nowhere(&*kernel.platform, &memory, limits);
    let context = kernel.platform.new_context().map_err(|error| {
        log::error!("{error}");
        host_error("a context")(ENOMEM)
    })?;
    let pid = numbers.kernel();
    let group = ThreadGroup::new(NewGroup {
        numbers: numbers.clone(),
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
        numbers: numbers.clone(),
        kernel: kernel.clone(),
        group,
        name: b"init"[..].into(),
        creds: Arc::new(creds),
        fs,
        fds: Arc::new(FdTable::default()),
        mm: mm.clone(),
        blocked: SigSet::EMPTY,
    });
    let current = Current::new(task, mm, Regs::default(), context);
    home.take_in(&current);
    Ok(current)
}

fn give_host_files(task: &Current, fds: Vec<OwnedFd>) -> Result<(), BootError> {
    if fds.is_empty() {
        return Ok(());
    }
    let watcher = task.kernel.host_watcher();
    let watcher = watcher.map_err(host_error("watching stdin"))?;
    let files = host::open_all(fds, &watcher)
        .map_err(host_error("the descriptors of the first process"))?;
    give_files(task, files).map_err(host_error("descriptors"))
}

/// Makes a terminal, the controlling one, behind the host's.
fn give_terminal(
    task: &Current,
    process: &ProcessConfig,
    terminal: HostTerminal,
    place: Place,
) -> Result<Console, BootError> {
    let make = || {
        let devpts = task.walk(b"/dev/pts", Walking::FOLLOW)?;
        let instance = devpts::instance(&devpts).ok_or(ENODEV)?;
        let pty = task.kernel.ptys.create(task, instance)?;
        let name = format!("/dev/pts/{}", pty.index);
        let master = Master::new(pty);
        master.unlock();
        let opening = Opening::lenient(OpenFlags::RDWR, 0)?;
        let slave = match task.open_at(Fd::CWD, name.as_bytes(), &opening) {
            Ok(slave) => slave,
            Err(Stop::Errno(errno)) => return Err(errno),
            Err(_) => return Err(EAGAIN),
        };
        slave.inode().set_attr(&SetAttr {
            uid: Some(process.uid),
            ..SetAttr::default()
        })?;
        if place == Place::Console {
            mounts::show_console(task, name.as_bytes())?;
        }
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

fn apply_settings(task: &Current, config: &SettingsConfig) {
    task.change_settings(|settings| {
        settings.nice = config.nice;
        settings.policy = config.policy;
        settings.priority = config.priority;
        settings.reset_on_fork = config.reset_on_fork;
        settings.io_priority = config.io_priority;
        settings.personality = config.personality;
    });
    let worst_case = &task.group.worst_case;
    for number in [&worst_case.oom_score_adj, &worst_case.oom_score_adj_min] {
        number.store(config.oom_score_adj, Ordering::Relaxed);
    }
}

fn set_limits(task: &Current, process: &ProcessConfig) -> Result<(), BootError> {
    for &(resource, cur, max) in &process.rlimits {
        let resource = Resource::new(resource).map_err(host_error("rlimits"))?;
        let limit = syscalls::abi::sched::Rlimit { cur, max };
        let set = task.group.limits.update(resource, |_| Ok(limit));
        set.map_err(host_error("rlimits"))?;
        if resource == Resource::Cpu {
            cpu_limit::enforce(&task.kernel, &task.group);
        }
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

/// Loads the program: what the process runs as soon as it runs at all.
pub(super) fn load(task: &mut Current, process: &ProcessConfig) -> Result<(), BootError> {
    let name = process.program.as_ref().or(process.args.first());
    let name = name.cloned().unwrap_or_default();
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
    // Where runc does it: what comes next is execve(2), under the profile.
    if let Some(profile) = &process.seccomp {
        task.start_under(profile).map_err(failed)?;
    }
    let strings = Strings {
        argv: process.args.clone(),
        envp: process.env.clone(),
    };
    task.load_and_commit(file, path, strings).map_err(|stop| {
        failed(match stop {
            Stop::Errno(errno) => errno,
            _ => EAGAIN,
        })
    })
}
