//! The Sentry's process.

use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;

use ::gofer::Client;
use nix::sys::signal::{SigSet, Signal as HostSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use platform::host::caps::Caps;
use platform::host::image;
use platform::kvm::KvmPlatform;
use platform::ptrace::PtracePlatform;
use platform::seccomp::sentry::{For, rows};
use platform::seccomp::{Otherwise, Program};
use platform::systrap::SystrapPlatform;
use platform::{MemoryFile, Platform};
use sentry::boot::{self, Attended, Boot, Sandbox, Stdio};
use sentry::signal::Signal;
use sentry::tty::HostTerminal;

use super::boot::{Inherited, Lifetime, PlatformKind, SentryBoot, Start};
use super::gofer::ClientEnd;
use super::jail;
use super::supervisor::{self, Order, Report};
use crate::failure::{Context, Failure, Outcome};
use crate::log_file;

const GOFER_IS_GONE: &str = "Gofer broken pipe: it is gone";

/// main of `runsk-sentry`.
pub(crate) fn main() -> ExitCode {
    super::child_main(c"runsk-sentry", serve)
}

fn serve(mut inherited: Inherited<SentryBoot>, supervisor: &OwnedFd) -> Outcome<ExitCode> {
    let log = inherited.boot.log.file;
    let log = log.map(|index| inherited.fd(index)).transpose()?;
    log_file::start(inherited.boot.log.settings, log);

    jail::leave_network()?;
    jail::empty_root()?;
    jail::lock(Caps::empty())?;
    let lifetime = inherited.boot.lifetime;
    if lifetime == Lifetime::WithCommand {
        jail::end_with_parent(supervisor)?;
    }

    let terminal = inherited.boot.config.process.terminal;
    let resized = terminal.then(window_changes).transpose()?;
    // While the process is small and has but one thread: the platform makes copies of it.
    let memory = MemoryFile::adopt(inherited.fd(inherited.boot.memory)?);
    let memory = memory.context("the sandbox's memory")?;
    let (platform, rows) = platform(&mut inherited, &memory)?;
    let sockets = inherited.boot.sockets;
    let sockets = sockets.map(|index| inherited.fd(index)).transpose()?;
    let of_sockets = match sockets {
        Some(_) => platform::seccomp::sockets::rows(),
        None => Vec::new(),
    };
    let rows = [
        rows.as_slice(),
        &of_sockets,
        ::gofer::client::seccomp_rows(),
        jail::COMMON,
    ]
    .concat();
    let program = Program::compile_with_threads(&rows, Otherwise::Trap);
    jail::filter("Sentry", program, supervisor)?;

    let extra = std::mem::take(&mut inherited.boot.extra);
    let extra = extra.into_iter().map(|index| inherited.fd(index));
    let stdio = stdio(resized, extra.collect::<Outcome<_>>()?)?;
    let control = inherited.boot.control;
    let control = control.map(|index| inherited.fd(index)).transpose()?;
    let oom_listener = inherited.boot.oom_listener;
    let oom_listener = oom_listener.map(|index| inherited.fd(index)).transpose()?;
    let start = inherited.boot.start;
    let gofer = connect(&mut inherited, supervisor)?;
    let sandbox = boot::create(Boot {
        platform,
        memory,
        gofer: gofer.clone(),
        stdio,
        sockets,
        config: inherited.boot.config,
    });
    let sandbox = sandbox.map_err(|error| match gofer.is_broken() {
        // Whatever else went wrong is a consequence.
        true => Failure::new(GOFER_IS_GONE),
        false => Failure::new(error.to_string()),
    });
    drop(gofer);
    let sandbox = Arc::new(sandbox?);
    obey(&sandbox, supervisor, lifetime)?;
    if let Some(listener) = oom_listener {
        sandbox.kernel().cgroup.limits.set_oom_listener(listener);
    }
    if let Some(listener) = control {
        ::sentry::control::serve(sandbox.clone(), sandbox.first().clone(), listener)
            .context("the control socket")?;
    }
    match start {
        Start::AtOnce => drop(sandbox.first().start()),
        Start::OnOrder => supervisor::tell(supervisor, &Report::Ready)?,
    }
    let status = sandbox
        .wait()
        .map_err(|error| Failure::new(error.to_string()))?
        .to_shell();
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)))
}

