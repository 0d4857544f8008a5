//! The command line: the flags that callers of an OCI runtime send, and our own.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::network::Mode;

mod machine;

pub(crate) use machine::{Completions, Install, Man};

/// Runs OCI containers on a kernel of their own.
#[derive(Parser, Debug)]
#[command(
    name = "runsk",
    disable_version_flag = true,
    args_conflicts_with_subcommands = false
)]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// Print the version, in the form that callers of runc parse.
    #[arg(short = 'v', long)]
    pub(crate) version: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Cli {
    /// True for commands whose stdout and stderr are those of a process in a container that
    /// outlives them, or of a program that reads them.
    pub(crate) fn leaves_stdio_to_others(&self) -> bool {
        match &self.command {
            Some(Command::Run(run)) => run.detach,
            Some(Command::Create(_) | Command::Exec(_)) => true,
            _ => false,
        }
    }
}

/// Flags of every command; before or after the command's name.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Directory for the state of containers [default: /run/runsk, or runsk in
    /// $XDG_RUNTIME_DIR for ordinary users].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// File that messages are appended to, instead of stderr.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Form of the messages in the log.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    pub(crate) log_format: LogFormat,
    /// Also log what helps to find faults.
    #[arg(long, global = true)]
    pub(crate) debug: bool,
    /// Have systemd make the control groups.
    #[arg(long, global = true)]
    pub(crate) systemd_cgroup: bool,
    /// Whether the caller is an ordinary user: "auto" looks. Only before the command's name:
    /// "spec" has a flag of this name.
    #[arg(
        id = "caller",
        long = "rootless",
        value_name = "WHETHER",
        value_enum,
        default_value_t
    )]
    pub(crate) rootless: Rootless,
    /// End when the caller does, who sees to what is left then.
    #[arg(long, global = true, hide = true)]
    pub(crate) end_with_caller: bool,
    /// Log every system call of the container.
    #[arg(long, global = true)]
    pub(crate) strace: bool,
    /// What network containers have: "sandbox": the interfaces of the network namespace that
    /// the configuration names or the caller prepares; "host": sockets are sockets of the host in
    /// that namespace, or in the caller's where none is named; "none": the loopback alone.
    #[arg(long, global = true, value_name = "NAME", value_enum, default_value_t)]
    pub(crate) network: Mode,
    /// How application code is run.
    #[arg(long, global = true, value_name = "NAME", value_enum, default_value_t)]
    pub(crate) platform: PlatformName,
}

/// The form of log messages.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// `time="…" level=error msg="…"`
    #[default]
    Text,
    /// `{"level":"error","msg":"…","time":"…"}`
    Json,
}

/// What callers say about the rights that there are. They are looked at anyway.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub(crate) enum Rootless {
    #[default]
    Auto,
    True,
    False,
}

/// A platform, by the name that users give.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PlatformName {
    /// The best one that works here.
    #[default]
    Auto,
    /// Host processes that hand over by themselves.
    Systrap,
    /// Host processes traced with ptrace(2).
    Ptrace,
    /// A virtual machine.
    Kvm,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Create a container from a bundle, run it, and remove it.
    Run(Run),
    /// Create a container from a bundle: "start" runs its program.
    Create(Make),
    /// Run the program of a container that was created.
    Start(Which),
    /// Print a container's state as JSON.
    State(Which),
    /// Send a signal to a container's first process.
    Kill(Kill),
    /// Remove a container that has stopped.
    Delete(Delete),
    /// Run a further process in a container.
    Exec(Box<Exec>),
    /// List a container's processes.
    Ps(Ps),
    /// List the containers.
    List(List),
    /// Hold all processes of a container back.
    Pause(Which),
    /// Let the processes of a paused container go on.
    Resume(Which),
    /// Print what a container uses.
    Events(Events),
    /// Print what a container uses, as OpenMetrics text.
    Metrics(Which),
    /// Print what a container's sandbox is made of and does.
    Debug(Which),
    /// Change a container's limits.
    Update(Box<Update>),
    /// Print what this runtime can do, as JSON.
    Features,
    /// Not there yet: save the state of a container.
    #[command(hide = true)]
    Checkpoint(Unserved),
    /// Not there yet: go on from a saved state.
    #[command(hide = true)]
    Restore(Unserved),
    /// Run a command on the host's files; whatever it writes is gone at the end.
    Do(Do),
    /// Write a config.json to start from.
    Spec(Spec),
    /// Show which system calls the kernel serves.
    Syscalls(Syscalls),
    /// Make this runtime known to Docker and containerd, or take it out again.
    Install(Install),
    /// Print the completions of a shell.
    Completions(Completions),
    /// Write manual pages.
    Man(Man),
}

