//! Socket addresses as calls pass them.

use syscalls::abi::net::{AF_UNIX, SOCKADDR_STORAGE};
use syscalls::errno::EINVAL;
use syscalls::{Errno, UserPtr};

use crate::mm::Mm;

/// An address: family and the bytes after it, as the ABI has them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// AF_*.
    pub family: u16,
    /// The rest.
    pub data: Vec<u8>,
}

/// Bytes of the family.
const FAMILY: usize = 2;

impl Address {
    /// An address without a name.
    #[must_use]
    pub fn unnamed() -> Self {
        Address {
            family: u16::try_from(AF_UNIX).unwrap_or(1),
            data: Vec::new(),
        }
    }

    /// Reads an address argument; `EINVAL` for one of no possible length.
    pub fn read(mm: &Mm, at: UserPtr<u8>, len: i32) -> Result<Self, Errno> {
        let len = usize::try_from(len).map_err(|_| EINVAL)?;
        if len > SOCKADDR_STORAGE {
            return Err(EINVAL);
        }
        Self::from_bytes(&mm.read_slice(at, len)?).ok_or(EINVAL)
    }

    /// From the ABI's form; `None` for one without a family.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (family, data) = bytes.split_first_chunk::<FAMILY>()?;
        Some(Address {
            family: u16::from_ne_bytes(*family),
            data: data.to_vec(),
        })
    }

    /// As the ABI has it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.family.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&self.data);
        bytes
    }

    /// Fills in an address and its length, cut off at the length the caller gave.
    pub fn write(&self, mm: &Mm, at: UserPtr<u8>, len: UserPtr<i32>) -> Result<(), Errno> {
        let room = usize::try_from(mm.read(len)?).map_err(|_| EINVAL)?;
        let bytes = self.to_bytes();
        mm.write_slice(at, bytes.get(..room.min(bytes.len())).unwrap_or(&bytes))?;
        mm.write(len, &i32::try_from(bytes.len()).map_err(|_| EINVAL)?)
    }
}
