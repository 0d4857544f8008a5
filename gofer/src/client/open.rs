//! Opening, and reading the beginning along with it.

use syscalls::Errno;

use super::Client;
use crate::wire::name;
use crate::wire::request::{self, NOT_READ};
use crate::{Access, Attr, Handle};

/// Where the beginning of a file goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// Where in the memory file.
    pub mem_offset: u64,
    /// Bytes; 0 reads nothing.
    pub len: u64,
}

/// A file that was found and opened.
#[derive(Debug)]
pub struct OpenedChild {
    /// The handle, one reference.
    pub handle: Handle,
    /// Attributes before it was opened.
    pub attr: Attr,
    /// As of [`Client::open_and_read`].
    pub read: Result<Option<u64>, Errno>,
}

impl Client {
    /// Opens a regular file or directory for data; the server keeps the descriptor with
    /// the inode, one for all users of the handle. May be called again, for more access
    /// too: reads then see what is written. Opens are counted, see [`Self::close`].
    /// `ENXIO` for other types, which live in the Sentry; `EISDIR` for writing to a directory.
    pub fn open(&self, handle: Handle, access: Access) -> Result<(), Errno> {
        let nothing = Beginning::default();
        self.open_and_read(handle, access, nothing).map(drop)
    }

    /// As [`Self::open`], and reads the beginning: how many bytes it has, or `None` if
    /// reading failed, and why is to be found out by [`Self::read_into`].
    pub fn open_and_read(
        &self,
        handle: Handle,
        access: Access,
        to: Beginning,
    ) -> Result<Option<u64>, Errno> {
        Ok(read(&self.ask_to_open(handle, &[], access, to)?, to))
    }

    /// As [`Self::open_and_read`], for what `name` leads to in `dir`. Fails only if that
    /// cannot be found.
    pub fn open_child(
        &self,
        dir: Handle,
        name: &[u8],
        access: Access,
        to: Beginning,
    ) -> Result<OpenedChild, Errno> {
        name::check(name)?;
        let opened = self.ask_to_open(dir, &[name, b"\0"], access, to)?;
        Ok(OpenedChild {
            handle: opened.node.handle,
            attr: opened.node.attr,
            read: match opened.errno {
                0 => Ok(read(&opened, to)),
                errno => Err(Errno::from_raw(i32::try_from(errno).unwrap_or(0))),
            },
        })
    }

    fn ask_to_open(
        &self,
        handle: Handle,
        tail: &[&[u8]],
        access: Access,
        to: Beginning,
    ) -> Result<request::Opened, Errno> {
        let access = match access {
            Access::Read => 1,
            Access::Write => 2,
            Access::ReadWrite => 3,
        };
        let request = request::Open {
            handle,
            access,
            pad: 0,
            mem_offset: to.mem_offset,
            len: to.len,
        };
        Ok(self.exchange.call(&request, tail)?.reply)
    }
}

fn read(opened: &request::Opened, to: Beginning) -> Option<u64> {
    (opened.bytes != NOT_READ).then(|| opened.bytes.min(to.len))
}
