//! Terminals, termios(3), ioctl_tty(2).

use super::layout;
use crate::flags::{flags, numbers};

layout! {
    /// Settings of a terminal as the kernel has them, `TCGETS`.
    pub struct Termios {
        pub iflag: u32,
        pub oflag: u32,
        pub cflag: u32,
        pub lflag: u32,
        pub line: u8,
        pub cc: [u8; 19],
    }

    /// The same with arbitrary speeds, `TCGETS2`.
    pub struct Termios2 {
        pub iflag: u32,
        pub oflag: u32,
        pub cflag: u32,
        pub lflag: u32,
        pub line: u8,
        pub cc: [u8; 19],
        pub ispeed: u32,
        pub ospeed: u32,
    }

    /// The same as System V had it, `TCGETA`: half of each word.
    pub struct Termio {
        pub iflag: u16,
        pub oflag: u16,
        pub cflag: u16,
        pub lflag: u16,
        pub line: u8,
        pub cc: [u8; 8],
        pub pad: u8,
    }

    /// The size of a window, `TIOCGWINSZ`.
    pub struct Winsize {
        pub row: u16,
        pub col: u16,
        pub xpixel: u16,
        pub ypixel: u16,
    }
}

flags! {
    /// `c_iflag`.
    pub struct InputModes: u32, "", kept {
        IGNBRK = 0o1;
        BRKINT = 0o2;
        IGNPAR = 0o4;
        PARMRK = 0o10;
        INPCK = 0o20;
        ISTRIP = 0o40;
        INLCR = 0o100;
        IGNCR = 0o200;
        ICRNL = 0o400;
        IUCLC = 0o1000;
        IXON = 0o2000;
        IXANY = 0o4000;
        IXOFF = 0o10_000;
        IMAXBEL = 0o20_000;
        IUTF8 = 0o40_000;
    }

    /// `c_oflag`.
    pub struct OutputModes: u32, "", kept {
        OPOST = 0o1;
        OLCUC = 0o2;
        ONLCR = 0o4;
        OCRNL = 0o10;
        ONOCR = 0o20;
        ONLRET = 0o40;
        OFILL = 0o100;
        OFDEL = 0o200;
        TABDLY = 0o14_000;
    }

    /// `c_cflag`.
    pub struct ControlModes: u32, "", kept {
        CSIZE = 0o60;
        CS8 = 0o60;
        CSTOPB = 0o100;
        CREAD = 0o200;
        PARENB = 0o400;
        PARODD = 0o1000;
        HUPCL = 0o2000;
        CLOCAL = 0o4000;
        B38400 = 0o17;
        CBAUD = 0o10_017;
    }

    /// `c_lflag`.
    pub struct LocalModes: u32, "", kept {
        ISIG = 0o1;
        ICANON = 0o2;
        XCASE = 0o4;
        ECHO = 0o10;
        ECHOE = 0o20;
        ECHOK = 0o40;
        ECHONL = 0o100;
        NOFLSH = 0o200;
        TOSTOP = 0o400;
        ECHOCTL = 0o1000;
        ECHOPRT = 0o2000;
        ECHOKE = 0o4000;
        FLUSHO = 0o10_000;
        PENDIN = 0o40_000;
        IEXTEN = 0o100_000;
        EXTPROC = 0o200_000;
    }
}

numbers! {
    /// Places in `c_cc`.
    pub const CONTROL_CHARACTERS: usize {
        VINTR = 0;
        VQUIT = 1;
        VERASE = 2;
        VKILL = 3;
        VEOF = 4;
        VTIME = 5;
        VMIN = 6;
        VSWTC = 7;
        VSTART = 8;
        VSTOP = 9;
        VSUSP = 10;
        VEOL = 11;
        VREPRINT = 12;
        VDISCARD = 13;
        VWERASE = 14;
        VLNEXT = 15;
        VEOL2 = 16;
    }

    /// Terminal requests of ioctl(2).
    pub const TTY_REQUESTS: u32 {
        TCGETS = 0x5401;
        TCSETS = 0x5402;
        TCSETSW = 0x5403;
        TCSETSF = 0x5404;
        TCGETA = 0x5405;
        TCSETA = 0x5406;
        TCSETAW = 0x5407;
        TCSETAF = 0x5408;
        TCSBRK = 0x5409;
        TCXONC = 0x540a;
        TCFLSH = 0x540b;
        TIOCEXCL = 0x540c;
        TIOCNXCL = 0x540d;
        TIOCSCTTY = 0x540e;
        TIOCGPGRP = 0x540f;
        TIOCSPGRP = 0x5410;
        TIOCOUTQ = 0x5411;
        TIOCSTI = 0x5412;
        TIOCGWINSZ = 0x5413;
        TIOCSWINSZ = 0x5414;
        TIOCMGET = 0x5415;
        TIOCLINUX = 0x541c;
        TIOCCONS = 0x541d;
        TIOCPKT = 0x5420;
        TIOCNOTTY = 0x5422;
        TIOCSETD = 0x5423;
        TIOCGETD = 0x5424;
        TCSBRKP = 0x5425;
        TIOCSBRK = 0x5427;
        TIOCCBRK = 0x5428;
        TIOCGSID = 0x5429;
        TCGETS2 = 0x802c_542a;
        TCSETS2 = 0x402c_542b;
        TCSETSW2 = 0x402c_542c;
        TCSETSF2 = 0x402c_542d;
        TIOCGPTN = 0x8004_5430;
        TIOCSPTLCK = 0x4004_5431;
        TIOCGDEV = 0x8004_5432;
        TIOCSIG = 0x4004_5436;
        TIOCVHANGUP = 0x5437;
        TIOCGPKT = 0x8004_5438;
        TIOCGPTLCK = 0x8004_5439;
        TIOCGEXCL = 0x8004_5440;
        TIOCGPTPEER = 0x5441;
        TIOCGLCKTRMIOS = 0x5456;
        TIOCSLCKTRMIOS = 0x5457;
    }

    /// What a packet-mode read begins with, ioctl_tty(2).
    pub const PACKET_MODES: u8 {
        TIOCPKT_DATA = 0;
        TIOCPKT_FLUSHREAD = 1;
        TIOCPKT_FLUSHWRITE = 2;
        TIOCPKT_STOP = 4;
        TIOCPKT_START = 8;
        TIOCPKT_NOSTOP = 16;
        TIOCPKT_DOSTOP = 32;
        TIOCPKT_IOCTL = 64;
    }
}
