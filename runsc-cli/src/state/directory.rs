//! The directories of containers.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, Flock, FlockArg, RenameFlags, renameat2};

use super::{HostProcess, Record};
use crate::failure::{Context, Failure, Outcome, Reason};

const RECORD: &str = "state.json";
const NEW_RECORD: &str = "state.json.new";
const LOCK: &str = "lock";
const SOCKET: &str = "control.sock";
/// Start of the names of containers that are being made.
const MAKING: &str = ".new-";

/// How long a command waits for another one that changes the same container.
const PATIENCE: Duration = Duration::from_secs(30);

/// The directory of all containers.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

/// A container's directory.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    id: String,
}

/// A container that no other command changes meanwhile.
#[derive(Debug)]
pub(crate) struct Held {
    directory: Directory,
    _lock: Flock<File>,
}

/// Ids become names of files and cgroups: runc allows the same characters.
pub(crate) fn container_id(id: &OsStr) -> Outcome<String> {
    const MAX: usize = 1024;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    id.to_str()
        .filter(|id| id.chars().all(allowed))
        .filter(|id| !id.starts_with(".new-"))
        .filter(|id| !matches!(*id, "" | "." | "..") && id.len() <= MAX)
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::new(format!(
                "invalid container ID \"{}\": use letters, digits, and \"_+-.\", or give a \
                 directory that holds config.json",
                id.to_string_lossy()
            ))
        })
}

impl Root {
    pub(crate) fn new(path: PathBuf) -> Self {
        Root(path)
    }

    /// The container's directory, whether or not it is there.
    pub(crate) fn container(&self, id: &str) -> Directory {
        Directory {
            path: self.0.join(id),
            id: id.to_owned(),
        }
    }

    /// Makes a container: from here on `record.id` is taken.
    pub(crate) fn create(&self, record: &Record) -> Outcome<Held> {
        let shown = self.0.display();
        let private = |path: &Path, recursive| {
            let mut builder = DirBuilder::new();
            builder.mode(0o700).recursive(recursive).create(path)
        };
        private(&self.0, true).context(format_args!("state directory {shown}"))?;
        self.sweep();
        let id = &record.id;
        let making = Directory {
            path: self.0.join(format!("{MAKING}{}-{id}", std::process::id())),
            id: id.clone(),
        };
        // Of a process that had our number before.
        let _ = fs::remove_dir_all(&making.path);
        private(&making.path, false).context(making.path.display())?;
        let result = self.complete(&making, record);
        if result.is_err() {
            let _ = fs::remove_dir_all(&making.path);
        }
        result
    }

    fn complete(&self, making: &Directory, record: &Record) -> Outcome<Held> {
        let file = making.path.join(LOCK);
        let file = File::create_new(&file).context(file.display())?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| errno)
            .context(making.path.display())?;
        making.write(record)?;
        let directory = self.container(&record.id);
        let rename = renameat2(
            AT_FDCWD,
            &making.path,
            AT_FDCWD,
            &directory.path,
            RenameFlags::RENAME_NOREPLACE,
        );
        match rename {
            Ok(()) => Ok(Held {
                directory,
                _lock: lock,
            }),
            Err(nix::errno::Errno::EEXIST) => Err(Failure::new(format!(
                "container with given ID already exists: {}: choose another, or delete it first",
                record.id
            ))),
            Err(errno) => Err(errno).context(directory.path.display()),
        }
    }

    /// Removes what commands left that were killed.
    pub(crate) fn sweep(&self) {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|name| name.strip_prefix(MAKING));
            let Some((pid, _)) = maker.and_then(|rest| rest.split_once('-')) else {
                continue;
            };
            // One that was killed may never be waited for.
            let maker = pid.parse().ok().and_then(HostProcess::find);
            if !maker.is_some_and(|maker| maker.lives()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// All containers, by name.
    pub(crate) fn list(&self) -> Outcome<Vec<Directory>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.context(self.0.display())?,
        };
        let id = |name: &OsStr| name.to_str().map(str::to_owned);
        let ids = entries.flatten().filter_map(|entry| id(&entry.file_name()));
        let mut ids: Vec<_> = ids.filter(|id| !id.starts_with(MAKING)).collect();
        ids.sort();
        Ok(ids.iter().map(|id| self.container(id)).collect())
    }
}

impl Directory {
    fn missing(&self) -> Failure {
        Failure::new(format!("container {} does not exist", self.id))
    }

