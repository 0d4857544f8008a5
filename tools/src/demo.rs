//! A bundle on the host's own root.

use std::fs;
use std::process::{Command, ExitCode};

use serde_json::json;

use crate::step;

const SHOW: &str = "echo \"This is $(uname -sr) as $(id -un), process $$, started by runsk.\"
ps ax
echo 'Written in the container.' > /etc/runsk-demo && cat /etc/runsk-demo
echo 'The file is gone with the container.'";

/// Namespaces and capabilities as container engines give them.
fn config(args: &[String]) -> serde_json::Value {
    let caps: Vec<String> = [
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "MKNOD",
        "AUDIT_WRITE",
        "SETFCAP",
        "NET_RAW",
    ]
    .iter()
    .map(|cap| format!("CAP_{cap}"))
    .collect();
    json!({
        "ociVersion": "1.2.0",
        "process": {
            "args": args,
            "cwd": "/",
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "HOME=/root"],
            "user": { "uid": 0, "gid": 0 },
            "capabilities": { "bounding": caps, "effective": caps, "permitted": caps },
            "noNewPrivileges": true,
        },
        "root": { "path": "/" },
        "hostname": "runsk",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts" },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"] },
            { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"] },
        ],
        "linux": { "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }] },
    })
}

pub(crate) fn run(command: &[String]) -> Result<ExitCode, String> {
    let runsk = step::build_runsk()?;
    let bundle = step::workspace().join("target").join("demo");
    fs::create_dir_all(&bundle).map_err(|error| format!("{}: {error}", bundle.display()))?;
    let args = match command {
        [] => ["/bin/sh", "-c", SHOW].map(str::to_owned).to_vec(),
        given => given.to_vec(),
    };
    let file = bundle.join("config.json");
    let text = serde_json::to_string_pretty(&config(&args)).map_err(|error| error.to_string())?;
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    let status = step::run(Command::new(runsk).args(["run", "--overlay"]).arg(&bundle))?;
    // 128+n for signals is already in the runtime's own status.
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}
