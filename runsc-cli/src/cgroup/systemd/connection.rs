//! A connection to a D-Bus daemon.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::message::{Body, Call, ERROR, FIXED, Incoming, METHOD_RETURN, decode, rest};
use crate::failure::{Context, Failure, Outcome};

/// See the module.
pub(super) struct Connection {
    stream: UnixStream,
    serial: u32,
}

/// An error that the other side answered with.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) name: String,
    pub(super) text: String,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Connection {
    /// Connects to the daemon behind `socket`.
    pub(super) fn open(socket: &Path) -> Outcome<Self> {
        let what = || format!("systemd cannot be asked over D-Bus at {}", socket.display());
        let connect = || -> io::Result<Self> {
            let mut stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            // The kernel tells who we are; the daemon wants to hear it too.
            let uid = nix::unistd::geteuid().to_string();
            let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
            write!(stream, "\0AUTH EXTERNAL {hex}\r\n")?;
            let answer = line(&mut stream)?;
            if !answer.starts_with("OK ") {
                return Err(io::Error::other(format!("not let in: {answer}")));
            }
            stream.write_all(b"BEGIN\r\n")?;
            Ok(Connection { stream, serial: 0 })
        };
        let mut connection = connect().context(what())?;
        let hello = Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            method: "Hello",
            signature: "",
            body: Body::default(),
        };
        let answer = connection.call(&hello).context(what())?;
        answer.map_err(|refused| Failure::new(format!("{}: {}", what(), refused.text)))?;
        Ok(connection)
    }

    /// Calls a method, and waits for its end.
    pub(super) fn call(&mut self, call: &Call<'_>) -> io::Result<Result<(), Refused>> {
        self.serial += 1;
        self.stream.write_all(&call.encode(self.serial))?;
        loop {
            let incoming = self.receive()?;
            if incoming.reply_to != Some(self.serial) {
                continue;
            }
            match incoming.kind {
                METHOD_RETURN => return Ok(Ok(())),
                ERROR => {
                    let name = incoming.error.unwrap_or_default();
                    let text = incoming.text.unwrap_or_else(|| name.clone());
                    return Ok(Err(Refused { name, text }));
                }
                _ => {}
            }
        }
    }

    fn receive(&mut self) -> io::Result<Incoming> {
        let garbled = || io::Error::other("what it says is no message");
        let mut fixed = [0; FIXED];
        self.stream.read_exact(&mut fixed)?;
        let mut message = fixed.to_vec();
        message.resize(FIXED + rest(&fixed).ok_or_else(garbled)?, 0);
        let tail = message.get_mut(FIXED..).ok_or_else(garbled)?;
        self.stream.read_exact(tail)?;
        decode(&message).ok_or_else(garbled)
    }
}

/// A line of the dialogue before the first message; nothing follows it unasked.
fn line(stream: &mut UnixStream) -> io::Result<String> {
    const LONGEST: usize = 16 << 10;
    let mut text = Vec::new();
    // Byte by byte: what follows the line is for whoever reads next.
    let mut byte = [0];
    while text.len() < LONGEST && stream.read(&mut byte)? == 1 && byte != *b"\n" {
        text.extend(byte);
    }
    Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
}
