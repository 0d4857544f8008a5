//! The two ends as open files.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::SysResult;
use syscalls::abi::tty::TIOCGPTPEER;
use syscalls::errno::{EAGAIN, EIO};

use super::{Effects, Pty};
use crate::task::Current;
use crate::vfs::{File, FileOps, Sink, Source};
use crate::wait::{Deadline, Ready, WaitQueue};

/// The end of a terminal emulator.
pub struct Master(pub(super) Arc<Pty>);

/// The end of programs.
pub struct Slave(pub(super) Arc<Pty>);

/// Taken from a writer at a time, bytes.
const CHUNK: usize = 4096;

impl Master {
    /// Opens the master of `pty`.
    #[must_use]
    pub fn new(pty: Arc<Pty>) -> Self {
        pty.state.lock().masters += 1;
        Master(pty)
    }

    /// The terminal.
    #[must_use]
    pub fn pty(&self) -> &Arc<Pty> {
        &self.0
    }
}

impl Slave {
    /// Opens the slave; `EIO` while it is locked or once the master is gone.
    pub fn new(pty: Arc<Pty>) -> Result<Self, Errno> {
        {
            let mut state = pty.state.lock();
            if state.locked || state.masters == 0 {
                return Err(EIO);
            }
            state.slaves += 1;
            state.had_slave = true;
        }
        pty.master_queue.notify(Ready::WRITABLE);
        Ok(Slave(pty))
    }

    /// The terminal.
    #[must_use]
    pub fn pty(&self) -> &Arc<Pty> {
        &self.0
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let last = {
            let mut state = self.0.state.lock();
            state.masters -= 1;
            state.masters == 0
        };
        if last {
            if let Some(kernel) = self.0.kernel.upgrade() {
                kernel.ptys.remove(&self.0);
            }
            self.0.hung_up();
        }
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        let last = {
            let mut state = self.0.state.lock();
            state.slaves -= 1;
            state.slaves == 0
        };
        if last {
            self.0.state.lock().exclusive = false;
            self.0.master_queue.notify(Ready::all());
        }
    }
}

impl Pty {
    /// What the slave wrote, for the master.
    pub(super) fn read_output(&self, dst: &mut Sink<'_>) -> Result<usize, Errno> {
        let count = {
            let mut state = self.state.lock();
            if state.packets && dst.remaining() > 0 {
                let status = std::mem::take(&mut state.packet_status);
                if status != 0 {
                    return dst.write(&[status]);
                }
            }
            if state.output.queue.len() == 0 || state.output.stopped {
                let gone = state.had_slave && state.slaves == 0;
                return Err(if gone { EIO } else { EAGAIN });
            }
            let header = if state.packets { dst.write(&[0])? } else { 0 };
            header + state.output.queue.read(dst, usize::MAX)?
        };
        self.slave_queue.notify(Ready::WRITABLE);
        Ok(count)
    }

    /// What was typed.
    pub(super) fn write_input(&self, src: &mut Source<'_>) -> Result<usize, Errno> {
        let mut total = 0;
        loop {
            match self.write_piece(src) {
                Ok(count) => total += count,
                Err(error) if total == 0 => return Err(error),
                Err(_) => return Ok(total),
            }
            if src.remaining() == 0 {
                return Ok(total);
            }
        }
    }

    /// TIOCSTI: a byte as if it had been typed.
    pub(super) fn type_byte(&self, byte: u8) {
        // What finds no room is lost.
        let _ = self.write_piece(&mut Source::kernel(&[byte]));
    }

    fn write_piece(&self, src: &mut Source<'_>) -> Result<usize, Errno> {
        let mut effects = Effects::default();
        let mut buf = [0; CHUNK];
        let count = {
            let mut state = self.state.lock();
            let state = &mut *state;
            let room = state.input.room(&state.settings).min(CHUNK);
            if room == 0 && src.remaining() > 0 {
                return Err(EAGAIN);
            }
            let space = buf.get_mut(..room.min(src.remaining())).unwrap_or(&mut []);
            let count = src.read(space)?;
            for &byte in space.iter().take(count) {
                state
                    .input
                    .typed(&state.settings, &mut state.output, byte, &mut effects);
            }
            count
        };
        self.apply(&effects);
        Ok(count)
    }

