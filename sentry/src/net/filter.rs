//! SO_ATTACH_FILTER, socket(7): a program that judges what arrives at a socket.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::abi::net::SO_LOCK_FILTER;
use syscalls::abi::task::{SockFilter, SockFprog};
use syscalls::errno::{EACCES, EINVAL, ENOENT, EPERM};
use zerocopy::{FromBytes, IntoBytes};

use super::Options;
use super::given::Given;
use crate::bpf::{Ancillary, Dialect, Fetch, MAX_LEN, Program};
use crate::task::Current;

/// A program, and as it was given.
pub(super) struct Filter {
    program: Program,
    code: Vec<SockFilter>,
}

/// What is known of something that arrives besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Circumstances {
    /// ETH_P_*.
    pub(super) protocol: u16,
    /// PACKET_*.
    pub(super) kind: u8,
    /// The interface's number.
    pub(super) link: u32,
    /// ARPHRD_*.
    pub(super) hardware: u16,
}

/// Offsets from here on count from the network's head, SKF_NET_OFF.
const NETWORK: u32 = 0xfff0_0000;

fn load(bytes: &[u8], known: Circumstances, what: Fetch) -> Option<u32> {
    Some(match what {
        Fetch::Word(_) => return None,
        Fetch::Len => u32::try_from(bytes.len()).ok()?,
        Fetch::Packet { at, size } => {
            let at = at.checked_sub(NETWORK).unwrap_or(at);
            let at = usize::try_from(at).ok()?;
            let end = at.checked_add(size.into())?;
            let bytes = bytes.get(at..end)?.iter();
            bytes.fold(0, |sum, byte| sum << 8 | u32::from(*byte))
        }
        Fetch::Ancillary(what) => match what {
            Ancillary::Protocol => known.protocol.into(),
            Ancillary::Kind => known.kind.into(),
            Ancillary::Link => known.link,
            Ancillary::Hardware => known.hardware.into(),
            Ancillary::Nothing => 0,
        },
    })
}

impl Options {
    fn check_lock(&self) -> Result<(), Errno> {
        if self.kept(SO_LOCK_FILTER) != 0 {
            return Err(EPERM);
        }
        Ok(())
    }

    /// SO_ATTACH_FILTER.
    pub(super) fn attach_filter(&self, task: &Current, value: Given<'_>) -> Result<(), Errno> {
        if value.len() != size_of::<SockFprog>() {
            return Err(EINVAL);
        }
        let bytes = value.prefix::<{ size_of::<SockFprog>() }>()?;
        let given = SockFprog::read_from_bytes(&bytes).map_err(|_| EINVAL)?;
        self.check_lock()?;
        let len = usize::from(given.len);
        if given.filter.is_null() || len == 0 || len > MAX_LEN {
            return Err(EINVAL);
        }
        let code: Vec<SockFilter> = task.mem().read_slice(given.filter, len)?;
        let program = Program::decode(&code, Dialect::Packets)?;
        let old = self.filter.set(Some(Arc::new(Filter { program, code })));
        drop(old);
        Ok(())
    }

    /// SO_DETACH_FILTER.
    pub(super) fn detach_filter(&self) -> Result<(), Errno> {
        self.check_lock()?;
        let old = self.filter.set(None);
        old.map(drop).ok_or(ENOENT)
    }

    /// SO_LOCK_FILTER: for good.
    pub(super) fn lock_filter(&self, on: bool) -> Result<(), Errno> {
        if !on {
            self.check_lock()?;
        }
        self.keep(SO_LOCK_FILTER, on.into());
        Ok(())
    }

    /// SO_GET_FILTER: how many instructions there are, and they themselves if there is
    /// `room` for so many.
    pub(super) fn filter_code(&self, room: usize) -> Result<(usize, Vec<u8>), Errno> {
        let Some(filter) = self.filter.get() else {
            return Ok((0, Vec::new()));
        };
        let count = filter.code.len();
        match room {
            0 => Ok((count, Vec::new())),
            room if room < count => Err(EINVAL),
            _ if count > MAX_LEN => Err(EACCES),
            _ => {
                let code: Vec<u8> = filter
                    .code
                    .iter()
                    .flat_map(|i| i.as_bytes().to_vec())
                    .collect();
                Ok((count, code))
            }
        }
    }

    /// How many of the bytes that arrive the socket wants; `None` for none at all.
    pub(super) fn admitted(&self, bytes: &[u8], known: Circumstances) -> Option<usize> {
        let Some(filter) = self.filter.get() else {
            return Some(bytes.len());
        };
        let wanted = filter
            .program
            .run(|what| load(bytes, known, what))
            .unwrap_or(0);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        (wanted > 0).then_some(wanted.min(bytes.len()))
    }

    /// True if [`Options::admitted`] looks at what arrives.
    pub(super) fn has_filter(&self) -> bool {
        self.filter.with(Option::is_some)
    }
}
