//! ioctl_tty(2).

use std::sync::Arc;

use platform::host::tty::WindowSize;
use syscalls::abi::fs::FIONREAD;
use syscalls::abi::tty::{
    TCFLSH, TCGETA, TCGETS, TCGETS2, TCSBRK, TCSBRKP, TCSETA, TCSETAF, TCSETAW, TCSETS, TCSETS2,
    TCSETSF, TCSETSF2, TCSETSW, TCSETSW2, TCXONC, TIOCCBRK, TIOCEXCL, TIOCGDEV, TIOCGETD,
    TIOCGEXCL, TIOCGLCKTRMIOS, TIOCGPGRP, TIOCGPKT, TIOCGPTLCK, TIOCGPTN, TIOCGSID, TIOCGWINSZ,
    TIOCNOTTY, TIOCNXCL, TIOCOUTQ, TIOCPKT, TIOCSBRK, TIOCSCTTY, TIOCSETD, TIOCSIG, TIOCSLCKTRMIOS,
    TIOCSPGRP, TIOCSPTLCK, TIOCSTI, TIOCSWINSZ, Termios, Termios2, Winsize,
};
use syscalls::errno::{EINVAL, EIO, ENOTTY, EPERM, ESRCH};
use syscalls::{Errno, SysResult, UserAddr};
use zerocopy::FromZeros;

use super::packet::Told;
use super::settings::Settings;
use super::{Master, Pty};
use crate::signal::Signal;
use crate::task::{Capabilities, Current, Terminal};
use crate::wait::Ready;

fn int(task: &Current, at: u64) -> Result<i32, Errno> {
    task.mem().read(UserAddr::new(at).cast())
}

fn put(task: &Current, at: u64, value: i32) -> SysResult {
    task.mem().write(UserAddr::new(at).cast(), &value)?;
    Ok(0)
}

/// The master's own requests.
pub(super) fn master(pty: &Arc<Pty>, task: &mut Current, command: u32, argument: u64) -> SysResult {
    match command {
        TIOCGPTN => put(task, argument, i32::try_from(pty.index).map_err(|_| EIO)?),
        TIOCSPTLCK => {
            let locked = int(task, argument)? != 0;
            pty.state.lock().locked = locked;
            Ok(0)
        }
        TIOCGPTLCK => put(task, argument, i32::from(pty.state.lock().locked)),
        TIOCPKT => {
            let packets = int(task, argument)? != 0;
            let mut state = pty.state.lock();
            state.packets = packets;
            state.packet_status = 0;
            Ok(0)
        }
        TIOCGPKT => put(task, argument, i32::from(pty.state.lock().packets)),
        TIOCSIG => {
            let number = i32::try_from(argument).map_err(|_| EINVAL)?;
            let signal = Signal::new(number)?;
            if ![Signal::INT, Signal::QUIT, Signal::TSTP].contains(&signal) {
                return Err(EINVAL.into());
            }
            pty.signal_foreground(signal);
            Ok(0)
        }
        FIONREAD => {
            let count = pty.state.lock().output.queue.len();
            put(task, argument, i32::try_from(count).unwrap_or(i32::MAX))
        }
        // Asked of the master, about the slave: no controlling terminal is needed.
        TIOCGPGRP => {
            let foreground = pty.session().map_or(0, |session| session.foreground());
            put(task, argument, foreground)
        }
        TIOCGSID => put(task, argument, pty.session().ok_or(ENOTTY)?.sid),
        TIOCSCTTY | TIOCNOTTY => Err(ENOTTY.into()),
        // Nobody could open this end again.
        TIOCEXCL | TIOCNXCL => Ok(0),
        TIOCGEXCL => put(task, argument, 0),
        _ => common(pty, task, command, argument),
    }
}

/// The slave's own requests.
pub(super) fn slave(pty: &Arc<Pty>, task: &mut Current, command: u32, argument: u64) -> SysResult {
    // Nothing can be asked of a terminal that hung up.
    if pty.state.lock().masters == 0 {
        return Err(if command == TIOCSPGRP { ENOTTY } else { EIO }.into());
    }
    let session = task.group.session.get();
    let controls = || {
        let this: Arc<dyn Terminal> = pty.clone();
        if session.controls(&this) {
            Ok(())
        } else {
            Err(ENOTTY)
        }
    };
    match command {
        TIOCSCTTY => {
            let steals = argument == 1 && task.creds.get().has(Capabilities::SYS_ADMIN);
            if steals {
                pty.leave_session();
            }
            pty.make_controlling(task)?;
        }
        TIOCNOTTY => {
            controls()?;
            if session.sid == task.group.pid {
                pty.hung_up();
            }
        }
        TIOCEXCL | TIOCNXCL => pty.state.lock().exclusive = command == TIOCEXCL,
        TIOCGEXCL => return put(task, argument, i32::from(pty.state.lock().exclusive)),
        TIOCGPGRP => {
            controls()?;
            return put(task, argument, task.number_of(session.foreground()));
        }
        TIOCSPGRP => {
            controls()?;
            pty.check_change(task)?;
            let pgid = int(task, argument)?;
            if pgid < 0 {
                return Err(EINVAL.into());
            }
            let pgid = task.resolve(pgid).ok_or(ESRCH)?;
            match task.kernel.pids.session_of_group(pgid) {
                None => return Err(ESRCH.into()),
                Some(sid) if sid != session.sid => return Err(EPERM.into()),
                Some(_) => session.set_foreground(pgid),
            }
        }
        TIOCGSID => {
            controls()?;
            return put(task, argument, task.number_of(session.sid));
        }
        FIONREAD => {
            let state = pty.state.lock();
            let count = i32::try_from(state.input.len(&state.settings)).unwrap_or(i32::MAX);
            drop(state);
            return put(task, argument, count);
        }
        _ => return common(pty, task, command, argument),
    }
    Ok(0)
}

