//! Root directories, and fresh writable views of them: every run starts from the same tree.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};

use crate::{debian, workspace};

/// A kind of root directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// debootstrap's, with the programs of [`crate::apps`].
    Debian,
    /// One static busybox and links to it.
    Busybox,
    /// Nothing but a few directories and `/guest`, a static program.
    Program,
}

/// `/etc/passwd` of the small roots.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n";
/// `/etc/group` of the small roots.
const GROUP: &str = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n";

/// The unchanging tree behind a kind of root.
///
/// # Errors
/// When it is missing and cannot be built.
pub fn base(root: Root) -> Result<PathBuf, String> {
    static DEBIAN: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static BUSYBOX: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match root {
        Root::Debian => DEBIAN.get_or_init(debian::root).clone(),
        Root::Busybox => BUSYBOX.get_or_init(busybox).clone(),
        Root::Program => PROGRAM
            .get_or_init(|| small_root("program", |_| Ok(())))
            .clone(),
    }
}

/// The busybox root: the Debian root's static busybox, and a link for each of its applets.
fn busybox() -> Result<PathBuf, String> {
    let binary = debian::root()?.join("bin/busybox");
    let list = Command::new(&binary)
        .arg("--list")
        .output()
        .map_err(|e| format!("{}: {e}", binary.display()))?;
    small_root("busybox", |root| {
        fs::copy(&binary, root.join("bin/busybox"))?;
        for applet in String::from_utf8_lossy(&list.stdout)
            .lines()
            .filter(|&a| a != "busybox")
        {
            symlink("busybox", root.join("bin").join(applet))?;
        }
        Ok(())
    })
}

/// Makes a small root under a temporary name and moves it into place, so that a root that
/// exists is complete, whoever else makes it at the same time.
fn small_root(
    name: &str,
    fill: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<PathBuf, String> {
    let done = workspace::work_dir().join(name);
    if done.is_dir() {
        return Ok(done);
    }
    let making = workspace::work_dir().join(format!("{name}.{}", std::process::id()));
    let make = || -> std::io::Result<()> {
        for dir in [
            "bin", "dev", "etc", "proc", "root", "srv", "sys", "usr", "var",
        ] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(making.join(dir))?;
        }
        fs::create_dir(making.join("tmp"))?;
        fs::set_permissions(making.join("tmp"), fs::Permissions::from_mode(0o1777))?;
        fs::write(making.join("etc/passwd"), PASSWD)?;
        fs::write(making.join("etc/group"), GROUP)?;
        fill(&making)
    };
    make().map_err(|e| format!("{}: {e}", making.display()))?;
    match fs::rename(&making, &done) {
        Err(_) if done.is_dir() => {
            let _ = fs::remove_dir_all(&making);
            Ok(done)
        }
        result => result
            .map(|()| done)
            .map_err(|e| format!("{}: {e}", making.display())),
    }
}

/// A fresh writable view of a root, gone when dropped.
#[derive(Debug)]
pub struct View {
    at: PathBuf,
    upper_is_mount: Option<PathBuf>,
}

impl View {
    /// Mounts an overlay of `base` on `at`, with its upper layer in `scratch`.
    ///
    /// # Errors
    /// The host's; needs the privilege to mount.
    pub fn overlay(base: &Path, at: &Path, scratch: &Path) -> Result<View, String> {
        let mut view = View {
            at: at.to_owned(),
            upper_is_mount: None,
        };
        fs::create_dir_all(at).map_err(|e| format!("{}: {e}", at.display()))?;
        fs::create_dir_all(scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
        // An overlay cannot be the upper layer of another, as it would be inside a container.
        let kind = statfs(scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
        if kind.filesystem_type() == OVERLAYFS_SUPER_MAGIC {
            mount(
                Some("tmpfs"),
                scratch,
                Some("tmpfs"),
                MsFlags::empty(),
                None::<&str>,
            )
            .map_err(|e| format!("tmpfs on {}: {e}", scratch.display()))?;
            view.upper_is_mount = Some(scratch.to_owned());
        }
        let (upper, work) = (scratch.join("upper"), scratch.join("work"));
        for dir in [&upper, &work] {
            fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            base.display(),
            upper.display(),
            work.display()
        );
        mount(
            Some("overlay"),
            at,
            Some("overlay"),
            MsFlags::empty(),
            Some(layers.as_str()),
        )
        .map_err(|e| format!("overlay on {}: {e}", at.display()))?;
        Ok(view)
    }

    /// Copies the small tree `base` to `at`: a view without an overlay's own peculiarities.
    ///
    /// # Errors
    /// The host's.
    pub fn copy(base: &Path, at: &Path) -> Result<View, String> {
        let status = Command::new("cp")
            .arg("-a")
            .arg("-T")
            .arg(base)
            .arg(at)
            .status();
        match status {
            Ok(status) if status.success() => Ok(View {
                at: at.to_owned(),
                upper_is_mount: None,
            }),
            other => Err(format!("cp -a to {}: {other:?}", at.display())),
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // Not mounted at all when the view is a copy.
        let _ = umount2(&self.at, MntFlags::MNT_DETACH);
        if let Some(upper) = &self.upper_is_mount {
            let _ = umount2(upper, MntFlags::MNT_DETACH);
        }
    }
}
