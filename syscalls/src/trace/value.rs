//! Structures in guest memory as strace prints them.

use std::fmt::{self, Write};

use crate::abi::fs::{
    self, EpollEvent, EpollEvents, Flock, LOCK_TYPES, OpenFlags, OpenHow, PollFd, ResolveFlags,
    Stat, Statfs, StatfsFlags, Statx, StatxMask, WHENCE,
};
use crate::abi::ipc::{MqAttr, SemBuf};
use crate::abi::sched::{CloneArgs, CloneFlags, RLIM_INFINITY, Rlimit, Rusage, SchedParam};
use crate::abi::signal::{AltStack, AltStackFlags, SIG_DFL, SIG_IGN, Sigaction, SigactionFlags};
use crate::abi::task::{CapData, CapHeader, Sysinfo, Utsname};
use crate::abi::time::{Itimerspec, Itimerval, Timespec, Timeval, Timezone, Tms, Utimbuf};
use crate::abi::tty::Winsize;
use crate::arg::Fd;
use crate::flags::{Numbers, show as show_flags};
use crate::trace::text::quote;

/// A value that stands in guest memory.
pub(crate) trait Value {
    /// Prints it.
    fn show(&self, out: &mut dyn Write) -> fmt::Result;
}

/// Prints the name of a number, or the number.
pub(super) fn show_number(out: &mut dyn Write, names: Numbers, value: i64) -> fmt::Result {
    match names.iter().find(|(_, number)| *number == value) {
        Some((name, _)) => out.write_str(name),
        None => write!(out, "{value:#x} /* ??? */"),
    }
}

/// Prints the type and permissions of a file, or the permissions alone.
pub(super) fn show_mode(out: &mut dyn Write, mode: u32) -> fmt::Result {
    let kind = mode & fs::S_IFMT;
    if kind != 0 {
        show_number(out, fs::FILE_TYPES, i64::from(kind))?;
        out.write_char('|')?;
        for (bit, name) in [
            (0o4000, "S_ISUID|"),
            (0o2000, "S_ISGID|"),
            (0o1000, "S_ISVTX|"),
        ] {
            if mode & bit != 0 {
                out.write_str(name)?;
            }
        }
        return write!(out, "0{:03o}", mode & 0o777);
    }
    show_octal(out, mode)
}

/// Prints a number in octal with a leading zero and at least three digits.
pub(super) fn show_octal(out: &mut dyn Write, value: u32) -> fmt::Result {
    write!(out, "{:0>3}", format!("0{value:o}"))
}

/// Prints a signal set.
pub(super) fn show_sigset(out: &mut dyn Write, set: u64) -> fmt::Result {
    // Whichever of the set and its complement is shorter.
    let (inverted, members) = match set.count_ones() {
        33.. => ("~", !set),
        _ => ("", set),
    };
    write!(out, "{inverted}[")?;
    let mut separator = "";
    for signal in (1..=64).filter(|signal| members & (1 << (signal - 1)) != 0) {
        out.write_str(separator)?;
        let name = signal_name(signal);
        out.write_str(name.strip_prefix("SIG").unwrap_or(&name))?;
        separator = " ";
    }
    out.write_char(']')
}

/// A signal's name; the number for none.
pub(super) fn signal_name(signal: i32) -> String {
    let known = crate::abi::signal::SIGNALS
        .iter()
        .find(|(_, number)| *number == i64::from(signal));
    match (known, signal) {
        (Some((name, _)), _) => (*name).to_owned(),
        (None, 32) => "SIGRTMIN".to_owned(),
        (None, 33..=64) => format!("SIGRT_{}", signal - 32),
        _ => signal.to_string(),
    }
}

macro_rules! fields {
    ($($ty:ty { $($text:literal $field:ident),* $(,)? } $($more:literal)?)*) => {$(
        impl Value for $ty {
            fn show(&self, out: &mut dyn Write) -> fmt::Result {
                $(
                    out.write_str($text)?;
                    Value::show(&self.$field, out)?;
                )*
                out.write_str(concat!($($more,)? "}"))
            }
        }
    )*};
}