    /// What a program reads: at most one line, or what is there in raw mode.
    fn read_input(&self, dst: &mut Sink<'_>) -> Result<usize, Errno> {
        let count = {
            let mut state = self.state.lock();
            let state = &mut *state;
            if state.masters == 0 {
                return Ok(0);
            }
            let settings = &state.settings;
            if !state.input.is_ready(settings) {
                let polls = !settings.canonical() && settings.patience() == (0, None);
                if !polls {
                    return Err(EAGAIN);
                }
            }
            match state.input.take(settings, dst.remaining()) {
                Some(bytes) => dst.write(&bytes)?,
                None => 0,
            }
        };
        self.master_queue.notify(Ready::WRITABLE);
        Ok(count)
    }

    /// What a program writes.
    fn write_output(&self, src: &mut Source<'_>) -> Result<usize, Errno> {
        let count = {
            let mut state = self.state.lock();
            let state = &mut *state;
            if state.masters == 0 {
                return Err(EIO);
            }
            let room = state.output.room().min(CHUNK);
            if room == 0 && src.remaining() > 0 {
                return Err(EAGAIN);
            }
            let mut buf = [0; CHUNK];
            let space = buf.get_mut(..room.min(src.remaining())).unwrap_or(&mut []);
            let count = src.read(space)?;
            state
                .output
                .write(&state.settings, space.get(..count).unwrap_or(&[]));
            count
        };
        self.master_queue.notify(Ready::READABLE);
        Ok(count)
    }
}

impl FileOps for Master {
    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        self.0.read_output(dst)
    }

    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        self.0.write_input(src)
    }

    fn writes_whole(&self) -> bool {
        true
    }

    fn poll(&self) -> Ready {
        let state = self.0.state.lock();
        let mut ready = Ready::empty();
        let status = state.packets && state.packet_status != 0;
        ready.set(
            Ready::READABLE,
            (state.output.queue.len() > 0 && !state.output.stopped) || status,
        );
        ready.set(Ready::PRI, status);
        ready.set(Ready::WRITABLE, state.input.room(&state.settings) > 0);
        ready.set(Ready::HUP, state.had_slave && state.slaves == 0);
        ready
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(&self.0.master_queue))
    }

    fn ioctl(
        &self,
        task: &mut Current,
        file: &Arc<File>,
        command: u32,
        argument: u64,
    ) -> SysResult {
        if command == TIOCGPTPEER {
            return super::calls::open_peer(&self.0, task, file, argument);
        }
        super::ioctl::master(&self.0, task, command, argument)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl FileOps for Slave {
    fn before_read(&self, task: &Current) -> Result<(), syscalls::Stop> {
        super::calls::check_read(&self.0, task)
    }

    fn before_write(&self, task: &Current) -> Result<(), syscalls::Stop> {
        super::calls::check_write(&self.0, task)
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        self.0.read_input(dst)
    }

    /// VTIME without VMIN: how long the first byte may take.
    fn wait_limit(&self, ready: Ready) -> Option<Deadline> {
        let state = self.0.state.lock();
        if state.settings.canonical() || !ready.contains(Ready::READABLE) {
            return None;
        }
        match state.settings.patience() {
            (0, Some(time)) => Some(Deadline::after(time)),
            _ => None,
        }
    }

    /// Nothing was typed in time.
    fn read_late(&self) -> Result<usize, Errno> {
        Ok(0)
    }

    /// VTIME with VMIN: how long each byte after the first may take.
    fn reads_on(&self, count: usize) -> Option<Deadline> {
        let state = self.0.state.lock();
        match state.settings.patience() {
            (least, Some(time)) if !state.settings.canonical() && count < least => {
                Some(Deadline::after(time))
            }
            _ => None,
        }
    }

    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        self.0.write_output(src)
    }

    fn writes_whole(&self) -> bool {
        true
    }

    fn poll(&self) -> Ready {
        let state = self.0.state.lock();
        if state.masters == 0 {
            return Ready::READABLE | Ready::WRITABLE | Ready::HUP | Ready::ERR;
        }
        let mut ready = Ready::empty();
        ready.set(Ready::READABLE, state.input.is_ready(&state.settings));
        ready.set(Ready::WRITABLE, state.output.room() > 0);
        ready
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(&self.0.slave_queue))
    }

    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        super::ioctl::slave(&self.0, task, command, argument)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