/// How a container is made: flags of `create` and `run`.
#[derive(Args, Debug)]
pub(crate) struct Make {
    /// Directory that holds config.json [default: the current directory].
    #[arg(short, long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// Unix socket that the master of the container's terminal is sent to.
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// Unix socket that a pidfd of the container's process is sent to.
    #[arg(long, value_name = "SOCKET")]
    pub(crate) pidfd_socket: Option<PathBuf>,
    /// File for the number of the process that lives as long as the container does.
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// FIFO that a byte is written to for each process that is ended because memory has run
    /// out; it must have a reader.
    #[arg(long, value_name = "FIFO")]
    pub(crate) oom_fifo: Option<PathBuf>,
    /// Pass descriptors 3 to N+2 on to the container.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) preserve_fds: u32,
    /// Accepted for callers of runc: the host's root is never changed.
    #[arg(long)]
    pub(crate) no_pivot: bool,
    /// Accepted for callers of runc: the host's keyrings are never used.
    #[arg(long)]
    pub(crate) no_new_keyring: bool,
    /// Keep every write to the root file system in memory: the host's files stay as they are.
    #[arg(long)]
    pub(crate) overlay: bool,
    /// Name of the container; for "run" also the bundle's directory, for a container with a
    /// made-up name.
    #[arg(value_name = "ID")]
    pub(crate) id: Option<OsString>,
}

/// `runsk run`
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Do not wait for the container's end.
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Do not remove the container at its end.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Accepted for callers of runc: this process never takes up children of others.
    #[arg(long)]
    pub(crate) no_subreaper: bool,
    /// The rest.
    #[command(flatten)]
    pub(crate) make: Make,
}

/// A container.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub(crate) id: OsString,
}

/// `runsk kill`
#[derive(Args, Debug)]
pub(crate) struct Kill {
    /// Send it to all processes.
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub(crate) id: OsString,
    /// Number, or name with or without "SIG".
    #[arg(value_name = "SIGNAL", default_value = "TERM")]
    pub(crate) signal: String,
}

/// `runsk delete`
#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// Kill it first if it runs; it is no mistake if there is none.
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub(crate) id: OsString,
}

/// `runsk exec`
#[derive(Args, Debug)]
#[command(trailing_var_arg = true)]
pub(crate) struct Exec {
    /// Unix socket that the master of the process's terminal is sent to.
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// Unix socket that a pidfd of the process is sent to.
    #[arg(long, value_name = "SOCKET")]
    pub(crate) pidfd_socket: Option<PathBuf>,
    /// Directory to start in [default: the container's].
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// A further variable of the environment.
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Give the process a terminal.
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// User to be, as UID[:GID] [default: the container's].
    #[arg(short, long, value_name = "UID[:GID]", value_parser = parse_user)]
    pub(crate) user: Option<(u32, u32)>,
    /// Further groups.
    #[arg(short = 'g', long, value_name = "GID")]
    pub(crate) additional_gids: Vec<u32>,
    /// The process, as config.json has it under "process".
    #[arg(short, long, value_name = "FILE")]
    pub(crate) process: Option<PathBuf>,
    /// Do not wait for the process's end.
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// File for the number of the process that lives as long as the new one does.
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Accepted for callers of runc: labels have no meaning inside.
    #[arg(long, value_name = "LABEL")]
    pub(crate) process_label: Option<String>,
    /// Accepted for callers of runc: profiles have no meaning inside.
    #[arg(long, value_name = "PROFILE")]
    pub(crate) apparmor: Option<String>,
    /// The process, and what it executes, never gains rights.
    #[arg(long)]
    pub(crate) no_new_privs: bool,
    /// A further capability.
    #[arg(short, long, value_name = "CAPABILITY")]
    pub(crate) cap: Vec<String>,
    /// Pass descriptors 3 to N+2 on to the process.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) preserve_fds: u32,
    /// Accepted for callers of runc: the process is in the container's control groups.
    #[arg(long, value_name = "PATH")]
    pub(crate) cgroup: Vec<String>,
    /// Wait until a paused container goes on, instead of refusing.
    #[arg(long)]
    pub(crate) ignore_paused: bool,
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub(crate) id: OsString,
    /// Program and its arguments.
    #[arg(allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// `runsk events`
#[derive(Args, Debug)]
pub(crate) struct Events {
    /// Once, instead of again and again.
    #[arg(long)]
    pub(crate) stats: bool,
    /// How often.
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) interval: String,
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub(crate) id: OsString,
}

