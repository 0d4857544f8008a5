//! Whether somebody is at work on a bundle: the server, and each child that it has not seen
//! the end of. A lock says so. It is inherited, and goes with the last of them: so `delete`
//! knows when nothing of what a killed server had begun is still being made.

use std::fs::{File, TryLockError};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::fault::{Answer, Context};
use super::streams;

const NAME: &str = "at-work";
/// containerd gives `delete` five seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// At work until it is dropped, and its copies in children are.
#[derive(Debug)]
pub(crate) struct AtWork(File);

impl AtWork {
    pub(crate) fn on(bundle: &Path) -> Answer<Self> {
        let path = bundle.join(NAME);
        let file = File::create(&path).context(path.display())?;
        file.lock_shared().context(path.display())?;
        Ok(AtWork(file))
    }

    /// A descriptor for a child.
    pub(crate) fn share(&self) -> Answer<OwnedFd> {
        streams::second(&self.0)
    }
}

/// Waits until nobody is, but not for long.
pub(crate) fn wait_until_nobody_is(bundle: &Path) {
    let end = Instant::now() + PATIENCE;
    // Without the file nothing was begun.
    while let Ok(file) = File::open(bundle.join(NAME)) {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => {}
            _ => return,
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use command_fds::{CommandFdExt, FdMapping};

    use super::{AtWork, wait_until_nobody_is};

    #[test]
    fn children_are_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        wait_until_nobody_is(dir.path());
        let at_work = AtWork::on(dir.path()).expect("locked");
        let mut command = Command::new("sh");
        command.args(["-c", "read LINE; echo over > over"]);
        command.current_dir(dir.path()).stdin(Stdio::piped());
        let mapping = FdMapping {
            parent_fd: at_work.share().expect("a second descriptor"),
            child_fd: 3,
        };
        command.fd_mappings(vec![mapping]).expect("a mapping");
        let mut child = command.spawn().expect("sh");
        drop((command, at_work));
        let start = Instant::now();
        let over = dir.path().join("over");
        std::thread::scope(|scope| {
            scope.spawn(|| wait_until_nobody_is(dir.path()));
            drop(child.stdin.take());
        });
        assert!(over.exists(), "after {:?}", start.elapsed());
        child.wait().expect("it ends");
    }
}
