//! The commands, one file each.

mod control;
mod debug;
mod r#do;
mod events;
mod exec;
mod features;
mod install;
mod make;
mod manual;
mod metrics;
mod show;
mod spec;
mod syscalls;
mod update;
mod version;

use std::ffi::OsStr;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::cgroup::Driver;
use crate::failure::{Context, Failure, Outcome};
use crate::flags::{self, Cli, Command};
use crate::life::{self, Force};
use crate::log_file::LogSettings;
use crate::sandbox::Options;
use crate::state::{Directory, Root, container_id};

/// Performs the command; `log` is the open log file.
pub(crate) fn run(cli: Cli, log_settings: LogSettings, log: Option<OwnedFd>) -> Outcome<ExitCode> {
    if cli.version {
        return print(&version::text());
    }
    let Some(command) = cli.command else {
        return print(&Cli::command().render_help().to_string());
    };
    let options = Options {
        network: cli.global.network,
        platform: cli.global.platform,
        strace: cli.global.strace,
        cgroup_driver: match cli.global.systemd_cgroup {
            true => Driver::Systemd,
            false => Driver::Files,
        },
        log_settings,
        log,
    };
    let root = Root::new(cli.global.root.unwrap_or_else(default_root));
    let container = |id: &OsStr| -> Outcome<Directory> { Ok(root.container(&container_id(id)?)) };
    let done = |(): ()| ExitCode::SUCCESS;
    match command {
        Command::Run(args) => make::run(&root, &args, &options),
        Command::Create(args) => make::create(&root, &args, &options),
        Command::Start(args) => life::start(&container(&args.id)?).map(done),
        Command::State(args) => print(&show::state(&container(&args.id)?)?),
        Command::Kill(args) => control::kill(&container(&args.id)?, &args),
        Command::Delete(args) => {
            let force = if args.force { Force::Yes } else { Force::No };
            life::delete(&root, &container_id(&args.id)?, force).map(done)
        }
        Command::Exec(args) => exec::run(&container(&args.id)?, &args),
        Command::Ps(args) => print(&show::ps(&container(&args.id)?, &args)?),
        Command::List(args) => print(&show::list(&root, &args)?),
        Command::Pause(args) => control::pause(&container(&args.id)?),
        Command::Resume(args) => control::resume(&container(&args.id)?),
        Command::Events(args) => events::run(&container(&args.id)?, &args),
        Command::Update(args) => update::run(&container(&args.id)?, &args).map(done),
        Command::Metrics(args) => print(&metrics::text(&container(&args.id)?)?),
        Command::Debug(args) => print(&debug::text(&container(&args.id)?)?),
        Command::Checkpoint(args) => Err(unserved("checkpoint", &args)),
        Command::Restore(args) => Err(unserved("restore", &args)),
        Command::Features => print(&features::text()),
        Command::Do(args) => r#do::run(&args, options),
        Command::Spec(args) => spec::run(&args),
        Command::Syscalls(args) => print(&syscalls::text(&args)),
        Command::Install(args) => install::run(&args),
        Command::Completions(args) => print(&manual::completions(&args)?),
        Command::Man(args) => manual::man(&args),
    }
}

fn unserved(command: &str, args: &flags::Unserved) -> Failure {
    log::debug!("{command} {:?}", args.args);
    Failure::new(format!(
        "{command} is not supported yet: stop the container instead"
    ))
}

/// Where containers are kept if nothing is said.
fn default_root() -> PathBuf {
    const NAME: &str = "runsk";
    let uid = nix::unistd::geteuid();
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    match own {
        _ if uid.is_root() && !is_in_user_namespace() => PathBuf::from("/run").join(NAME),
        Some(dir) => PathBuf::from(dir).join(NAME),
        None if uid.is_root() => PathBuf::from("/run").join(NAME),
        None => std::env::temp_dir().join(format!("{NAME}-{uid}")),
    }
}

/// Root may be an ordinary user to the host: podman runs us so.
fn is_in_user_namespace() -> bool {
    const ALL: [&str; 3] = ["0", "0", "4294967295"];
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.is_empty() && !map.split_whitespace().eq(ALL)
}

fn print(text: &str) -> Outcome<ExitCode> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // The reader has had enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        result => result.context("stdout")?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::container_id;

    #[test]
    fn ids() {
        for good in ["a", "k8s_POD-1.2+x", "..."] {
            assert_eq!(container_id(good.as_ref()).expect(good), good);
        }
        for bad in ["", ".", "..", "a/b", "bundle/", "ä", "a b", ".new-1-a"] {
            assert!(container_id(bad.as_ref()).is_err(), "{bad}");
        }
    }
}
