//! Job control: who may read and write, credentials(7); who gets a controlling terminal.

use std::sync::Arc;

use syscalls::abi::fs::OpenFlags;
use syscalls::abi::tty::LocalModes;
use syscalls::errno::{EBUSY, EINVAL, EIO, ENODEV, ENXIO, EPERM};
use syscalls::{Errno, Stop, SysResult};

use super::{Pty, Slave};
use crate::fd::CloseOnExec;
use crate::fs::devpts;
use crate::task::{Capabilities, Current, Terminal, TtyAccess};
use crate::vfs::open::Opening;
use crate::vfs::{File, FileOps, OpenMode};

impl Pty {
    fn as_terminal(&self) -> Option<Arc<dyn Terminal>> {
        self.this.upgrade().map(|this| this as Arc<dyn Terminal>)
    }

    /// tcsetattr(3), tcsetpgrp(3) … from the background.
    pub(super) fn check_change(&self, task: &Current) -> Result<(), Stop> {
        self.check_access(task, TtyAccess::Write)
    }

    fn check_access(&self, task: &Current, access: TtyAccess) -> Result<(), Stop> {
        self.as_terminal()
            .map_or(Ok(()), |this| task.tty_access(&this, access))
    }

    /// Whose controlling terminal it is loses it.
    pub(super) fn leave_session(&self) {
        if let Some(session) = self.session() {
            session.set_terminal(None, 0);
        }
    }

    /// TIOCSCTTY: makes it the controlling terminal of the caller's session.
    pub(super) fn make_controlling(&self, task: &Current) -> Result<(), Errno> {
        let session = task.group.session.get();
        let this = self.as_terminal().ok_or(EIO)?;
        if session.controls(&this) {
            return Ok(());
        }
        if session.sid != task.group.pid || session.terminal().is_some() {
            return Err(EPERM);
        }
        {
            let mut state = self.state.lock();
            if state
                .session
                .upgrade()
                .is_some_and(|other| other.terminal().is_some())
            {
                return Err(EPERM);
            }
            state.session = Arc::downgrade(&session);
        }
        session.set_terminal(Some(this), task.group.pgid());
        Ok(())
    }
}

/// Before a read: a background process is stopped.
pub(super) fn check_read(pty: &Pty, task: &Current) -> Result<(), Stop> {
    pty.check_access(task, TtyAccess::Read)
}

/// Before a write: likewise if TOSTOP is set.
pub(super) fn check_write(pty: &Pty, task: &Current) -> Result<(), Stop> {
    let stops = pty.state.lock().settings.has(LocalModes::TOSTOP);
    if stops {
        pty.check_access(task, TtyAccess::Write)
    } else {
        Ok(())
    }
}

/// `EBUSY` for who may not share a terminal that is exclusive.
fn open_end(task: &Current, pty: &Arc<Pty>) -> Result<Slave, Errno> {
    if pty.state.lock().exclusive && !task.creds.get().has(Capabilities::SYS_ADMIN) {
        return Err(EBUSY);
    }
    Slave::new(pty.clone())
}

/// Opens the slave `pty`; a session leader without a controlling terminal gets it as such
/// unless `noctty`.
pub(crate) fn open_slave(
    task: &Current,
    pty: Arc<Pty>,
    noctty: bool,
) -> Result<Box<dyn FileOps>, Errno> {
    let slave = open_end(task, &pty)?;
    let group = &task.group;
    if !noctty && group.session.get().sid == group.pid {
        // Somebody else's terminal stays that: it is opened all the same.
        let _ = pty.make_controlling(task);
    }
    Ok(Box::new(slave))
}

/// TIOCGPTPEER: opens the slave without a path of the caller's. It is found in the devpts
/// that the `master` was opened in, or in "pts" beside it; `ENODEV` if there is none.
pub(super) fn open_peer(pty: &Pty, task: &Current, master: &File, flags: u64) -> SysResult {
    let flags = u32::try_from(flags).map_err(|_| EINVAL)?;
    let opening = Opening::lenient(OpenFlags::from_bits_retain(flags), 0)?;
    let directory = devpts::directory(&master.location).ok_or(ENODEV)?;
    let slave = directory.child(pty.index.to_string().as_bytes())?;
    let fd = task.reserve_fd()?;
    let file = task.open_here(slave, &opening)?;
    let close = CloseOnExec::when(opening.closes_on_exec());
    fd.fill(file, close).to_result()
}

/// Opens /dev/tty: the controlling terminal; `ENXIO` without one.
pub(crate) fn open_current(task: &Current, _: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
    let terminal = task.group.session.get().terminal().ok_or(ENXIO)?;
    let pty = terminal
        .as_any()
        .downcast_ref::<Pty>()
        .and_then(|pty| pty.this.upgrade());
    Ok(Box::new(open_end(task, &pty.ok_or(ENXIO)?)?))
}
