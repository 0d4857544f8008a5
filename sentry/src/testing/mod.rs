//! A kernel for unit tests: its one task can be asked to make calls, but no application
//! code ever runs.

use std::any::Any;
use std::sync::Arc;

use platform::{
    AddressSpace, Context, Error, Event, FpState, Interrupt, MapOp, MemoryFile, Platform, Regs,
};
use syscalls::UserAddr;

use crate::config::Config;
use crate::fd::FdTable;
use crate::fs::tmpfs;
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::signal::{SigSet, SignalHandlers};
use crate::task::{
    Capabilities, Credentials, Current, FsContext, Limits, NewGroup, NewTask, Session, Task,
    ThreadGroup,
};
use crate::vfs::{Dentry, Mount, MountFlags, MountNamespace};

struct Nowhere;

impl Platform for Nowhere {
    fn name(&self) -> &'static str {
        "none"
    }

    fn user_range(&self) -> (UserAddr, UserAddr) {
        (UserAddr::new(0x1_0000), UserAddr::new(0x7fff_ffff_f000))
    }

    fn new_address_space(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        Ok(Arc::new(Nowhere))
    }

    fn settle(&self) {}

    fn new_context(&self) -> Result<Box<dyn Context>, Error> {
        Ok(Box::new(Nowhere))
    }
}

impl AddressSpace for Nowhere {
    fn apply(&self, _: &[MapOp]) -> Result<(), Error> {
        Ok(())
    }

    fn fork(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        Ok(Arc::new(Nowhere))
    }

    fn retire(&self, _: Box<dyn Send>) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Context for Nowhere {
    fn switch(&mut self, _: &Arc<dyn AddressSpace>, _: &mut Regs) -> Result<Event, Error> {
        Err(Error::Died)
    }

    fn fp_state(&mut self) -> Result<FpState, Error> {
        Err(Error::Died)
    }

    fn set_fp_state(&mut self, _: &FpState) -> Result<(), Error> {
        Err(Error::Died)
    }

    fn interrupter(&self) -> Arc<dyn Interrupt> {
        Arc::new(Nowhere)
    }

    fn confine(&mut self, _: u64) {}

    fn release(&mut self) {}

    fn finish(&mut self) {}
}

impl Interrupt for Nowhere {
    fn interrupt(&self) {}
}

/// Root with all capabilities.
pub(crate) fn root() -> Credentials {
    Credentials {
        permitted: Capabilities::all(),
        effective: Capabilities::all(),
        bounding: Capabilities::all(),
        ..Credentials::default()
    }
}

/// A new kernel whose "/" is an empty tmpfs, and its first task.
pub(crate) fn kernel() -> Current {
    let memory = MemoryFile::new(64 << 20).expect("a memory file");
    let platform: Arc<dyn Platform> = Arc::new(Nowhere);
    let kernel = Kernel::new(&Config::default(), platform.clone(), memory.clone());
    let tree = tmpfs::new(&memory, tmpfs::Options::default(), "root");
    let mount = Mount::new(Dentry::root(tree), MountFlags::RELATIME);
    task_in(&kernel, FsContext::new(MountNamespace::new(mount)))
}

/// A further process.
pub(crate) fn task_in(kernel: &Arc<Kernel>, fs: Arc<FsContext>) -> Current {
    let mm = Mm::new(
        &*kernel.platform,
        &kernel.memory,
        crate::mm::Limits::default(),
    )
    .expect("memory");
    let numbers = kernel.pids.numbers().expect("numbers");
    let tid = numbers.kernel();
    let group = ThreadGroup::new(NewGroup {
        numbers: numbers.clone(),
        handlers: Arc::new(SignalHandlers::default()),
        limits: Limits::default(),
        session: Session::new(tid),
        pgid: tid,
        exit_signal: None,
    });
    let task = Task::new(NewTask {
        numbers,
        kernel: kernel.clone(),
        group,
        name: b"test"[..].into(),
        creds: Arc::new(root()),
        fs,
        fds: Arc::new(FdTable::default()),
        mm: mm.clone(),
        blocked: SigSet::default(),
    });
    {
        let mut tree = kernel.pids.lock();
        tree.insert_process(&task.group, None);
        tree.insert_task(&task);
    }
    let context = kernel.platform.new_context().expect("a context");
    Current::new(task, mm, Regs::default(), context)
}
