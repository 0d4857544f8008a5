//! What a stop of a traced task means.

use syscalls::{PAGE_SIZE, UserAddr};

use crate::{Event, Prot, Regs};

/// A processor exception as the host tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signal {
    /// Number.
    pub(super) number: i32,
    /// `si_code`
    pub(super) code: i32,
    /// `si_addr`
    pub(super) addr: u64,
}

/// `SI_KERNEL`: an exception without an address.
const SI_KERNEL: i32 = 0x80;
const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;
/// Bytes of the longest instruction.
const INSTRUCTION: u64 = 15;

/// Turns exceptions into events.
#[derive(Default)]
pub(super) struct Stops {
    /// Instruction and address of the fault before, if it was reported as a write.
    last_write: Option<(u64, u64)>,
}

impl Stops {
    /// A system call was caught. The host stops at those of the 32-bit entries too (int
    /// 0x80, and whatever 32-bit code does); they are not for us: as on a kernel without
    /// 32-bit support, the instruction faults.
    pub(super) fn syscall(&mut self, regs: &mut Regs) -> Event {
        self.last_write = None;
        // The SYSCALL instruction leaves its return address in rcx; no other way does.
        if regs.cs == Regs::USER_CS && regs.rcx == regs.rip {
            return Event::Syscall;
        }
        const LENGTH: u64 = 2;
        regs.rip = regs.rip.wrapping_sub(LENGTH);
        regs.rax = regs.orig_rax;
        general_protection()
    }

    /// An exception, not a signal that somebody sent. `None` for signals that are no
    /// exceptions.
    pub(super) fn exception(&mut self, signal: Signal, regs: &mut Regs) -> Option<Event> {
        let last_write = self.last_write.take();
        let event = match signal.number {
            _ if regs.cs != Regs::USER_CS => general_protection(),
            libc::SIGSEGV if matches!(signal.code, SEGV_MAPERR | SEGV_ACCERR) => {
                self.fault(signal, regs, last_write)
            }
            // A call of the vsyscall page, stopped by the filter of guest tasks: rip is
            // behind it, rax holds the number.
            libc::SIGSYS => {
                regs.orig_rax = regs.rax;
                Event::Syscall
            }
            libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP => {
                Event::Exception {
                    signal: signal.number,
                    code: signal.code,
                    addr: UserAddr::new(signal.addr),
                }
            }
            _ => return None,
        };
        Some(event)
    }

    /// The host does not tell what kind of access it was; the rule is in [`Event::Fault`].
    fn fault(&mut self, signal: Signal, regs: &Regs, last_write: Option<(u64, u64)>) -> Event {
        let addr = signal.addr;
        let here = (regs.rip, addr);
        // An instruction can cross into the page that faults; then again, it can lie just
        // before the data that it writes to. A write that was seen to does not fault
        // again at once, a fetch does.
        let ahead = addr.wrapping_sub(regs.rip);
        let could_be_fetch = (1..INSTRUCTION).contains(&ahead) && addr.is_multiple_of(PAGE_SIZE);
        let access = if ahead == 0 || (could_be_fetch && last_write == Some(here)) {
            Prot::EXEC
        } else if signal.code == SEGV_ACCERR {
            self.last_write = Some(here);
            Prot::WRITE
        } else {
            Prot::READ
        };
        Event::Fault {
            addr: UserAddr::new(addr),
            access,
        }
    }
}

fn general_protection() -> Event {
    Event::Exception {
        signal: libc::SIGSEGV,
        code: SI_KERNEL,
        addr: UserAddr::NULL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regs(rip: u64) -> Regs {
        Regs::start(rip, 0)
    }

    fn fault(stops: &mut Stops, rip: u64, addr: u64, code: i32) -> Prot {
        let signal = Signal {
            number: libc::SIGSEGV,
            code,
            addr,
        };
        match stops.exception(signal, &mut regs(rip)) {
            Some(Event::Fault { access, .. }) => access,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn kinds_of_access() {
        let stops = &mut Stops::default();
        assert_eq!(fault(stops, 0x1000, 0x1000, SEGV_MAPERR), Prot::EXEC);
        assert_eq!(fault(stops, 0x1000, 0x1000, SEGV_ACCERR), Prot::EXEC);
        assert_eq!(fault(stops, 0x1000, 0x5008, SEGV_MAPERR), Prot::READ);
        assert_eq!(fault(stops, 0x1000, 0x5008, SEGV_ACCERR), Prot::WRITE);
        assert_eq!(fault(stops, 0x1000, 0x5008, SEGV_ACCERR), Prot::WRITE);
    }

    #[test]
    fn an_instruction_that_crosses_into_a_page_without_exec() {
        let stops = &mut Stops::default();
        assert_eq!(fault(stops, 0x1ffd, 0x2000, SEGV_MAPERR), Prot::READ);
        assert_eq!(fault(stops, 0x1ffd, 0x2000, SEGV_ACCERR), Prot::WRITE);
        assert_eq!(fault(stops, 0x1ffd, 0x2000, SEGV_ACCERR), Prot::EXEC);
        assert_eq!(fault(stops, 0x1ffd, 0x2000, SEGV_ACCERR), Prot::WRITE);
        let mut other = regs(0x1ffd);
        other.rcx = other.rip;
        assert_eq!(stops.syscall(&mut other), Event::Syscall);
        assert_eq!(fault(stops, 0x1ffd, 0x2000, SEGV_ACCERR), Prot::WRITE);
    }

    #[test]
    fn the_32_bit_entry_faults() {
        let stops = &mut Stops::default();
        let mut regs = Regs {
            orig_rax: 20,
            ..regs(0x1002)
        };
        let event = stops.syscall(&mut regs);
        assert_eq!(event, general_protection());
        assert_eq!((regs.rip, regs.rax), (0x1000, 20));
    }
}
