//! Devices and interrupts. There are no disks.

use syscalls::Errno;

use super::system::System;
use crate::fs::synth::{Entry, Opener, put};

/// proc_devices(5).
pub(super) const NUMBERS: &str = "\
Character devices:
  1 mem
  5 /dev/tty
  5 /dev/console
  5 /dev/ptmx
 10 misc
128 ptm
136 pts

Block devices:
";

/// proc_tty(5): programs find the names of terminals here.
pub(super) const TTY: &[Entry<System>] = &[Entry::fixed(
    "drivers",
    "\
/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/console         /dev/console    5       1 system:console
/dev/ptmx            /dev/ptmx       5       2 system
pty_slave            /dev/pts      136 0-1048575 pty:slave
pty_master           /dev/ptm      128 0-1048575 pty:master
",
)];

fn head(out: &mut String, cpus: u32) {
    for index in 0..cpus {
        put!(out, "{:<11}", format!("CPU{index}"));
    }
    out.push('\n');
}

/// proc_interrupts(5): none.
pub(super) fn interrupts(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let mut text = String::from("           ");
    head(&mut text, system.kernel()?.cpus());
    text.push_str("ERR:          0\nMIS:          0\n");
    Ok(text.into_bytes())
}

/// Software interrupts: none.
pub(super) fn softirqs(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    const KINDS: [&str; 10] = [
        "HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER",
        "RCU",
    ];
    let cpus = system.kernel()?.cpus();
    let mut text = String::from("                    ");
    head(&mut text, cpus);
    for kind in KINDS {
        put!(text, "{:>13}", format!("{kind}:"));
        for _ in 0..cpus {
            text.push_str("          0");
        }
        text.push('\n');
    }
    Ok(text.into_bytes())
}
