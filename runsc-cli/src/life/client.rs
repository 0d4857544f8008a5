//! Asking a container's Sentry.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use sentry::control::{
    Answer, Connection, CreateRequest, ExecRequest, Limits, Phase, ProcessInfo, Request, Stats,
    Target,
};

use crate::failure::{Context, Failure, Outcome};
use crate::network::Found;
use crate::state::Directory;

/// A connection to a Sentry.
pub(crate) struct Client {
    connection: Connection,
}

/// How long a Sentry may take to answer, seconds. It holds no answer back on purpose.
const PATIENCE: i64 = 20;

impl Client {
    /// Connects to the Sentry of a container.
    pub(crate) fn connect(container: &Directory) -> Outcome<Self> {
        let socket = container
            .connect()
            .map_err(|_| Failure::new("container not running"))?;
        for result in [
            setsockopt(
                &socket,
                sockopt::ReceiveTimeout,
                &TimeVal::seconds(PATIENCE),
            ),
            setsockopt(&socket, sockopt::SendTimeout, &TimeVal::seconds(PATIENCE)),
        ] {
            result.context("the control socket")?;
        }
        let connection = Connection::new(socket);
        Ok(Client { connection })
    }

    fn ask(&mut self, request: &Request, fds: &[BorrowedFd<'_>]) -> Outcome<Answer> {
        Ok(self.ask_for(request, fds)?.0)
    }

    /// An answer with the descriptors that come along.
    fn ask_for(
        &mut self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
    ) -> Outcome<(Answer, Vec<OwnedFd>)> {
        let lost = |errno| Failure::new(format!("the container's Sentry does not answer: {errno}"));
        self.connection.send(request, fds).map_err(lost)?;
        match self.connection.receive().map_err(lost)? {
            Some((Answer::Failed(reason), _)) => Err(Failure::new(reason)),
            Some(answer) => Ok(answer),
            None => Err(Failure::new("container not running")),
        }
    }

    fn order(&mut self, request: &Request) -> Outcome<()> {
        match self.ask(request, &[])? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Lets the first process run its program.
    pub(crate) fn start(&mut self) -> Outcome<()> {
        self.order(&Request::Start)
    }

    /// The same; what then tells of what it says to a service manager.
    pub(crate) fn start_and_tell(mut self) -> Outcome<Starting> {
        match self.ask(&Request::StartAndTell, &[])? {
            Answer::Done => {}
            other => return Err(unexpected(&other)),
        }
        self.be_patient()?;
        Ok(Starting { client: self })
    }

    /// From now on answers may take as long as a program likes.
    fn be_patient(&self) -> Outcome<()> {
        let forever = TimeVal::seconds(0);
        setsockopt(&self.connection.socket(), sockopt::ReceiveTimeout, &forever)
            .context("the control socket")
    }

    /// Gives it interfaces, with a packet socket for each.
    pub(crate) fn network(&mut self, found: Found) -> Outcome<()> {
        let Found { network, sockets } = found;
        let fds: Vec<_> = sockets.iter().map(|fd| fd.as_fd()).collect();
        match self.ask(&Request::Network(Box::new(network)), &fds)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Holds all processes back.
    pub(crate) fn pause(&mut self) -> Outcome<()> {
        self.order(&Request::Pause)
    }

    /// Lets them go on.
    pub(crate) fn resume(&mut self) -> Outcome<()> {
        self.order(&Request::Resume)
    }

    /// Sends a signal.
    pub(crate) fn signal(&mut self, target: Target, signal: i32) -> Outcome<()> {
        self.order(&Request::Signal(target, signal))
    }

    /// What the sandbox does.
    pub(crate) fn phase(&mut self) -> Outcome<Phase> {
        match self.ask(&Request::Phase, &[])? {
            Answer::Phase(phase) => Ok(phase),
            other => Err(unexpected(&other)),
        }
    }

    /// The container's processes.
    pub(crate) fn processes(&mut self) -> Outcome<Vec<ProcessInfo>> {
        match self.ask(&Request::Processes, &[])? {
            Answer::Processes(list) => Ok(list),
            other => Err(unexpected(&other)),
        }
    }

    /// What it uses.
    pub(crate) fn stats(&mut self) -> Outcome<Stats> {
        match self.ask(&Request::Stats, &[])? {
            Answer::Stats(stats) => Ok(stats),
            other => Err(unexpected(&other)),
        }
    }

    /// Has the container's kernel keep to other limits.
    pub(crate) fn limit(&mut self, limits: Limits) -> Outcome<()> {
        self.order(&Request::Limit(limits))
    }

    /// What the sandbox is made of, for people.
    pub(crate) fn debug(&mut self) -> Outcome<String> {
        match self.ask(&Request::Debug, &[])? {
            Answer::Debug(text) => Ok(text),
            other => Err(unexpected(&other)),
        }
    }

    /// The sandbox's memory, for a further Gofer.
    pub(crate) fn memory(&mut self) -> Outcome<OwnedFd> {
        let (answer, fds) = self.ask_for(&Request::Memory, &[])?;
        match (answer, fds.into_iter().next()) {
            (Answer::Memory, Some(memory)) => Ok(memory),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// Starts a process. From here on the connection is the process's own, see
    /// [`sentry::control`].
    pub(crate) fn exec(self, exec: ExecRequest, fds: &[OwnedFd]) -> Outcome<Connection> {
        self.begin(&Request::Exec(Box::new(exec)), fds)
    }

    /// Makes a further container in the sandbox. From here on the connection is the
    /// container's own.
    pub(crate) fn create(self, create: CreateRequest, fds: &[OwnedFd]) -> Outcome<Connection> {
        self.begin(&Request::Create(Box::new(create)), fds)
    }

    fn begin(mut self, request: &Request, fds: &[OwnedFd]) -> Outcome<Connection> {
        let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        match self.ask(request, &fds)? {
            Answer::Started(_) => {}
            other => return Err(unexpected(&other)),
        }
        self.be_patient()?;
        Ok(self.connection)
    }
}

/// A container whose program runs, and may say that it is ready.
pub(crate) struct Starting {
    client: Client,
}

impl Starting {
    /// Waits until it does; its words, or none if it ends before.
    pub(crate) fn ready(mut self) -> Option<String> {
        match self.client.connection.receive() {
            Ok(Some((Answer::Ready(line), _))) => line,
            // The Sentry has ended, and the container with it.
            _ => None,
        }
    }
}

fn unexpected(answer: &Answer) -> Failure {
    Failure::new(format!(
        "the container's Sentry answers something else: {answer:?}"
    ))
}