fn set(pty: &Pty, task: &Current, settings: Settings, flush: bool) -> SysResult {
    pty.check_change(task)?;
    {
        let mut state = pty.state.lock();
        let before = std::mem::replace(&mut state.settings, settings);
        if flush {
            state.input.clear();
            state.tell(Told::FlushRead);
        }
        if before.canonical() != settings.canonical() {
            state.input.mode_changed(settings.canonical());
        }
        state.tell_settings(&before);
    }
    pty.notify_packet();
    pty.slave_queue.notify(Ready::all());
    Ok(0)
}

/// What both ends answer.
fn common(pty: &Pty, task: &Current, command: u32, argument: u64) -> SysResult {
    let at = UserAddr::new(argument);
    let mem = task.mem();
    match command {
        TCGETS => mem.write(at.cast(), &pty.state.lock().settings.to_abi())?,
        TCSETS | TCSETSW | TCSETSF => {
            let settings = Settings::from_abi(&mem.read(at.cast())?);
            return set(pty, task, settings, command == TCSETSF);
        }
        TCGETA => mem.write(at.cast(), &pty.state.lock().settings.to_short())?,
        TCSETA | TCSETAW | TCSETAF => {
            let short = mem.read(at.cast())?;
            let settings = pty.state.lock().settings.with_short(&short);
            return set(pty, task, settings, command == TCSETAF);
        }
        // Nobody has locked anything.
        TIOCGLCKTRMIOS => mem.write(at.cast(), &Termios::new_zeroed())?,
        TIOCSLCKTRMIOS if !task.creds.get().has(Capabilities::SYS_ADMIN) => {
            return Err(EPERM.into());
        }
        TCGETS2 => {
            let abi = pty.state.lock().settings.to_abi();
            let Termios {
                iflag,
                oflag,
                cflag,
                lflag,
                line,
                cc,
            } = abi;
            let speed = 38400;
            let abi = Termios2 {
                iflag,
                oflag,
                cflag,
                lflag,
                line,
                cc,
                ispeed: speed,
                ospeed: speed,
            };
            mem.write(at.cast(), &abi)?;
        }
        TCSETS2 | TCSETSW2 | TCSETSF2 => {
            let Termios2 {
                iflag,
                oflag,
                cflag,
                lflag,
                line,
                cc,
                ..
            } = mem.read(at.cast())?;
            let settings = Settings::from_abi(&Termios {
                iflag,
                oflag,
                cflag,
                lflag,
                line,
                cc,
            });
            return set(pty, task, settings, command == TCSETSF2);
        }
        TIOCGWINSZ => {
            let size = pty.state.lock().window;
            let size = Winsize {
                row: size.rows,
                col: size.columns,
                xpixel: size.width,
                ypixel: size.height,
            };
            mem.write(at.cast(), &size)?;
        }
        TIOCSWINSZ => {
            let size: Winsize = mem.read(at.cast())?;
            pty.set_window(WindowSize {
                rows: size.row,
                columns: size.col,
                width: size.xpixel,
                height: size.ypixel,
            });
        }
        TCFLSH => flush(pty, task, argument)?,
        TCXONC => flow(pty, task, argument)?,
        // Breaks have no meaning on a pseudoterminal; output is where it goes at once.
        TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => pty.check_change(task)?,
        TIOCOUTQ => {
            let count = pty.state.lock().output.queue.len();
            return put(task, argument, i32::try_from(count).unwrap_or(i32::MAX));
        }
        TIOCGETD => return put(task, argument, 0),
        TIOCSETD => {
            if int(task, argument)? != 0 {
                return Err(EINVAL.why("only the N_TTY discipline").into());
            }
        }
        TIOCGDEV => {
            let device = u32::try_from(Terminal::device(pty).to_raw()).unwrap_or(0);
            return put(task, argument, device.cast_signed());
        }
        TIOCSTI => {
            if !task.creds.get().has(Capabilities::SYS_ADMIN) {
                return Err(EPERM.into());
            }
            pty.type_byte(mem.read(at.cast())?);
        }
        _ => return Err(ENOTTY.into()),
    }
    Ok(0)
}

fn flush(pty: &Pty, task: &Current, which: u64) -> Result<(), syscalls::Stop> {
    pty.check_change(task)?;
    {
        let mut state = pty.state.lock();
        if !matches!(which, 0..=2) {
            return Err(EINVAL.into());
        }
        if which != 1 {
            state.input.clear();
            state.tell(Told::FlushRead);
        }
        if which != 0 {
            state.output.queue.skip(usize::MAX);
            state.tell(Told::FlushWrite);
        }
    }
    pty.notify_packet();
    pty.master_queue.notify(Ready::WRITABLE);
    pty.slave_queue.notify(Ready::WRITABLE);
    Ok(())
}

fn flow(pty: &Pty, task: &Current, action: u64) -> Result<(), syscalls::Stop> {
    pty.check_change(task)?;
    match action {
        0 | 1 => {
            let mut state = pty.state.lock();
            state.output.stopped = action == 0;
            state.tell(if action == 0 {
                Told::Stopped
            } else {
                Told::Started
            });
            drop(state);
            pty.notify_packet();
            pty.slave_queue.notify(Ready::WRITABLE);
            pty.master_queue.notify(Ready::READABLE);
        }
        2 | 3 => {}
        _ => return Err(EINVAL.into()),
    }
    Ok(())
}

impl Master {
    /// For the kernel's own terminal (the console): lets the slave be opened.
    pub(crate) fn unlock(&self) {
        self.0.state.lock().locked = false;
    }
}
