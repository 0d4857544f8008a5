//! Extended attributes, xattr(7). Names are whole: `user.something`, at most 255 bytes
//! without NUL (`ERANGE` else); values at most 64 KiB (`E2BIG`).

use syscalls::Errno;
use syscalls::errno::ERANGE;

use super::Client;
use crate::wire::request;
use crate::{Handle, XattrMode};

impl Client {
    /// A value; `ENODATA` if there is none.
    pub fn getxattr(&self, handle: Handle, name: &[u8]) -> Result<Vec<u8>, Errno> {
        check(name)?;
        let request = request::GetXattr { handle };
        Ok(self.exchange.call(&request, &[name, b"\0"])?.tail())
    }

    /// Sets a value.
    pub fn setxattr(
        &self,
        handle: Handle,
        name: &[u8],
        value: &[u8],
        mode: XattrMode,
    ) -> Result<(), Errno> {
        check(name)?;
        let how = match mode {
            XattrMode::Any => 0,
            XattrMode::Create => 1,
            XattrMode::Replace => 2,
        };
        let request = request::SetXattr {
            handle,
            how,
            pad: 0,
        };
        self.exchange
            .call(&request, &[name, b"\0", value])
            .map(|_| ())
    }

    /// All names, each ended by NUL, as listxattr(2) gives them.
    pub fn listxattr(&self, handle: Handle) -> Result<Vec<u8>, Errno> {
        let request = request::ListXattr { handle };
        Ok(self.exchange.call(&request, &[])?.tail())
    }

    /// Removes one; `ENODATA` if there is none.
    pub fn removexattr(&self, handle: Handle, name: &[u8]) -> Result<(), Errno> {
        check(name)?;
        let request = request::RemoveXattr { handle };
        self.exchange.call(&request, &[name, b"\0"]).map(|_| ())
    }
}

fn check(name: &[u8]) -> Result<(), Errno> {
    if name.is_empty() || name.len() > 255 || name.contains(&0) {
        return Err(ERANGE);
    }
    Ok(())
}
