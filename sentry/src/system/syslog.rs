//! The kernel's messages, syslog(2).

use syscalls::errno::{EINVAL, EPERM};
use syscalls::{Run, SysResult, call};

use super::{RELEASE, VERSION};
use crate::task::{Capabilities, Current};

/// SYSLOG_ACTION_*.
const CLOSE: i32 = 0;
const OPEN: i32 = 1;
const READ: i32 = 2;
const READ_ALL: i32 = 3;
const READ_CLEAR: i32 = 4;
const CLEAR: i32 = 5;
const CONSOLE_OFF: i32 = 6;
const CONSOLE_ON: i32 = 7;
const CONSOLE_LEVEL: i32 = 8;
const SIZE_UNREAD: i32 = 9;
const SIZE_BUFFER: i32 = 10;
/// What SIZE_BUFFER says, bytes.
const BUFFER: u64 = 1 << 18;

/// What a kernel says when it starts.
fn messages(task: &Current) -> String {
    let memory = task.kernel.memory_size().total >> 10;
    let cpus = task.kernel.cpus();
    format!(
        "<5>[    0.000000] Linux version {RELEASE} (runsk) {VERSION}\n\
         <6>[    0.000000] Memory: {memory}K available\n\
         <6>[    0.000000] SLUB: CPUs={cpus}, Nodes=1\n\
         <6>[    0.000000] Run the first process of the container\n"
    )
}

impl Run<Current> for call::Syslog {
    fn run(self, task: &mut Current) -> SysResult {
        let creds = task.creds.get();
        let privileged = creds.has(Capabilities::SYSLOG) || creds.has(Capabilities::SYS_ADMIN);
        // As with kernel.dmesg_restrict=1, Debian's default.
        if !privileged {
            return Err(EPERM.into());
        }
        match self.kind {
            CLOSE | OPEN | CLEAR | CONSOLE_OFF | CONSOLE_ON | SIZE_UNREAD => Ok(0),
            CONSOLE_LEVEL if (1..=8).contains(&self.len) => Ok(0),
            // Everything has been read: there is never anything new.
            READ | READ_ALL | READ_CLEAR if self.bufp.is_null() || self.len < 0 => {
                Err(EINVAL.into())
            }
            READ | READ_ALL | READ_CLEAR if self.len == 0 => Ok(0),
            READ => task.sleep(None).map(|()| 0),
            READ_ALL | READ_CLEAR => {
                let len = usize::try_from(self.len).map_err(|_| EINVAL)?;
                let text = messages(task);
                // The last ones that fit, whole lines.
                let mut shown = text.as_bytes();
                while shown.len() > len {
                    let line = shown.iter().position(|&b| b == b'\n');
                    let next = line.map_or(shown.len(), |at| at + 1);
                    shown = shown.get(next..).unwrap_or_default();
                }
                task.mem().write_bytes(self.bufp.addr(), shown)?;
                Ok(shown.len() as u64)
            }
            SIZE_BUFFER => Ok(BUFFER),
            _ => Err(EINVAL.into()),
        }
    }
}
