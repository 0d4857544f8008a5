//! Pseudoterminals, pty(7), and their line discipline, termios(3).
//!
//! A [`Pty`] is both ends. What the master writes goes through the discipline ([`input`])
//! to the slave's readers; what the slave writes is processed ([`output`]) into the
//! master's queue, together with echoes. Signals that characters cause are sent after the
//! terminal's lock is released.

mod calls;
mod console;
mod ends;
mod input;
mod ioctl;
mod output;
mod packet;
mod settings;
mod table;

use std::any::Any;
use std::sync::{Arc, Weak};

use platform::host::tty::WindowSize;
use syscalls::abi::signal::Siginfo;

use self::input::Input;
use self::output::Output;
use crate::kernel::Kernel;
use crate::signal::Signal;
use crate::sync::{Level, Mutex};
use crate::task::{Session, Terminal};
use crate::vfs::DeviceNumber;
use crate::wait::{Ready, WaitQueue};

pub(crate) use calls::{open_current, open_slave};
pub use console::{Console, HostTerminal};
pub use ends::{Master, Slave};
pub use settings::Settings;
pub use table::PtyTable;

/// Major number of Unix98 slaves.
pub const SLAVE_MAJOR: u32 = 136;
/// /dev/tty.
pub const CURRENT_TTY: DeviceNumber = DeviceNumber { major: 5, minor: 0 };
/// /dev/ptmx.
pub const PTMX: DeviceNumber = DeviceNumber { major: 5, minor: 2 };

/// A pseudoterminal.
pub struct Pty {
    /// Its number: the name in /dev/pts.
    pub index: u32,
    /// The instance of devpts that it is in: its device number.
    instance: u64,
    /// User and group of whoever opened ptmx: whom the slave belongs to.
    pub owner: (u32, u32),
    kernel: Weak<Kernel>,
    state: Mutex<State>,
    /// Told of what concerns the slave's users.
    slave_queue: WaitQueue,
    /// Told of what concerns the master's.
    master_queue: WaitQueue,
    this: Weak<Pty>,
}

struct State {
    settings: Settings,
    window: WindowSize,
    input: Input,
    output: Output,
    /// unlockpt(3) has not been called.
    locked: bool,
    /// TIOCPKT.
    packets: bool,
    /// TIOCPKT_* for the next packet-mode read.
    packet_status: u8,
    /// TIOCEXCL: only the privileged open it again.
    exclusive: bool,
    masters: u32,
    slaves: u32,
    /// A slave was opened before: its last close hangs up the master.
    had_slave: bool,
    /// The session that it controls.
    session: Weak<Session>,
}

/// Signals that something caused, to be sent without locks.
#[derive(Default)]
struct Effects {
    signal: Option<Signal>,
    master: Ready,
    slave: Ready,
}

impl Pty {
    fn new(kernel: Weak<Kernel>, (instance, index): (u64, u32), owner: (u32, u32)) -> Arc<Self> {
        Arc::new_cyclic(|this| Pty {
            index,
            instance,
            owner,
            kernel,
            state: Mutex::new(
                Level::Tty,
                State {
                    settings: Settings::default(),
                    window: WindowSize::default(),
                    input: Input::default(),
                    output: Output::default(),
                    locked: true,
                    packets: false,
                    packet_status: 0,
                    exclusive: false,
                    masters: 0,
                    slaves: 0,
                    had_slave: false,
                    session: Weak::new(),
                },
            ),
            slave_queue: WaitQueue::new(),
            master_queue: WaitQueue::new(),
            this: this.clone(),
        })
    }

    /// Does what a change of state asks for. No lock may be held.
    fn apply(&self, effects: &Effects) {
        if !effects.master.is_empty() {
            self.master_queue.notify(effects.master);
        }
        if !effects.slave.is_empty() {
            self.slave_queue.notify(effects.slave);
        }
        if let Some(signal) = effects.signal {
            self.signal_foreground(signal);
        }
    }

    /// The session that it controls.
    fn session(&self) -> Option<Arc<Session>> {
        self.state.lock().session.upgrade()
    }

    fn signal_foreground(&self, signal: Signal) {
        let (Some(session), Some(kernel)) = (self.session(), self.kernel.upgrade()) else {
            return;
        };
        let group = session.foreground();
        if group > 0 {
            // A group whose last process is gone takes no signal.
            let _ = kernel.signal_process_group(group, &Siginfo::kernel(signal.raw()));
        }
    }

    /// TIOCSWINSZ: tells the foreground if the size is another.
    pub fn set_window(&self, window: WindowSize) {
        let changed = {
            let mut state = self.state.lock();
            std::mem::replace(&mut state.window, window) != window
        };
        if changed {
            self.signal_foreground(Signal::WINCH);
        }
    }

    /// The last master is gone, or the session's leader: nothing comes or goes any more.
    fn hung_up(&self) {
        let session = {
            let mut state = self.state.lock();
            state.input.clear();
            std::mem::take(&mut state.session).upgrade()
        };
        self.slave_queue.notify(Ready::all());
        if let (Some(session), Some(kernel)) = (session, self.kernel.upgrade()) {
            let foreground = session.foreground();
            session.set_terminal(None, 0);
            for signal in [Signal::HUP, Signal::CONT] {
                let info = Siginfo::kernel(signal.raw());
                if let Some(leader) = kernel.pids.group(session.sid) {
                    let _ = kernel.signal_process(&leader, &info, crate::signal::Source::Inside);
                }
                if foreground > 0 {
                    let _ = kernel.signal_process_group(foreground, &info);
                }
            }
        }
    }
}

impl Terminal for Pty {
    fn device(&self) -> DeviceNumber {
        DeviceNumber {
            major: SLAVE_MAJOR,
            minor: self.index,
        }
    }

    fn hang_up(&self) {
        {
            let mut state = self.state.lock();
            state.session = Weak::new();
            state.input.clear();
        }
        self.slave_queue.notify(Ready::all());
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
