//! Lifecycles by `containerd-shim-runsk-v1`, which gets SIGKILL at a random instant. We are its
//! containerd: like that one, we run its `delete` as soon as the connection to it ends, or else
//! `runsk delete --force` before. Then nothing is left.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use containerd_shim_protos::api::{
    ConnectRequest, CreateTaskRequest, DeleteRequest, Empty, ExecProcessRequest, ForwardRequest,
    KillRequest, Mount, ShutdownRequest, StartRequest, WaitRequest,
};
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::shim::oci::Options;
use containerd_shim_protos::ttrpc::context::{self, Context};
use containerd_shim_protos::ttrpc::{self, Server, TtrpcContext};
use containerd_shim_protos::{Client, Events, TaskClient, create_events};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{PATIENCE, Random, remains};
use crate::bundle::{self, Process};
use crate::roots::{self, Root};
use crate::workspace;

const NAMESPACE: &str = "cut";
/// A task's life, step by step.
const STEPS: [&str; 6] = ["create", "start", "exec", "kill", "delete", "shutdown"];

struct Shims {
    dir: PathBuf,
    runsk: PathBuf,
    shim: PathBuf,
    base: PathBuf,
    config: Value,
    /// How long each step takes undisturbed, microseconds.
    usual: BTreeMap<&'static str, u64>,
}

/// Hears of events, and makes nothing of them.
struct Daemon;

impl Events for Daemon {
    fn forward(&self, _: &TtrpcContext, _: ForwardRequest) -> ttrpc::Result<Empty> {
        Ok(Empty::new())
    }
}

