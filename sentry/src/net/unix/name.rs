//! Names of sockets: paths and abstract names.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use syscalls::abi::net::AF_UNIX;
use syscalls::errno::{EADDRINUSE, ECONNREFUSED, EEXIST, EINVAL};
use syscalls::{Errno, Fd};

use super::super::Address;
use super::UnixSocket;
use crate::sync::{Level, Mutex};
use crate::task::Current;
use crate::vfs::{Access, Mode, NewNode, Walking, permit};

/// The longest name, bytes.
const MAX: usize = 108;

/// A parsed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// No name: bind(2) makes one up.
    Unnamed,
    /// A path.
    Path(Vec<u8>),
    /// An abstract name, without the leading NUL.
    Abstract(Vec<u8>),
}

impl Name {
    pub(super) fn parse(address: &Address) -> Result<Self, Errno> {
        if i32::from(address.family) != AF_UNIX || address.data.len() > MAX {
            return Err(EINVAL);
        }
        Ok(match address.data.split_first() {
            None => Name::Unnamed,
            Some((0, rest)) => Name::Abstract(rest.to_vec()),
            Some(_) => {
                let end = address.data.iter().position(|&byte| byte == 0);
                Name::Path(
                    address
                        .data
                        .get(..end.unwrap_or(address.data.len()))
                        .unwrap_or(&[])
                        .to_vec(),
                )
            }
        })
    }

    pub(super) fn address(&self) -> Address {
        let data = match self {
            Name::Unnamed => Vec::new(),
            Name::Path(path) => [path.as_slice(), b"\0"].concat(),
            Name::Abstract(name) => [b"\0", name.as_slice()].concat(),
        };
        Address {
            data,
            ..Address::unnamed()
        }
    }
}

/// The abstract names of a network name space.
pub struct AbstractNames {
    names: Mutex<HashMap<Vec<u8>, Weak<UnixSocket>>>,
    next: AtomicU32,
}

impl Default for AbstractNames {
    fn default() -> Self {
        AbstractNames {
            names: Mutex::new(Level::Leaf, HashMap::new()),
            next: AtomicU32::new(0),
        }
    }
}

impl AbstractNames {
    fn insert(&self, name: &[u8], socket: &Weak<UnixSocket>) -> Result<(), Errno> {
        let mut names = self.names.lock();
        names.retain(|_, socket| socket.strong_count() > 0);
        if names.contains_key(name) {
            return Err(EADDRINUSE);
        }
        names.insert(name.to_vec(), socket.clone());
        Ok(())
    }

    /// A name of five hexadecimal digits that nobody has.
    fn invent(&self, socket: &Weak<UnixSocket>) -> Result<Vec<u8>, Errno> {
        for _ in 0..1 << 20 {
            let number = self.next.fetch_add(1, Ordering::Relaxed) & 0xf_ffff;
            let name = format!("{number:05x}").into_bytes();
            if self.insert(&name, socket).is_ok() {
                return Ok(name);
            }
        }
        Err(syscalls::errno::ENOSPC)
    }
}

/// The socket behind a file-system name.
pub(super) struct Bound(Weak<UnixSocket>);

/// Gives a socket its name.
pub(super) fn bind(task: &Current, name: Name, socket: &Weak<UnixSocket>) -> Result<Name, Errno> {
    match name {
        Name::Unnamed => {
            let name = task.net.get().abstract_names.invent(socket)?;
            Ok(Name::Abstract(name))
        }
        Name::Abstract(name) => {
            task.net.get().abstract_names.insert(&name, socket)?;
            Ok(Name::Abstract(name))
        }
        Name::Path(path) => {
            let made = task.make_node(Fd::CWD, &path, NewNode::Socket, Mode::from_raw(0o777));
            let node = made.map_err(|error| if error == EEXIST { EADDRINUSE } else { error })?;
            node.inode()
                .attachments()
                .put(Arc::new(Bound(socket.clone())));
            Ok(Name::Path(path))
        }
    }
}

/// The socket that has a name; `ECONNREFUSED` if nobody listens there.
pub(super) fn find(task: &Current, name: &Name) -> Result<Arc<UnixSocket>, Errno> {
    match name {
        Name::Unnamed => Err(EINVAL),
        Name::Abstract(name) => {
            let namespace = task.net.get();
            let names = namespace.abstract_names.names.lock();
            names.get(name).and_then(Weak::upgrade).ok_or(ECONNREFUSED)
        }
        Name::Path(path) => {
            let location = task.walk(path, Walking::FOLLOW)?;
            permit(&task.creds.get(), location.inode(), Access::WRITE)?;
            let bound = location
                .inode()
                .attachments()
                .get::<Bound>()
                .ok_or(ECONNREFUSED)?;
            bound.0.upgrade().ok_or(ECONNREFUSED)
        }
    }
}
