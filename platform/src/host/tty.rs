//! Terminals and byte counts by ioctl(2). Terminal attributes (termios) are safe in nix.

use std::os::fd::{AsFd, AsRawFd};

use syscalls::Errno;

use super::check;

/// The size of a terminal window, ioctl_tty(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WindowSize {
    /// Lines of text.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
    /// Width, pixels; mostly 0.
    pub width: u16,
    /// Height, pixels; mostly 0.
    pub height: u16,
}

/// TIOCGWINSZ; `ENOTTY` if it is no terminal.
pub fn window_size(terminal: impl AsFd) -> Result<WindowSize, Errno> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = terminal.as_fd().as_raw_fd();
    // SAFETY: the call fills in a winsize.
    check(unsafe { libc::ioctl(terminal, libc::TIOCGWINSZ, &raw mut size) })?;
    Ok(WindowSize {
        rows: size.ws_row,
        columns: size.ws_col,
        width: size.ws_xpixel,
        height: size.ws_ypixel,
    })
}

/// TIOCSWINSZ.
pub fn set_window_size(terminal: impl AsFd, size: WindowSize) -> Result<(), Errno> {
    let size = libc::winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: size.width,
        ws_ypixel: size.height,
    };
    let terminal = terminal.as_fd().as_raw_fd();
    // SAFETY: the call reads a winsize.
    check(unsafe { libc::ioctl(terminal, libc::TIOCSWINSZ, &raw const size) }).map(drop)
}

/// TIOCSCTTY: makes the terminal the controlling one of this session, which we lead.
pub fn make_controlling(terminal: impl AsFd) -> Result<(), Errno> {
    let terminal = terminal.as_fd().as_raw_fd();
    // SAFETY: the argument is a plain number.
    check(unsafe { libc::ioctl(terminal, libc::TIOCSCTTY, 0) }).map(drop)
}

/// FIONREAD: bytes that can be read at once from a pipe, socket or terminal.
pub fn readable_bytes(file: impl AsFd) -> Result<usize, Errno> {
    let mut count: libc::c_int = 0;
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the call fills in an int.
    check(unsafe { libc::ioctl(file, libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}
