//! What callers of a runtime do beside starting it: they take up its orphans, and terminals.

use std::fs;
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Runs `command`, as a shim does it, and then waits for the process that it has left and
/// whose number is in `pid_file`; that one's exit status, 128+n for signal n.
///
/// # Errors
/// When the command fails, or there is no such process.
pub fn adopt(pid_file: &Path, command: &[String]) -> Result<i32, String> {
    prctl::set_child_subreaper(true).map_err(|e| format!("subreaper: {e}"))?;
    let (program, args) = command.split_first().ok_or("no command")?;
    let status = Command::new(program).args(args).status();
    let status = status.map_err(|e| format!("{program}: {e}"))?;
    if !status.success() {
        return Err(format!("{program}: {status}"));
    }
    let shown = pid_file.display();
    let text = fs::read_to_string(pid_file).map_err(|e| format!("{shown}: {e}"))?;
    let pid = text.trim().parse().map_err(|e| format!("{shown}: {e}"))?;
    loop {
        match waitpid(Pid::from_raw(pid), None) {
            Ok(WaitStatus::Exited(_, status)) => return Ok(status),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(128 + signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(format!("waiting for {pid}: {errno}")),
        }
    }
}

/// Listens at `socket`, takes the terminal that comes, writes `input` to it, and copies what
/// is on it to stdout until it hangs up.
///
/// # Errors
/// When no terminal comes.
pub fn console(socket: &Path, input: &str) -> Result<(), String> {
    let shown = socket.display();
    let listener = UnixListener::bind(socket).map_err(|e| format!("{shown}: {e}"))?;
    let (peer, _) = listener.accept().map_err(|e| format!("{shown}: {e}"))?;
    let mut terminal = fs::File::from(receive(&peer)?);
    terminal
        .write_all(input.as_bytes())
        .map_err(|e| format!("terminal: {e}"))?;
    let mut buffer = [0; 4096];
    // EIO says that nobody has the other side any more.
    while let Ok(len @ 1..) = terminal.read(&mut buffer) {
        let text = buffer.get(..len).unwrap_or_default();
        std::io::stdout()
            .write_all(text)
            .map_err(|e| format!("stdout: {e}"))?;
    }
    Ok(())
}

fn receive(socket: &UnixStream) -> Result<OwnedFd, String> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0; 4096];
    let mut parts = [IoSliceMut::new(&mut name)];
    recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
        .map_err(|e| format!("recvmsg: {e}"))?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message
            && let Some(fd) = fds.next()
        {
            return Ok(fd);
        }
    }
    Err("no terminal was sent".to_owned())
}
