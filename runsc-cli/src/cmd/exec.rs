//! `runsk exec`.

use std::fs;
use std::process::ExitCode;

use oci_spec::runtime::Process;
use serde_json::{Value, json};

use crate::failure::{Context, Failure, Outcome};
use crate::flags;
use crate::life::{self, Exec};
use crate::spec;
use crate::state::Directory;

/// runc's exit status for a process that cannot be started.
const FAILED: u8 = 255;

pub(super) fn run(container: &Directory, args: &flags::Exec) -> Outcome<ExitCode> {
    let result = exec(container, args);
    result.map_err(|failure| failure.with_status(FAILED))
}

fn exec(container: &Directory, args: &flags::Exec) -> Outcome<ExitCode> {
    let exec = Exec {
        process: process(container, args)?,
        console_socket: args.console_socket.clone(),
        pidfd_socket: args.pidfd_socket.clone(),
        pid_file: args.pid_file.clone(),
        preserve_fds: args.preserve_fds,
        detach: args.detach,
        in_paused: args.ignore_paused,
    };
    life::exec(container, &exec)
}

/// The process of the file that is named, or the container's own with another command.
fn process(container: &Directory, args: &flags::Exec) -> Outcome<Process> {
    if let Some(file) = &args.process {
        let text = fs::read(file).context(file.display())?;
        let parse = || {
            let mut value: Value = serde_json::from_slice(&text)?;
            spec::drop_unknown_capabilities(&mut value);
            serde_json::from_value(value)
        };
        return parse().context(format_args!("{} is not a process", file.display()));
    }
    if args.command.is_empty() {
        return Err(Failure::new(
            "process args cannot be empty: give a command, or a file with --process",
        ));
    }
    let own = container.read()?.process;
    let value = serde_json::to_value(own).context("the container's process")?;
    let changed = change(value, args)?;
    serde_json::from_value(changed).context("the process")
}

/// `own` with what the flags say.
fn change(mut own: Value, args: &flags::Exec) -> Outcome<Value> {
    own["args"] = json!(args.command);
    own["terminal"] = json!(args.tty);
    if let Some(cwd) = &args.cwd {
        own["cwd"] = json!(cwd);
    }
    if let Some((uid, gid)) = args.user {
        own["user"] = json!({ "uid": uid, "gid": gid });
    }
    if !args.additional_gids.is_empty() {
        own["user"]["additionalGids"] = json!(args.additional_gids);
    }
    if args.no_new_privs {
        own["noNewPrivileges"] = json!(true);
    }
    for variable in &args.env {
        let (name, _) = variable
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("--env {variable}: give NAME=VALUE")))?;
        set_variable(&mut own["env"], name, variable);
    }
    for cap in &args.cap {
        let cap = cap.to_ascii_uppercase();
        let cap = if cap.starts_with("CAP_") {
            cap
        } else {
            format!("CAP_{cap}")
        };
        for set in ["bounding", "effective", "permitted"] {
            add(&mut own["capabilities"][set], cap.clone());
        }
    }
    Ok(own)
}

fn set_variable(env: &mut Value, name: &str, variable: &str) {
    let prefix = format!("{name}=");
    if let Some(env) = env.as_array_mut() {
        env.retain(|entry| {
            !entry
                .as_str()
                .is_some_and(|entry| entry.starts_with(&prefix))
        });
    }
    add(env, variable.to_owned());
}

fn add(list: &mut Value, entry: String) {
    match list.as_array_mut() {
        Some(list) if list.contains(&json!(entry)) => {}
        Some(list) => list.push(json!(entry)),
        None => *list = json!([entry]),
    }
}

#[cfg(test)]
mod tests {
    use super::change;
    use crate::flags::{Cli, Command};
    use clap::Parser;
    use serde_json::json;

    #[test]
    fn flags_change_the_container_s_process() {
        let line = "runsk exec -t -e A=2 -e B=3 -u 5:6 -g 7 -g 8 --cwd /tmp --cap net_raw c ls -l";
        let cli = Cli::try_parse_from(line.split(' ')).expect(line);
        let Some(Command::Exec(args)) = cli.command else {
            panic!("not exec");
        };
        let own = json!({ "args": ["sh"], "cwd": "/", "env": ["A=1", "C=4"],
            "user": { "uid": 0, "gid": 0 }, "capabilities": { "bounding": ["CAP_NET_RAW"] } });
        assert_eq!(
            change(own, &args).expect("valid"),
            json!({ "args": ["ls", "-l"], "cwd": "/tmp", "terminal": true,
                "env": ["C=4", "A=2", "B=3"],
                "user": { "uid": 5, "gid": 6, "additionalGids": [7, 8] },
                "capabilities": { "bounding": ["CAP_NET_RAW"], "effective": ["CAP_NET_RAW"],
                    "permitted": ["CAP_NET_RAW"] } })
        );
    }
}
