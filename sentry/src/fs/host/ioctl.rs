//! ioctl(2) of host descriptors: what a program asks of a terminal it was started on.

use std::os::fd::OwnedFd;

use nix::sys::termios::{SetArg, Termios as HostTermios, tcgetattr, tcsetattr};
use platform::host;
use syscalls::abi::fs::FIONREAD;
use syscalls::abi::tty::{TCGETS, TCSETS, TCSETSF, TCSETSW, TIOCGWINSZ, Termios, Winsize};
use syscalls::errno::ENOTTY;
use syscalls::{Errno, SysResult, UserAddr};

use crate::task::Current;

fn settings(fd: &OwnedFd) -> Result<Termios, Errno> {
    let host: nix::libc::termios = tcgetattr(fd).map_err(host::errno)?.into();
    let mut cc = [0; 19];
    for (to, from) in cc.iter_mut().zip(host.c_cc) {
        *to = from;
    }
    Ok(Termios {
        iflag: host.c_iflag,
        oflag: host.c_oflag,
        cflag: host.c_cflag,
        lflag: host.c_lflag,
        line: host.c_line,
        cc,
    })
}

fn apply(fd: &OwnedFd, when: SetArg, new: &Termios) -> Result<(), Errno> {
    let mut host: nix::libc::termios = tcgetattr(fd).map_err(host::errno)?.into();
    host.c_iflag = new.iflag;
    host.c_oflag = new.oflag;
    host.c_cflag = new.cflag;
    host.c_lflag = new.lflag;
    for (to, from) in host.c_cc.iter_mut().zip(new.cc) {
        *to = from;
    }
    tcsetattr(fd, when, &HostTermios::from(host)).map_err(host::errno)
}

pub(super) fn ioctl(fd: &OwnedFd, task: &Current, command: u32, argument: UserAddr) -> SysResult {
    let mem = task.mem();
    match command {
        TCGETS => mem.write(argument.cast(), &settings(fd)?)?,
        TCSETS | TCSETSW | TCSETSF => {
            let when = match command {
                TCSETS => SetArg::TCSANOW,
                TCSETSW => SetArg::TCSADRAIN,
                _ => SetArg::TCSAFLUSH,
            };
            apply(fd, when, &mem.read(argument.cast())?)?;
        }
        TIOCGWINSZ => {
            let size = host::tty::window_size(fd)?;
            let size = Winsize {
                row: size.rows,
                col: size.columns,
                xpixel: size.width,
                ypixel: size.height,
            };
            mem.write(argument.cast(), &size)?;
        }
        FIONREAD => {
            let count = i32::try_from(host::tty::readable_bytes(fd)?).unwrap_or(i32::MAX);
            mem.write(argument.cast(), &count)?;
        }
        _ => return Err(ENOTTY.into()),
    }
    Ok(0)
}
