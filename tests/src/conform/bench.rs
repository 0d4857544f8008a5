//! A place to run containers in, that cleans up behind itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bundle::{self, Process};
use crate::roots::{self, Root};
use crate::workspace;

pub(super) type Outcome = Result<(), String>;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One check's directory: `state` holds its containers.
pub(super) struct Bench {
    dir: PathBuf,
    runsk: PathBuf,
    root: PathBuf,
}

/// What a command did.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// `Err` with `text` unless `holds`.
pub(super) fn ensure(holds: bool, text: impl std::fmt::Display) -> Outcome {
    if holds { Ok(()) } else { Err(text.to_string()) }
}

/// Both are the same.
pub(super) fn same(what: &str, found: impl AsRef<str>, wanted: &str) -> Outcome {
    let found = found.as_ref();
    ensure(
        found == wanted,
        format!("{what}: {found:?} instead of {wanted:?}"),
    )
}

/// One mount more.
pub(super) fn add_mount(config: &mut Value, mount: Value) {
    if let Some(list) = config["mounts"].as_array_mut() {
        list.push(mount);
    }
}

impl Said {
    pub(super) fn ok(self) -> Result<Said, String> {
        match self.status {
            0 => Ok(self),
            _ => Err(format!("{self:?}")),
        }
    }

    /// It failed, and said why.
    pub(super) fn refused(self) -> Result<Said, String> {
        if self.status != 0 && !self.err.trim().is_empty() {
            return Ok(self);
        }
        Err(format!("this is no error: {self:?}"))
    }
}

impl Bench {
    pub(super) fn new(name: &str) -> Result<Self, String> {
        let top = workspace::work_dir().join("conform");
        let dir = top.join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(Bench {
            dir,
            runsk: workspace::runsk()?,
            root: roots::base(Root::Busybox)?,
        })
    }

    /// A name that no other check has, nor another run of this one.
    pub(super) fn name(&self) -> String {
        let name = self.dir.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A path inside, as text for scripts and configurations.
    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// What is in a file; nothing if there is none.
    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Outcome {
        fs::write(self.path(name), text).map_err(|e| format!("{name}: {e}"))
    }

    /// Writes the bundle `name`: a shell that runs `script` over a read-only root, with what
    /// `change` makes of it.
    pub(super) fn bundle(
        &self,
        name: &str,
        script: &str,
        change: impl FnOnce(&mut Value),
    ) -> Outcome {
        let mut config = bundle::config(&Process {
            args: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: Vec::new(),
            cwd: "/".to_owned(),
            user: 0,
            rights: bundle::Rights::Usual,
        });
        config["root"] = json!({ "path": self.root, "readonly": true });
        // The names of cgroups are the host's: each check has its own.
        config["linux"]["cgroupsPath"] = json!(format!("{}-{name}", self.name()));
        change(&mut config);
        let dir = self.path(name);
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        bundle::write(&dir, &config)
    }

    /// Runs runsk.
    pub(super) fn runsk(&self, args: &[&str]) -> Result<Said, String> {
        self.runsk_in(&self.dir, args)
    }

    /// Runs runsk in another directory.
    pub(super) fn runsk_in(&self, dir: &Path, args: &[&str]) -> Result<Said, String> {
        // Files: a container that goes on would keep a pipe open.
        let (out, err) = (self.path("stdout"), self.path("stderr"));
        let file = |path: &PathBuf| File::create(path).map_err(|e| e.to_string());
        let mut child = Command::new(&self.runsk)
            .arg("--root")
            .arg(self.path("state"))
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(file(&out)?)
            .stderr(file(&err)?)
            .spawn()
            .map_err(|e| e.to_string())?;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match child.try_wait().map_err(|e| e.to_string())? {
                Some(status) => break status,
                None if Instant::now() < deadline => sleep(Duration::from_millis(5)),
                None => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("runsk {args:?} does not end"));
                }
            }
        };
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Ok(Said {
            status: status.code().unwrap_or(-1),
            out: text(&out),
            err: text(&err),
        })
    }

    /// What `script` prints in a container of its own.
    pub(super) fn run(
        &self,
        script: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<String, String> {
        self.bundle("bundle", script, change)?;
        let said = self
            .runsk(&["run", "-b", &self.text("bundle"), "c"])?
            .ok()?;
        Ok(said.out.trim_end().to_owned())
    }

    /// The configuration is refused, and no container is there.
    pub(super) fn refuses(&self, change: impl FnOnce(&mut Value)) -> Result<Said, String> {
        self.bundle("bundle", "true", change)?;
        let said = self.create("c", "bundle")?.refused()?;
        self.is_missing("c")?;
        Ok(said)
    }

    pub(super) fn create(&self, id: &str, bundle: &str) -> Result<Said, String> {
        self.runsk(&["create", "-b", &self.text(bundle), id])
    }

    /// A created container whose program runs `script`.
    pub(super) fn created(&self, id: &str, script: &str) -> Outcome {
        self.bundle(id, script, |_| ())?;
        self.create(id, id)?.ok().map(drop)
    }

    pub(super) fn start(&self, id: &str) -> Result<Said, String> {
        self.runsk(&["start", id])
    }

    pub(super) fn delete(&self, id: &str) -> Result<Said, String> {
        self.runsk(&["delete", id])
    }

    pub(super) fn state(&self, id: &str) -> Result<Value, String> {
        let said = self.runsk(&["state", id])?.ok()?;
        serde_json::from_str(&said.out).map_err(|e| format!("{e}: {}", said.out))
    }

    pub(super) fn status(&self, id: &str) -> Result<String, String> {
        let state = self.state(id)?;
        Ok(state["status"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) fn is(&self, id: &str, status: &str) -> Outcome {
        same("status", self.status(id)?, status)
    }

    pub(super) fn is_missing(&self, id: &str) -> Outcome {
        let said = self.runsk(&["state", id])?.refused()?;
        ensure(said.err.contains("does not exist"), said.err)
    }

    /// Waits for a status.
    pub(super) fn becomes(&self, id: &str, status: &str) -> Outcome {
        self.until(|| Ok(self.status(id)? == status), status)
    }

    /// Waits until `ready`.
    pub(super) fn until(&self, ready: impl Fn() -> Result<bool, String>, what: &str) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while !ready()? {
            ensure(Instant::now() < deadline, format!("never: {what}"))?;
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let ids = fs::read_dir(self.path("state")).into_iter().flatten();
        for entry in ids.flatten() {
            if let Some(id) = entry.file_name().to_str() {
                let _ = self.runsk(&["delete", "--force", id]);
            }
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}