/// `runsk update`
#[derive(Args, Debug)]
#[command(allow_negative_numbers = true)]
pub(crate) struct Update {
    /// File with the limits, as config.json has them under "linux.resources"; "-" is stdin.
    /// Without it the flags say what changes.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) resources: Option<PathBuf>,
    /// Memory.
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory: Option<String>,
    /// Memory that the container keeps when the host has little.
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory_reservation: Option<String>,
    /// Memory and swap space together; -1: no limit.
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory_swap: Option<String>,
    /// Microseconds that --cpu-quota is a part of.
    #[arg(long, value_name = "US")]
    pub(crate) cpu_period: Option<u64>,
    /// Microseconds of processor time in each period; -1: no limit.
    #[arg(long, value_name = "US")]
    pub(crate) cpu_quota: Option<i64>,
    /// Part of the processors' time, relative to others.
    #[arg(long, value_name = "SHARES")]
    pub(crate) cpu_share: Option<u64>,
    /// As --cpu-period, for real-time processes.
    #[arg(long, value_name = "US")]
    pub(crate) cpu_rt_period: Option<u64>,
    /// As --cpu-quota, for real-time processes.
    #[arg(long, value_name = "US")]
    pub(crate) cpu_rt_runtime: Option<i64>,
    /// Processors that may be used.
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_cpus: Option<String>,
    /// Memory nodes that may be used.
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_mems: Option<String>,
    /// Processes and threads.
    #[arg(long, value_name = "COUNT")]
    pub(crate) pids_limit: Option<i64>,
    /// Part of the disks' time, relative to others: 10 to 1000.
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) blkio_weight: Option<u16>,
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub(crate) id: OsString,
}

/// A command that is not there yet; it takes all that its callers send.
#[derive(Args, Debug)]
#[command(trailing_var_arg = true)]
pub(crate) struct Unserved {
    /// Whatever.
    #[arg(allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

/// `runsk ps`
#[derive(Args, Debug)]
#[command(trailing_var_arg = true)]
pub(crate) struct Ps {
    /// Form of the list.
    #[arg(short, long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) format: ListFormat,
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub(crate) id: OsString,
    /// Accepted for callers of runc: the columns are always the same.
    #[arg(allow_hyphen_values = true, value_name = "OPTION")]
    pub(crate) options: Vec<OsString>,
}

/// `runsk list`
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Form of the list.
    #[arg(short, long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) format: ListFormat,
    /// Names only.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// The form of a list.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ListFormat {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// `runsk do`
#[derive(Args, Debug)]
#[command(trailing_var_arg = true)]
pub(crate) struct Do {
    /// User to be inside, as UID[:GID] [default: the caller].
    #[arg(short, long, value_name = "UID[:GID]", value_parser = parse_user)]
    pub(crate) user: Option<(u32, u32)>,
    /// Directory to start in [default: the current directory].
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// Program and its arguments.
    #[arg(required = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// `runsk spec`
#[derive(Args, Debug)]
pub(crate) struct Spec {
    /// Directory that gets the file [default: the current directory].
    #[arg(short, long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// For a container of an ordinary user: root inside is the caller outside.
    #[arg(long)]
    pub(crate) rootless: bool,
}

/// `runsk syscalls`
#[derive(Args, Debug)]
pub(crate) struct Syscalls {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

fn parse_user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number = |part: &str| {
        part.parse::<u32>()
            .ok()
            .filter(|id| *id <= i32::MAX.unsigned_abs())
            .ok_or_else(|| format!("\"{part}\" is not a number from 0 to {}", i32::MAX))
    };
    Ok((number(uid)?, number(gid)?))
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command, LogFormat};
    use clap::{CommandFactory, Parser};

    fn parse(line: &str) -> Cli {
        Cli::try_parse_from(line.split(' ')).expect(line)
    }

    #[test]
    fn the_parser_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn containerd_s_global_flags() {
        let cli =
            parse("runsk --root /run/x --log /b/log.json --log-format json run --bundle /b c1");
        assert_eq!(cli.global.log_format, LogFormat::Json);
        assert_eq!(cli.global.root, Some("/run/x".into()));
        let Some(Command::Run(run)) = cli.command else {
            panic!("not run")
        };
        assert_eq!(run.make.id.as_deref(), Some("c1".as_ref()));
        assert_eq!(run.make.bundle.as_deref(), Some("/b".as_ref()));
    }

    #[test]
    fn a_command_of_do_keeps_its_flags() {
        for line in ["runsk do ls --debug -l", "runsk do -- ls --debug -l"] {
            let cli = parse(line);
            assert!(!cli.global.debug);
            let Some(Command::Do(args)) = cli.command else {
                panic!("not do")
            };
            assert_eq!(args.command, ["ls", "--debug", "-l"]);
        }
    }

    #[test]
    fn users() {
        assert_eq!(super::parse_user("0"), Ok((0, 0)));
        assert_eq!(super::parse_user("5:7"), Ok((5, 7)));
        assert!(super::parse_user("4294967295").is_err());
        assert!(super::parse_user("-1").is_err());
        assert!(super::parse_user("root").is_err());
    }
}
