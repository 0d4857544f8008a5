//! The first process of a container.

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::mounts::{self, Trees};
use super::process::{self, Place, host_error};
use super::{BootError, Ear, Home, Stdio};
use crate::config::Config;
use crate::fs::gofer::WriteBack;
use crate::fs::proc;
use crate::kernel::Kernel;
use crate::task::{Current, FsContext, ThreadGroup};
use crate::tty::Console;

/// What the first process of a container is made with.
pub(super) struct First {
    pub(super) kernel: Arc<Kernel>,
    pub(super) config: Config,
    pub(super) home: Home,
    pub(super) gofer: gofer::Client,
    pub(super) write_back: WriteBack,
    pub(super) stdio: Stdio,
    /// Opens when its program is to run.
    pub(super) gate: Receiver<()>,
}

/// What outsiders have of the process.
pub(super) struct Ends {
    pub(super) console: Option<Console>,
    pub(super) ear: Option<Ear>,
}

impl First {
    /// Makes the process; it runs once the gate opens.
    pub(super) fn spawn(self) -> Result<(Arc<ThreadGroup>, Ends), BootError> {
        let gate = self.gate.clone();
        let wait = move || {
            // Closed: there is nobody left who could open it.
            let _ = gate.recv();
        };
        process::spawn(move || self.make(), wait)
    }

    /// Everything but running it.
    fn make(self) -> Result<(Current, Ends), BootError> {
        let config = &self.config;
        let trees = Trees {
            kernel: &self.kernel,
            home: &self.home,
            gofer: &self.gofer,
            write_back: &self.write_back,
        };
        let namespace = trees.root(&config.root)?;
        let reserved = self.kernel.pids.reserve(&self.home.pids, &[]);
        let reserved = reserved.map_err(host_error("a process number"))?;
        let fs = FsContext::new(namespace);
        let mut current = process::nobody(&self.kernel, &self.home, &reserved.numbers, fs)?;
        mounts::mount_all(&current, config, &trees)?;
        set_sysctls(&current, config)?;
        let ear = config.notify.as_deref();
        let ear = ear.map(|path| Ear::open(&current, path)).transpose();
        let ear = ear.map_err(host_error("the service manager's socket"))?;
        let console = process::furnish(&current, &config.process, self.stdio, Place::Console)?;
        process::load(&mut current, &config.process)?;
        process::publish(&current);
        current.group.set_protected(true);
        Ok((current, Ends { console, ear }))
    }
}

/// Names that are not known are refused: the container was not made for our kernel.
fn set_sysctls(task: &Current, config: &Config) -> Result<(), BootError> {
    for (name, value) in &config.sysctls {
        proc::set_sysctl(task, name, value).map_err(|errno| BootError::Sysctl {
            name: name.clone(),
            value: value.clone(),
            errno,
        })?;
    }
    Ok(())
}