/// A platform, and the host calls that it needs.
fn platform(
    inherited: &mut Inherited<SentryBoot>,
    memory: &MemoryFile,
) -> Outcome<(Arc<dyn Platform>, Vec<platform::seccomp::Allow>)> {
    match inherited.boot.platform {
        PlatformKind::Systrap => {
            let platform = SystrapPlatform::new(memory)
                .map_err(|error| Failure::new(format!("platform systrap: {error}")))?;
            Ok((Arc::new(platform), rows(For::Systrap)))
        }
        PlatformKind::Ptrace => {
            let platform = PtracePlatform::new(memory)
                .map_err(|error| Failure::new(format!("platform ptrace: {error}")))?;
            Ok((Arc::new(platform), rows(For::Ptrace)))
        }
        PlatformKind::Kvm(device) => {
            let platform = KvmPlatform::new(inherited.fd(device)?, memory)
                .map_err(|error| Failure::new(format!("platform kvm: {error}")))?;
            Ok((Arc::new(platform), rows(For::Kvm)))
        }
    }
}

fn connect(inherited: &mut Inherited<SentryBoot>, supervisor: &OwnedFd) -> Outcome<Client> {
    let (region, socket) = inherited.boot.gofer;
    let end = ClientEnd {
        region: inherited.fd(region)?,
        socket: inherited.fd(socket)?,
    };
    let supervisor = second(supervisor)?;
    let on_broken = move || {
        let report = Report::Failed(GOFER_IS_GONE.to_owned());
        let _ = supervisor::tell(&supervisor, &report);
        std::process::exit(1);
    };
    Client::connect(end, on_broken).context("the channel to the Gofer")
}

/// The container's standard input and output. Ours stay: a panic is told on stderr.
fn stdio(resized: Option<OwnedFd>, extra: Vec<OwnedFd>) -> Outcome<Stdio> {
    let terminal = second(std::io::stdin())?;
    Ok(match resized {
        Some(resized) => Stdio::Terminal(HostTerminal { terminal, resized }, extra),
        None => {
            let mut fds = vec![
                terminal,
                second(std::io::stdout())?,
                second(std::io::stderr())?,
            ];
            fds.extend(extra);
            Stdio::Host(fds)
        }
    })
}

/// Tells of changes of the window on stdin, our controlling terminal. The signal is blocked
/// since we were started.
fn window_changes() -> Outcome<OwnedFd> {
    let set = SigSet::from(HostSignal::SIGWINCH);
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let signals = SignalFd::with_flags(&set, flags).context("changes of the window's size")?;
    second(&signals)
}

fn second(fd: impl AsFd) -> Outcome<OwnedFd> {
    fd.as_fd()
        .try_clone_to_owned()
        .context("a second descriptor")
}

/// Starts a thread that does what the command line says, and ends the sandbox if the command
/// line ends before it has said that it should stay.
fn obey(sandbox: &Arc<Sandbox>, supervisor: &OwnedFd, lifetime: Lifetime) -> Outcome<()> {
    const STACK: usize = 128 << 10;
    let (sandbox, supervisor) = (Arc::clone(sandbox), second(supervisor)?);
    let run = move || {
        let mut stay = lifetime == Lifetime::WithCommand;
        let next_order = || {
            image::let_go_when_quiet(&supervisor);
            supervisor::hear_order(&supervisor)
        };
        while let Some(order) = next_order() {
            match order {
                Order::Signal(number) => match Signal::new(number) {
                    Ok(signal) => sandbox.first().signal(signal),
                    Err(error) => log::warn!("signal {number} from outside: {error}"),
                },
                Order::Start => drop(sandbox.first().start()),
                Order::Stay => stay = true,
            }
        }
        if !stay {
            std::process::exit(1);
        }
        image::let_go_later();
    };
    std::thread::Builder::new()
        .name("orders".to_owned())
        .stack_size(STACK)
        .spawn(run)
        .map(drop)
        .context("a thread for orders")
}