fields! {
    Timespec { "{tv_sec=" sec, ", tv_nsec=" nsec }
    Timeval { "{tv_sec=" sec, ", tv_usec=" usec }
    Timezone { "{tz_minuteswest=" minuteswest, ", tz_dsttime=" dsttime }
    Itimerval { "{it_interval=" interval, ", it_value=" value }
    Itimerspec { "{it_interval=" interval, ", it_value=" value }
    Utimbuf { "{actime=" actime, ", modtime=" modtime }
    Tms { "{tms_utime=" utime, ", tms_stime=" stime, ", tms_cutime=" cutime, ", tms_cstime=" cstime }
    Rusage { "{ru_utime=" utime, ", ru_stime=" stime } ", ..."
    Sysinfo {
        "{uptime=" uptime, ", loads=" loads, ", totalram=" totalram, ", freeram=" freeram,
        ", sharedram=" sharedram, ", bufferram=" bufferram, ", totalswap=" totalswap,
        ", freeswap=" freeswap, ", procs=" procs, ", totalhigh=" totalhigh,
        ", freehigh=" freehigh, ", mem_unit=" mem_unit,
    }
    Winsize { "{ws_row=" row, ", ws_col=" col, ", ws_xpixel=" xpixel, ", ws_ypixel=" ypixel }
    SemBuf { "{sem_num=" num, ", sem_op=" op, ", sem_flg=" flg }
    MqAttr { "{mq_flags=" flags, ", mq_maxmsg=" maxmsg, ", mq_msgsize=" msgsize, ", mq_curmsgs=" curmsgs }
    CapData { "{effective=" effective, ", permitted=" permitted, ", inheritable=" inheritable }
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Value for $ty {
            fn show(&self, out: &mut dyn Write) -> fmt::Result {
                write!(out, "{self}")
            }
        }
    )*};
}
numbers! { u8 u16 i16 u32 i32 u64 i64 usize }

impl Value for Fd {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

impl<T: Value, const N: usize> Value for [T; N] {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        show_list(out, self)
    }
}

/// Prints `[a, b]`.
pub(super) fn show_list<T: Value>(out: &mut dyn Write, values: &[T]) -> fmt::Result {
    out.write_char('[')?;
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.write_str(", ")?;
        }
        value.show(out)?;
    }
    out.write_char(']')
}

impl Value for Sigaction {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        match self.handler.get() {
            SIG_DFL => out.write_str("{sa_handler=SIG_DFL")?,
            SIG_IGN => out.write_str("{sa_handler=SIG_IGN")?,
            handler => write!(out, "{{sa_handler={handler:#x}")?,
        }
        out.write_str(", sa_mask=")?;
        show_sigset(out, self.mask)?;
        out.write_str(", sa_flags=")?;
        let flags = SigactionFlags::from_bits_retain(self.flags);
        show_flags(flags, out)?;
        if flags.contains(SigactionFlags::RESTORER) {
            write!(out, ", sa_restorer={:?}", self.restorer)?;
        }
        out.write_char('}')
    }
}

impl Value for AltStack {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{{ss_sp={:?}, ss_flags=", self.sp)?;
        show_flags(AltStackFlags::from_bits_retain(self.flags), out)?;
        write!(out, ", ss_size={}}}", self.size)
    }
}

impl Value for PollFd {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{{fd={}, events=", self.fd)?;
        show_flags(fs::PollEvents::from_bits_retain(self.events), out)?;
        out.write_char('}')
    }
}

impl Value for EpollEvent {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        let (events, data) = (self.events, self.data);
        out.write_str("{events=")?;
        show_flags(EpollEvents::from_bits_retain(events), out)?;
        write!(out, ", data={{u32={}, u64={data}}}}}", data & 0xffff_ffff)
    }
}

impl Value for Stat {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("{st_mode=")?;
        show_mode(out, self.mode)?;
        if matches!(self.mode & fs::S_IFMT, fs::S_IFCHR | fs::S_IFBLK) {
            let major = (self.rdev >> 8) & 0xfff;
            let minor = (self.rdev & 0xff) | ((self.rdev >> 12) & 0xf_ff00);
            return write!(out, ", st_rdev=makedev({major:#x}, {minor:#x}), ...}}");
        }
        write!(out, ", st_size={}, ...}}", self.size)
    }
}

