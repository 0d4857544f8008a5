//! What is heard of processes that were ended because memory had run out: a byte each, over a
//! FIFO in the bundle. It ends with the container.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use containerd_shim::protos::events::task::TaskOOM;
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::events::Events;
use super::fault::{Answer, Context};
use super::process::Process;
use super::streams;

const NAME: &str = "oom";
/// Within this time the FIFO has ended when the container has.
const PATIENCE: Duration = Duration::from_secs(1);

/// The FIFO, before there is a writer.
pub(crate) struct Fifo {
    pub(crate) path: PathBuf,
    reader: File,
}

impl Fifo {
    pub(crate) fn new(bundle: &Path) -> Answer<Self> {
        let path = bundle.join(NAME);
        match mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno).context(path.display()),
        }
        let reader = streams::open_now(&path, File::options().read(true));
        let reader = reader.context(path.display())?;
        streams::blocking(&reader).context(path.display())?;
        Ok(Fifo { path, reader })
    }

    /// Tells containerd of each byte, once there is a writer; and of none before `init` was
    /// told to be started.
    pub(crate) fn listen(self, id: String, init: Arc<Process>, events: Events) -> Answer<Listener> {
        let (end, ended) = channel();
        let mut reader = self.reader;
        let run = move || {
            let mut bytes = [0; 64];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                drop(init.starting());
                for _ in 0..count {
                    let mut event = TaskOOM::new();
                    event.set_container_id(id.clone());
                    events.publish(event);
                }
            }
            // Whether anybody waits for it or not.
            let _ = end.send(());
        };
        let builder = std::thread::Builder::new().name("oom".to_owned());
        builder.spawn(run).context("a thread")?;
        Ok(Listener(ended))
    }
}

/// The thread that listens.
pub(crate) struct Listener(Receiver<()>);

impl Listener {
    /// Waits until all has been told, after the container's end.
    pub(crate) fn finish(&self) {
        let _ = self.0.recv_timeout(PATIENCE);
    }
}
