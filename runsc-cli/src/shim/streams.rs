//! Standard streams: FIFOs that containerd's client has made, or files, or a program that
//! reads them ([`logger`]).
//!
//! The container's process gets the FIFO itself: nothing is copied. The shim keeps the other
//! end open too, so that a client may go away and come back: without it a process would be
//! killed by SIGPIPE, or take its client's end for the end of its input.
//!
//! [`logger`]: super::logger

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::fault::{Answer, Context, unserved};
use super::logger::{self, Inputs, Logger, Owner};

/// What containerd says about a process's streams. An empty name is /dev/null.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) stdin: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// One terminal for all three.
    pub(crate) terminal: bool,
}

/// The process's ends.
pub(crate) struct Ends {
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
}

impl Ends {
    pub(crate) fn null() -> Self {
        Ends {
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            stderr: Stdio::null(),
        }
    }
}

/// The shim's ends.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// As long as it is open, stdin does not end.
    pub(crate) stdin: Option<File>,
    /// Nothing is read from them.
    pub(crate) outputs: Vec<File>,
    /// Dropped when it has written all.
    pub(crate) logger: Option<Logger>,
}

impl Names {
    /// Starts the program that reads the outputs, if there is one.
    pub(super) fn logger(&self, owner: &Owner) -> Answer<Option<(Logger, Inputs)>> {
        match self.stdout.split_once("://") {
            Some((logger::SCHEME, rest)) => Logger::start(rest, owner).map(Some),
            _ => Ok(None),
        }
    }
}

/// Opens all three, for a process without a terminal.
pub(crate) fn open(names: &Names, owner: &Owner) -> Answer<(Ends, Held)> {
    let mut held = Held::default();
    let stdin = match input(&names.stdin)? {
        Some((end, writer)) => {
            held.stdin = writer;
            end.into()
        }
        None => Stdio::null(),
    };
    if let Some((logger, inputs)) = names.logger(owner)? {
        held.logger = Some(logger);
        let ends = Ends {
            stdin,
            stdout: inputs.stdout.into(),
            stderr: inputs.stderr.into(),
        };
        return Ok((ends, held));
    }
    let mut out = |name: &str| -> Answer<Stdio> {
        let Some((end, reader)) = output(name)? else {
            return Ok(Stdio::null());
        };
        held.outputs.extend(reader);
        Ok(end.into())
    };
    let (stdout, stderr) = (out(&names.stdout)?, out(&names.stderr)?);
    let ends = Ends {
        stdin,
        stdout,
        stderr,
    };
    Ok((ends, held))
}

/// The end to read from, and the other one if it is a FIFO; none without a name.
pub(super) fn input(name: &str) -> Answer<Option<(File, Option<File>)>> {
    let Some(path) = path(name)? else {
        return Ok(None);
    };
    let shown = path.display();
    // At once, whether or not there is a writer.
    let end = open_now(path, File::options().read(true)).context(&shown)?;
    let writer = match is_fifo(&end) {
        true => Some(open_now(path, File::options().write(true)).context(&shown)?),
        false => None,
    };
    blocking(&end).context(&shown)?;
    Ok(Some((end, writer)))
}

/// The end to write to, and the other one if it is a FIFO; none without a name.
pub(super) fn output(name: &str) -> Answer<Option<(File, Option<File>)>> {
    let Some(path) = path(name)? else {
        return Ok(None);
    };
    let shown = path.display();
    let fifo = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
    if !fifo {
        let end = File::options().append(true).create(true).open(path);
        return Ok(Some((end.context(&shown)?, None)));
    }
    let reader = open_now(path, File::options().read(true)).context(&shown)?;
    let end = open_now(path, File::options().write(true)).context(&shown)?;
    blocking(&end).context(&shown)?;
    Ok(Some((end, Some(reader))))
}

/// Without waiting for whoever opens the other end.
pub(super) fn open_now(path: &Path, options: &mut std::fs::OpenOptions) -> io::Result<File> {
    options.custom_flags(OFlag::O_NONBLOCK.bits()).open(path)
}

/// From now on reading and writing wait.
pub(super) fn blocking(file: &File) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(())
}

fn is_fifo(file: &File) -> bool {
    file.metadata()
        .is_ok_and(|found| found.file_type().is_fifo())
}

/// A path, or `fifo://PATH`, or `file://PATH`.
fn path(name: &str) -> Answer<Option<&Path>> {
    let path = match name.split_once("://") {
        None => name,
        Some(("fifo" | "file", rest)) => rest.split('?').next().unwrap_or_default(),
        Some((scheme, _)) => {
            return Err(unserved(format_args!(
                "streams of kind {scheme}:// are not supported: use a FIFO, file:// or binary://"
            )));
        }
    };
    Ok((!path.is_empty()).then(|| Path::new(path)))
}

/// A second descriptor of a file.
pub(super) fn second(file: &File) -> Answer<OwnedFd> {
    Ok(file.try_clone().context("a second descriptor")?.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::{input, output};
    use nix::sys::stat::Mode;

    #[test]
    fn a_fifo_outlives_its_client() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).expect("mkfifo");
        let name = path.to_str().expect("text");

        let (mut end, reader) = output(name).expect("opens").expect("named");
        end.write_all(b"kept").expect("nobody has to read");
        let mut client = std::fs::File::open(&path).expect("a client");
        let mut four = [0; 4];
        client.read_exact(&mut four).expect("what was written");
        assert_eq!(&four, b"kept");
        drop(client);
        end.write_all(b"more").expect("no SIGPIPE");
        drop((end, reader));

        let (mut end, writer) = input(name).expect("opens").expect("named");
        let mut client = std::fs::File::options()
            .write(true)
            .open(&path)
            .expect("a client");
        client.write_all(b"typed").expect("written");
        drop(client);
        drop(writer);
        let mut text = String::new();
        end.read_to_string(&mut text)
            .expect("it ends with both writers");
        assert_eq!(text, "typed");
    }

    #[test]
    fn names() {
        let dir = tempfile::tempdir().expect("a directory");
        let name = format!("file://{}", dir.path().join("log").display());
        let (mut end, reader) = output(&name).expect("opens").expect("named");
        assert!(reader.is_none());
        end.write_all(b"a").expect("written");
        assert!(output("").expect("none").is_none());
        assert!(output("npipe:///logger").is_err());
    }
}
