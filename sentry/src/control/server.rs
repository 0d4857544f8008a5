//! The side of the control socket that answers.

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::attend::Bell;
use super::message::{Answer, ExecRequest, Limits, Phase, Request, Target, Terminal};
use super::wire::Connection;
use super::{attend, debug, member, processes, ready, stats};
use crate::boot::{Attended, Container, Execed, Sandbox, Stdio};
use crate::cgroup;
use crate::signal::Signal;
use crate::tty::HostTerminal;

/// Host stack of a connection's thread, bytes.
const STACK: usize = 256 << 10;
/// Connections at once: one for each process that was started from outside, and then some.
const MAX_CONNECTIONS: usize = 1024;
/// How long running processes may take to leave application code.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts to answer whoever connects to `listener`, a listening Unix stream socket that does
/// not block, about `container`, until that ends.
pub fn serve(
    sandbox: Arc<Sandbox>,
    container: Arc<Container>,
    listener: OwnedFd,
) -> std::io::Result<()> {
    let listener = UnixListener::from(listener);
    let count = Arc::new(AtomicUsize::new(0));
    let bell = Arc::new(Bell::new()?);
    let registration = container.tell(bell.clone());
    let accept = move || {
        let _registration = registration;
        while !container.has_ended() {
            let mut fds = [
                PollFd::new(listener.as_fd(), PollFlags::POLLIN),
                PollFd::new(bell.0.as_fd(), PollFlags::POLLIN),
            ];
            if let Err(errno) = poll(&mut fds, PollTimeout::NONE) {
                log::debug!("control socket: {errno}");
            }
            match listener.accept() {
                Ok((socket, _)) => admit(&sandbox, &container, socket.into(), &count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
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

fn admit(
    sandbox: &Arc<Sandbox>,
    container: &Arc<Container>,
    socket: OwnedFd,
    count: &Arc<AtomicUsize>,
) {
    if count.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
        log::warn!("control socket: more than {MAX_CONNECTIONS} connections");
        return;
    }
    let here = Here::new(count);
    let (sandbox, container) = (sandbox.clone(), container.clone());
    let run = move || {
        let _here = here;
        converse(&sandbox, &container, Connection::new(socket));
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
fn converse(sandbox: &Arc<Sandbox>, container: &Arc<Container>, mut connection: Connection) {
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
            Request::Exec(exec) => match start(container, *exec, fds) {
                Ok(process) => return attend::attend(connection, &process),
                Err(reason) => Answer::Failed(reason),
            },
            Request::Create(request) => match member::create(sandbox, *request, fds) {
                Ok((name, member)) => {
                    attend::attend(connection, &*member);
                    return sandbox.remove(&name);
                }
                Err(reason) => Answer::Failed(reason),
            },
            Request::Memory => {
                let memory = sandbox.kernel().memory.as_fd();
                if connection.send(&Answer::Memory, &[memory]).is_err() {
                    return;
                }
                continue;
            }
            Request::Network(network) => match sandbox.kernel().internet.open(*network, fds) {
                Ok(()) => Answer::Done,
                Err(errno) => Answer::Failed(format!("the container's network: {errno}")),
            },
            Request::StartAndTell => ready::start(container, &connection),
            request => answer(container, &request),
        };
        if connection.send(&answer, &[]).is_err() {
            return;
        }
    }
}

fn answer(container: &Container, request: &Request) -> Answer {
    match *request {
        Request::Start => match container.start() {
            true => Answer::Done,
            false => Answer::Failed("it is started already".to_owned()),
        },
        Request::Phase => Answer::Phase(phase(container)),
        Request::Signal(target, number) => match (Signal::new(number), target) {
            (Ok(signal), Target::First) => {
                container.signal(signal);
                Answer::Done
            }
            (Ok(signal), Target::All) => {
                container.signal_all(signal);
                Answer::Done
            }
            (Ok(_), Target::Own) => Answer::Failed("no process was started here".to_owned()),
            (Err(_), _) => Answer::Failed(format!("{number} is not a signal")),
        },
        Request::Processes => Answer::Processes(processes::list(container)),
        Request::Pause => pause(container),
        Request::Resume => match phase(container) {
            Phase::Paused => {
                container.resume();
                Answer::Done
            }
            _ => Answer::Failed("container not paused".to_owned()),
        },
        Request::Stats => Answer::Stats(stats::of(container)),
        Request::Limit(limits) => {
            limit(container, limits);
            Answer::Done
        }
        Request::Debug => Answer::Debug(debug::text(container.kernel())),
        // Need the descriptors, or the connection.
        Request::Exec(_)
        | Request::Create(_)
        | Request::Network(_)
        | Request::Memory
        | Request::StartAndTell => Answer::Failed("not a single request".to_owned()),
    }
}

fn phase(container: &Container) -> Phase {
    if container.is_waiting() {
        Phase::Created
    } else if container.is_paused() {
        Phase::Paused
    } else {
        Phase::Running
    }
}

fn limit(container: &Container, limits: Limits) {
    if let Some(bytes) = limits.memory {
        container.set_memory_limit(bytes);
    }
    let group = container.group();
    if let Some(tasks) = limits.tasks {
        group.set_pids_max(tasks);
    }
    let mut cpu = group.limits.cpu();
    if let Some(quota) = limits.cpu_quota {
        cpu.quota = Some(quota).filter(|quota| *quota != cgroup::MAX);
    }
    cpu.period = limits.cpu_period.unwrap_or(cpu.period);
    group.limits.set_cpu(cpu);
}

fn pause(container: &Container) -> Answer {
    if phase(container) != Phase::Running {
        return Answer::Failed("container not running".to_owned());
    }
    container.pause();
    let patience = Instant::now() + PATIENCE;
    while !container.is_still() {
        if Instant::now() > patience {
            container.resume();
            return Answer::Failed("its processes do not stop".to_owned());
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    container.flush();
    Answer::Done
}

/// Starts a process, if all that is asked for makes sense.
fn start(container: &Container, exec: ExecRequest, fds: Vec<OwnedFd>) -> Result<Execed, String> {
    match phase(container) {
        Phase::Running | Phase::Created => {}
        Phase::Paused => return Err("cannot exec in a paused container (use resume)".to_owned()),
    }
    let stdio = stdio(exec.terminal, fds.into_iter())?;
    let process = container.exec(exec.process, stdio);
    process.map_err(|error| error.to_string())
}

/// What descriptors that came along are to a process.
pub(super) fn stdio(
    terminal: Terminal,
    mut fds: impl Iterator<Item = OwnedFd>,
) -> Result<Stdio, String> {
    match terminal {
        Terminal::No => Ok(Stdio::Host(fds.collect())),
        Terminal::Yes => {
            let (Some(terminal), Some(resized)) = (fds.next(), fds.next()) else {
                return Err("a terminal was not handed over".to_owned());
            };
            if nix::sys::termios::tcgetattr(terminal.as_fd()).is_err() {
                return Err("what was handed over is not a terminal".to_owned());
            }
            let terminal = HostTerminal { terminal, resized };
            Ok(Stdio::Terminal(terminal, fds.collect()))
        }
    }
}