pub(super) fn run() -> Result<(), String> {
    let dir = workspace::work_dir().join(format!("shims-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let address = format!("unix://{}", dir.join("events").display());
    let server = Server::new().bind(&address).map_err(|e| e.to_string())?;
    let mut server = server.register_service(create_events(Arc::new(Daemon)));
    server.start().map_err(|e| e.to_string())?;
    let result = Shims::new(&dir).and_then(|shims| {
        super::run("lifecycles by a shim", "shim", &|id, random| {
            shims.life(id, random)
        })
    });
    server.shutdown();
    let _ = fs::remove_dir_all(&dir);
    result
}

fn patience() -> Context {
    context::with_duration(PATIENCE)
}

impl Shims {
    fn new(dir: &Path) -> Result<Self, String> {
        let runsk = workspace::runsk()?;
        let config = bundle::config(&Process {
            args: ["sh", "-c", "while :; do sleep 0.02; done"]
                .map(str::to_owned)
                .to_vec(),
            env: Vec::new(),
            cwd: "/".to_owned(),
            user: 0,
            rights: bundle::Rights::Usual,
        });
        let mut shims = Shims {
            dir: dir.to_owned(),
            shim: runsk.with_file_name("containerd-shim-runsk-v1"),
            runsk,
            base: roots::base(Root::Busybox)?,
            config,
            usual: BTreeMap::new(),
        };
        let mut usual = BTreeMap::new();
        let id = "usual";
        let task = shims.begin(id)?;
        for step in STEPS {
            let begin = Instant::now();
            let done = task.step(&shims, step);
            done.map_err(|error| format!("{step}: {error}"))?;
            let took = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
            usual.insert(step, took);
        }
        shims.clear_away(id)?;
        shims.usual = usual;
        Ok(shims)
    }

    fn life(&self, id: &str, random: &mut Random) -> Result<(), String> {
        let at = usize::try_from(random.below(6)).unwrap_or(0);
        let cut = *STEPS.get(at).unwrap_or(&"create");
        let usual = self.usual.get(cut).copied().unwrap_or(50_000);
        let delay = Duration::from_micros(random.below(usual + usual / 4));
        let by_command = random.below(2) == 0;
        let story = format!("killed {delay:?} after the begin of {cut}");
        let lived = self.steps(id, cut, delay);
        let ended = self.end(id, by_command);
        lived
            .and(ended)
            .map_err(|message| format!("{story}: {message}"))
    }

    /// Until the shim is gone.
    fn steps(&self, id: &str, cut: &str, delay: Duration) -> Result<(), String> {
        let task = self.begin(id)?;
        for step in STEPS {
            let done = std::thread::scope(|scope| {
                if step == cut {
                    scope.spawn(|| {
                        sleep(delay);
                        // It may have ended by itself.
                        let _ = kill(task.shim, Signal::SIGKILL);
                    });
                }
                task.step(self, step)
            });
            match done {
                // An answer: it was there to give it.
                Err(ttrpc::Error::RpcStatus(status)) => return Err(format!("{step}: {status:?}")),
                // It is gone, which it may be when it was told to go.
                Err(_) if step == cut || step == "shutdown" => return Ok(()),
                Err(error) if !is_process(task.shim) => {
                    let _ = error;
                    return Ok(());
                }
                Err(error) => return Err(format!("{step}: {error}")),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Makes a bundle and starts a shim for it.
    fn begin(&self, id: &str) -> Result<Task, String> {
        let bundle = self.dir.join(id);
        fs::create_dir_all(&bundle).map_err(|e| format!("{}: {e}", bundle.display()))?;
        let mut config = self.config.clone();
        config["root"] = json!({ "path": "rootfs", "readonly": true });
        // Every other one has a terminal.
        config["process"]["terminal"] = json!(has_terminal(id));
        bundle::write(&bundle, &config)?;
        // containerd's is a FIFO.
        fs::write(bundle.join("log"), "").map_err(|e| e.to_string())?;
        let output = self.shim(id, "start")?;
        let address = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || address.is_empty() {
            return Err(format!("start: {}", said(&output)));
        }
        let client = Client::connect(&address).map_err(|e| format!("{address}: {e}"))?;
        let client = TaskClient::new(client);
        let mut request = ConnectRequest::new();
        request.set_id(id.to_owned());
        let connected = client.connect(patience(), &request);
        let shim = connected.map_err(|e| format!("connect: {e}"))?.shim_pid;
        Ok(Task {
            id: id.to_owned(),
            client,
            shim: Pid::from_raw(shim.cast_signed()),
        })
    }

    /// Runs the shim's program as containerd does.
    fn shim(&self, id: &str, action: &str) -> Result<Output, String> {
        let bundle = self.dir.join(id);
        let mut command = Command::new(&self.shim);
        command
            .args(["-namespace", NAMESPACE, "-id", id])
            .args(["-address", "/nonexistent/containerd.sock"])
            .args(["-publish-binary", "true"]);
        if action == "delete" {
            command.arg("-bundle").arg(&bundle);
        }
        command.arg(action).current_dir(&bundle);
        command
            .env("TTRPC_ADDRESS", self.dir.join("events"))
            .stdin(Stdio::null());
        let output = command.output();
        output.map_err(|e| format!("{}: {e}", self.shim.display()))
    }

    /// Clears away what is left, and looks whether anything still is.
    fn end(&self, id: &str, by_command: bool) -> Result<(), String> {
        let state = self.dir.join("state").join(NAMESPACE);
        if by_command {
            let mut command = Command::new(&self.runsk);
            command.arg("--root").arg(&state);
            let output = command.args(["delete", "--force", id]).output();
            let output = output.map_err(|e| e.to_string())?;
            if !output.status.success() {
                return Err(format!("delete --force: {}", said(&output)));
            }
        }
        self.clear_away(id)?;
        remains::none(&state, id)?;
        remains::no_mounts(id)
    }

    fn clear_away(&self, id: &str) -> Result<(), String> {
        let bundle = self.dir.join(id);
        let socket = fs::read_to_string(bundle.join("address")).unwrap_or_default();
        let output = self.shim(id, "delete")?;
        if !output.status.success() || !output.stderr.is_empty() {
            return Err(format!("shim delete: {}", said(&output)));
        }
        let socket = socket.trim_start_matches("unix://");
        if !socket.is_empty() && Path::new(socket).exists() {
            return Err(format!("left: {socket}"));
        }
        fs::remove_dir_all(&bundle).map_err(|e| format!("{}: {e}", bundle.display()))
    }
}

/// A task that a shim sees to.
struct Task {
    id: String,
    client: TaskClient,
    shim: Pid,
}

impl Task {
    fn step(&self, shims: &Shims, step: &str) -> ttrpc::Result<()> {
        let id = self.id.clone();
        match step {
            "create" => self.create(shims),
            "start" => self.start(""),
            "exec" => self.exec(),
            "kill" => {
                let mut request = KillRequest::new();
                request.set_id(id.clone());
                request.set_signal(9);
                self.client.kill(patience(), &request)?;
                let mut request = WaitRequest::new();
                request.set_id(id);
                self.client.wait(patience(), &request).map(drop)
            }
            "delete" => {
                let mut request = DeleteRequest::new();
                request.set_id(id);
                self.client.delete(patience(), &request).map(drop)
            }
            _ => {
                let mut request = ShutdownRequest::new();
                request.set_id(id);
                self.client.shutdown(patience(), &request).map(drop)
            }
        }
    }

    fn create(&self, shims: &Shims) -> ttrpc::Result<()> {
        let mut mount = Mount::new();
        mount.set_type("bind".to_owned());
        mount.set_source(shims.base.display().to_string());
        mount.options = vec!["rbind".to_owned(), "ro".to_owned()];
        let mut options = Options::new();
        options.root = shims.dir.join("state").display().to_string();
        let mut request = CreateTaskRequest::new();
        request.set_id(self.id.clone());
        request.set_bundle(shims.dir.join(&self.id).display().to_string());
        request.set_terminal(has_terminal(&self.id));
        request.rootfs.push(mount);
        let value = options.write_to_bytes();
        let value = value.map_err(|e| ttrpc::Error::Others(e.to_string()))?;
        request.set_options(any("containerd.runc.v1.Options", value));
        self.client.create(patience(), &request).map(drop)
    }

    fn start(&self, exec_id: &str) -> ttrpc::Result<()> {
        let mut request = StartRequest::new();
        request.set_id(self.id.clone());
        request.set_exec_id(exec_id.to_owned());
        self.client.start(patience(), &request).map(drop)
    }

    /// One that stays.
    fn exec(&self) -> ttrpc::Result<()> {
        let process = json!({ "args": ["sleep", "1000"], "cwd": "/",
            "user": { "uid": 0, "gid": 0 }, "env": ["PATH=/bin"] });
        let mut request = ExecProcessRequest::new();
        request.set_id(self.id.clone());
        request.set_exec_id("e1".to_owned());
        request.set_terminal(has_terminal(&self.id));
        let kind = "types.containerd.io/opencontainers/runtime-spec/1/Process";
        request.set_spec(any(kind, process.to_string().into_bytes()));
        self.client.exec(patience(), &request)?;
        self.start("e1")
    }
}

fn any(kind: &str, value: Vec<u8>) -> Any {
    let mut any = Any::new();
    any.type_url = kind.to_owned();
    any.value = value;
    any
}

fn has_terminal(id: &str) -> bool {
    id.ends_with(['1', '3', '5', '7', '9'])
}

fn is_process(pid: Pid) -> bool {
    let cmdline = fs::read(format!("/proc/{pid}/cmdline"));
    cmdline.is_ok_and(|text| !text.is_empty())
}

fn said(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    format!("{}: {}", output.status, err.trim())
}