    /// The record as it is now.
    pub(crate) fn read(&self) -> Outcome<Record> {
        let file = self.path.join(RECORD);
        let text = fs::read(&file).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => self.missing(),
            _ => Failure::new(format!("{}: {}", file.display(), error.reason())),
        })?;
        serde_json::from_slice(&text).context(format_args!(
            "{} is not a container's record (delete --force removes it)",
            file.display()
        ))
    }

    /// The directory of another container.
    pub(crate) fn other(&self, id: &str) -> Directory {
        Directory {
            path: self.path.with_file_name(id),
            id: id.to_owned(),
        }
    }

    /// Whether there is anything of the container.
    pub(crate) fn exists(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// Whether a command changes the container just now.
    pub(crate) fn is_busy(&self) -> bool {
        let Ok(file) = File::open(self.path.join(LOCK)) else {
            return false;
        };
        matches!(
            Flock::lock(file, FlockArg::LockSharedNonblock),
            Err((_, nix::errno::Errno::EWOULDBLOCK))
        )
    }

    /// Waits until no other command changes the container.
    pub(crate) fn hold(&self) -> Outcome<Held> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let file = self.path.join(LOCK);
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&file)
                .map_err(|error| match error.kind() {
                    ErrorKind::NotFound | ErrorKind::NotADirectory => self.missing(),
                    _ => Failure::new(format!("{}: {}", file.display(), error.reason())),
                })?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                // Removed, and perhaps made anew, while we waited.
                Ok(lock) if lock.metadata().map_or(0, |meta| meta.nlink()) == 0 => {}
                Ok(lock) => {
                    return Ok(Held {
                        directory: self.clone(),
                        _lock: lock,
                    });
                }
                Err((_, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                    return Err(Failure::new(format!(
                        "container {}: another command is at work on it: try again later",
                        self.id
                    )));
                }
                Err((_, errno)) => return Err(errno).context(self.path.display()),
            }
        }
    }

    fn write(&self, record: &Record) -> Outcome<()> {
        let text = serde_json::to_vec(record).context("a container's record")?;
        let (new, file) = (self.path.join(NEW_RECORD), self.path.join(RECORD));
        let mut out = File::create(&new).context(new.display())?;
        out.write_all(&text).context(new.display())?;
        fs::rename(&new, &file).context(file.display())
    }

    /// Opens the socket that the container's Sentry answers.
    pub(crate) fn connect(&self) -> nix::Result<OwnedFd> {
        let (path, _open) = self.socket()?;
        let socket = UnixStream::connect(path).map_err(errno)?;
        Ok(socket.into())
    }

    /// A path of the socket that is short enough, whatever the directory's is; good while
    /// the descriptor lives. See unix(7).
    fn socket(&self) -> nix::Result<(PathBuf, File)> {
        let open = File::open(&self.path).map_err(errno)?;
        let short = format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd());
        Ok((short.into(), open))
    }
}

fn errno(error: std::io::Error) -> nix::errno::Errno {
    error
        .raw_os_error()
        .map_or(nix::errno::Errno::EIO, nix::errno::Errno::from_raw)
}

impl Held {
    /// Where it is.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Replaces the record.
    pub(crate) fn write(&self, record: &Record) -> Outcome<()> {
        self.directory.write(record)
    }

    /// Makes the socket for the Sentry to listen on.
    pub(crate) fn listen(&self) -> Outcome<OwnedFd> {
        let make = || -> nix::Result<UnixListener> {
            let (path, _open) = self.directory.socket()?;
            let listener = UnixListener::bind(path).map_err(errno)?;
            // The Sentry waits for more than connections.
            listener.set_nonblocking(true).map_err(errno)?;
            Ok(listener)
        };
        let listener = make().context("the control socket")?;
        Ok(listener.into())
    }

    /// Removes all that is kept of the container: its name is free again.
    pub(crate) fn remove(self) -> Outcome<()> {
        let path = &self.directory.path;
        // Out of the way in one step, so that nobody sees half of it.
        let gone = path.with_file_name(format!(
            "{MAKING}{}-{}",
            std::process::id(),
            self.directory.id
        ));
        let _ = fs::remove_dir_all(&gone);
        fs::rename(path, &gone).context(path.display())?;
        fs::remove_dir_all(&gone).context(gone.display())
    }
}