impl Value for Statx {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("{stx_mask=")?;
        show_flags(StatxMask::from_bits_retain(self.mask), out)?;
        out.write_str(", stx_attributes=")?;
        show_flags(fs::StatxAttributes::from_bits_retain(self.attributes), out)?;
        out.write_str(", stx_mode=")?;
        show_mode(out, u32::from(self.mode))?;
        write!(out, ", stx_size={}, ...}}", self.size)
    }
}

impl Value for Statfs {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("{f_type=")?;
        show_number(out, fs::MAGICS, self.kind)?;
        write!(
            out,
            ", f_bsize={}, f_blocks={}, f_bfree={}, f_bavail={}, f_files={}, f_ffree={}",
            self.bsize, self.blocks, self.bfree, self.bavail, self.files, self.ffree
        )?;
        write!(
            out,
            ", f_fsid={{val=[{:#x}, {:#x}]}}, f_namelen={}, f_frsize={}, f_flags=",
            self.fsid[0], self.fsid[1], self.namelen, self.frsize
        )?;
        let flags = u64::from_ne_bytes(self.flags.to_ne_bytes());
        show_flags(StatfsFlags::from_bits_retain(flags), out)?;
        out.write_char('}')
    }
}

impl Value for Flock {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("{l_type=")?;
        show_number(out, LOCK_TYPES, i64::from(self.kind))?;
        out.write_str(", l_whence=")?;
        show_number(out, WHENCE, i64::from(self.whence))?;
        write!(out, ", l_start={}, l_len={}}}", self.start, self.len)
    }
}

impl Value for OpenHow {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("{flags=")?;
        match u32::try_from(self.flags) {
            Ok(flags) => show_flags(OpenFlags::from_bits_retain(flags), out)?,
            Err(_) => write!(out, "{:#x}", self.flags)?,
        }
        if self.mode != 0 {
            write!(out, ", mode=0{:o}", self.mode)?;
        }
        out.write_str(", resolve=")?;
        show_flags(ResolveFlags::from_bits_retain(self.resolve), out)?;
        out.write_char('}')
    }
}

/// Prints a limit as strace does: in KiB where it is a multiple.
fn show_limit(out: &mut dyn Write, limit: u64) -> fmt::Result {
    match limit {
        RLIM_INFINITY => out.write_str("RLIM64_INFINITY"),
        1025.. if limit.is_multiple_of(1024) => write!(out, "{}*1024", limit / 1024),
        _ => write!(out, "{limit}"),
    }
}

impl Value for Rlimit {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("{rlim_cur=")?;
        show_limit(out, self.cur)?;
        out.write_str(", rlim_max=")?;
        show_limit(out, self.max)?;
        out.write_char('}')
    }
}

impl Value for SchedParam {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "[{}]", self.priority)
    }
}

impl Value for CloneArgs {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("{flags=")?;
        show_flags(CloneFlags::from_bits_retain(self.flags), out)?;
        for (name, value) in [
            ("pidfd", self.pidfd),
            ("child_tid", self.child_tid),
            ("parent_tid", self.parent_tid),
        ] {
            if value != 0 {
                write!(out, ", {name}={value:#x}")?;
            }
        }
        let signal = i32::try_from(self.exit_signal).unwrap_or(-1);
        write!(out, ", exit_signal={}", signal_name(signal))?;
        match self.stack {
            0 => out.write_str(", stack=NULL")?,
            stack => write!(out, ", stack={stack:#x}")?,
        }
        write!(out, ", stack_size={:#x}", self.stack_size)?;
        if self.tls != 0 {
            write!(out, ", tls={:#x}", self.tls)?;
        }
        out.write_char('}')
    }
}

impl Value for Utsname {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        let name = |field: &[u8]| {
            field
                .split(|&byte| byte == 0)
                .next()
                .unwrap_or(&[])
                .to_vec()
        };
        out.write_str("{sysname=")?;
        quote(out, &name(&self.sysname))?;
        out.write_str(", nodename=")?;
        quote(out, &name(&self.nodename))?;
        out.write_str(", ...}")
    }
}

impl Value for CapHeader {
    fn show(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("{version=")?;
        let version = i64::from(self.version);
        show_number(out, crate::abi::task::CAPABILITY_VERSIONS, version)?;
        write!(out, ", pid={}}}", self.pid)
    }
}
