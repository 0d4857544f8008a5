//! A process's terminal: its master comes over a console socket, and is copied to and from
//! the client's FIFOs.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform::host::fdpass;
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;

use super::fault::{Answer, Context, other};
use super::logger::Owner;
use super::streams::{self, Held, Names};

/// Where the master will be sent.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// `path` leads through it.
    _open: File,
    _dir: TempDir,
}

impl Socket {
    /// In the bundle, with which it goes if nobody takes it away; by a path that is short,
    /// whatever the bundle's is, while this lives. See unix(7).
    pub(crate) fn new(bundle: &Path) -> Answer<Self> {
        const WHAT: &str = "console socket";
        let dir = tempfile::Builder::new().prefix("pty-").tempdir_in(bundle);
        let dir = dir.context(WHAT)?;
        let open = File::open(dir.path()).context(WHAT)?;
        let path = format!("/proc/{}/fd/{}/s", std::process::id(), open.as_raw_fd());
        let path = PathBuf::from(path);
        let listener = UnixListener::bind(&path).context(WHAT)?;
        // Whoever sends has done so when its command has succeeded.
        listener.set_nonblocking(true).context(WHAT)?;
        Ok(Socket {
            listener,
            path,
            _open: open,
            _dir: dir,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The terminal that was sent.
    pub(crate) fn receive(&self) -> Answer<Terminal> {
        let (socket, _) = self.listener.accept().context("no terminal was sent")?;
        let received = fdpass::receive(&socket, &mut [0; 4096]).context("the terminal")?;
        let mut fds = received.fds.into_iter();
        let master = fds
            .next()
            .ok_or_else(|| other("no terminal was sent with the message"))?;
        Ok(Terminal(Arc::new(File::from(master))))
    }
}

/// The master of a pseudo-terminal.
#[derive(Clone, Debug)]
pub(crate) struct Terminal(Arc<File>);

impl Terminal {
    pub(crate) fn resize(&self, columns: u32, rows: u32) -> Answer<()> {
        let number = |number| u16::try_from(number).context("the size of a terminal");
        let size = Winsize {
            ws_row: number(rows)?,
            ws_col: number(columns)?,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&*self.0, size).context("the size of the terminal")
    }

    /// Copies both ways, in threads, until the terminal hangs up and the client's input ends.
    pub(crate) fn connect(&self, names: &Names, owner: &Owner) -> Answer<Held> {
        let mut held = Held::default();
        if let Some((end, writer)) = streams::input(&names.stdin)? {
            held.stdin = writer;
            self.spawn_copy(end, Way::In)?;
        }
        if let Some((logger, inputs)) = names.logger(owner)? {
            held.logger = Some(logger);
            self.spawn_copy(inputs.stdout, Way::Out)?;
            return Ok(held);
        }
        // Without a client it is read all the same: nobody must wait for space in it.
        match streams::output(&names.stdout)? {
            Some((end, reader)) => {
                held.outputs.extend(reader);
                self.spawn_copy(end, Way::Out)?;
            }
            None => {
                let null = File::options().write(true).open("/dev/null");
                self.spawn_copy(null.context("/dev/null")?, Way::Out)?;
            }
        }
        Ok(held)
    }

    fn spawn_copy(&self, file: File, way: Way) -> Answer<()> {
        // A descriptor of its own: the master closes when the last copy is over.
        let master = File::from(streams::second(&self.0)?);
        let copy = move || match way {
            Way::In => copy(file, master),
            Way::Out => copy(master, file),
        };
        let builder = std::thread::Builder::new().name("terminal".to_owned());
        builder.spawn(copy).map(drop).context("a thread")
    }
}

enum Way {
    In,
    Out,
}

/// Until one of them ends. A terminal whose processes are gone reads EIO.
fn copy(mut from: File, mut to: File) {
    let mut buffer = [0; 8192];
    loop {
        let len = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        if to.write_all(buffer.get(..len).unwrap_or_default()).is_err() {
            return;
        }
    }
}
