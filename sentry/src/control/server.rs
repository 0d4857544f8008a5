//! The side of the control socket that answers.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::message::{Answer, ExecRequest, Limits, Phase, Request, Target, Terminal};
use super::wire::Connection;
use super::{attend, debug, processes, stats};
use crate::boot::{Execed, Sandbox, Stdio};
use crate::cgroup;
use crate::kernel::Kernel;
use crate::signal::Signal;
use crate::tty::HostTerminal;

/// Host stack of a connection's thread, bytes.
const STACK: usize = 256 << 10;
/// Connections at once: one for each process that was started from outside, and then some.
const MAX_CONNECTIONS: usize = 1024;
/// How long running processes may take to leave application code.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts to answer whoever connects to `listener`, a listening Unix stream socket.
pub fn serve(sandbox: Arc<Sandbox>, listener: OwnedFd) -> std::io::Result<()> {
    let listener = UnixListener::from(listener);
    let count = Arc::new(AtomicUsize::new(0));
    let accept = move || {
        loop {
            match listener.accept() {
                Ok((socket, _)) => admit(&sandbox, socket.into(), &count),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // Out of descriptors: others come free.
                    log::warn!("control socket: {error}");
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    };
    spawn(accept)
}

fn spawn(run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let builder = std::thread::Builder::new();
    let builder = builder.name("control".to_owned()).stack_size(STACK);
    builder.spawn(run).map(drop)
}

fn admit(sandbox: &Arc<Sandbox>, socket: OwnedFd, count: &Arc<AtomicUsize>) {
    if count.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
        log::warn!("control socket: more than {MAX_CONNECTIONS} connections");
        return;
    }
    let here = Here::new(count);
    let sandbox = sandbox.clone();
    let run = move || {
        let _here = here;
        converse(&sandbox, Connection::new(socket));
    };
    if let Err(error) = spawn(run) {
        log::warn!("control socket: {error}");
    }
}

/// Counts a connection.
struct Here(Arc<AtomicUsize>);

impl Here {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Here(count.clone())
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers until the peer has had enough, or says what makes no sense.
fn converse(sandbox: &Arc<Sandbox>, mut connection: Connection) {
    loop {
        let (request, fds) = match connection.receive() {
            Ok(Some(received)) => received,
            Ok(None) => return,
            Err(errno) => {
                log::warn!("control socket: {errno}");
                return;
            }
        };
        let answer = match request {
            Request::Exec(exec) => match start(sandbox, *exec, fds) {
                Ok(process) => return attend::attend(connection, &process),
                Err(reason) => Answer::Failed(reason),
            },
            Request::Network(network) => match sandbox.kernel().internet.open(*network, fds) {
                Ok(()) => Answer::Done,
                Err(errno) => Answer::Failed(format!("the container's network: {errno}")),
            },
            request => answer(sandbox, &request),
        };
        if connection.send(&answer, &[]).is_err() {
            return;
        }
    }
}

fn answer(sandbox: &Sandbox, request: &Request) -> Answer {
    match *request {
        Request::Start => match sandbox.start() {
            true => Answer::Done,
            false => Answer::Failed("it is started already".to_owned()),
        },
        Request::Phase => Answer::Phase(phase(sandbox)),
        Request::Signal(target, number) => match (Signal::new(number), target) {
            (Ok(signal), Target::First) => {
                sandbox.signal(signal);
                Answer::Done
            }
            (Ok(signal), Target::All) => {
                sandbox.signal_all(signal);
                Answer::Done
            }
            (Ok(_), Target::Own) => Answer::Failed("no process was started here".to_owned()),
            (Err(_), _) => Answer::Failed(format!("{number} is not a signal")),
        },
        Request::Processes => Answer::Processes(processes::list(sandbox.kernel())),
        Request::Pause => pause(sandbox),
        Request::Resume => match phase(sandbox) {
            Phase::Paused => {
                sandbox.kernel().resume();
                Answer::Done
            }
            _ => Answer::Failed("container not paused".to_owned()),
        },
        Request::Stats => Answer::Stats(stats::of(sandbox.kernel())),
        Request::Limit(limits) => {
            limit(sandbox.kernel(), limits);
            Answer::Done
        }
        Request::Debug => Answer::Debug(debug::text(sandbox.kernel())),
        // Needs the descriptors.
        Request::Exec(_) | Request::Network(_) => Answer::Failed("not a single request".to_owned()),
    }
}

fn phase(sandbox: &Sandbox) -> Phase {
    if sandbox.is_waiting() {
        Phase::Created
    } else if sandbox.kernel().pause.is_on() {
        Phase::Paused
    } else {
        Phase::Running
    }
}

fn limit(kernel: &Kernel, limits: Limits) {
    if let Some(bytes) = limits.memory {
        kernel.set_memory_limit(bytes);
    }
    if let Some(tasks) = limits.tasks {
        kernel.cgroup.set_pids_max(tasks);
    }
    let mut cpu = kernel.cgroup.limits.cpu();
    if let Some(quota) = limits.cpu_quota {
        cpu.quota = Some(quota).filter(|quota| *quota != cgroup::MAX);
    }
    cpu.period = limits.cpu_period.unwrap_or(cpu.period);
    kernel.cgroup.limits.set_cpu(cpu);
}

fn pause(sandbox: &Sandbox) -> Answer {
    if phase(sandbox) != Phase::Running {
        return Answer::Failed("container not running".to_owned());
    }
    let kernel = sandbox.kernel();
    kernel.pause();
    let patience = Instant::now() + PATIENCE;
    while !kernel.is_still() {
        if Instant::now() > patience {
            kernel.resume();
            return Answer::Failed("its processes do not stop".to_owned());
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    Answer::Done
}

/// Starts a process, if all that is asked for makes sense.
fn start(sandbox: &Sandbox, exec: ExecRequest, fds: Vec<OwnedFd>) -> Result<Execed, String> {
    match phase(sandbox) {
        Phase::Running | Phase::Created => {}
        Phase::Paused => return Err("cannot exec in a paused container (use resume)".to_owned()),
    }
    let mut fds = fds.into_iter();
    let stdio = match exec.terminal {
        Terminal::No => Stdio::Host(fds.collect()),
        Terminal::Yes => {
            let (Some(terminal), Some(resized)) = (fds.next(), fds.next()) else {
                return Err("a terminal was not handed over".to_owned());
            };
            if nix::sys::termios::tcgetattr(terminal.as_fd()).is_err() {
                return Err("what was handed over is not a terminal".to_owned());
            }
            Stdio::Terminal(HostTerminal { terminal, resized }, fds.collect())
        }
    };
    let process = sandbox.exec(exec.process, stdio);
    process.map_err(|error| error.to_string())
}
