//! The command line: the flags that callers of an OCI runtime send, and our own.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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

/// Flags of every command; before or after the command's name.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Directory for the state of containers.
    #[arg(long, global = true, value_name = "DIR", default_value = "/run/runsk")]
    pub(crate) root: PathBuf,
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
    /// Log every system call of the container.
    #[arg(long, global = true)]
    pub(crate) strace: bool,
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

/// A platform, by the name that users give.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PlatformName {
    /// The best one that works here.
    #[default]
    Auto,
    /// Host processes traced with ptrace(2).
    Ptrace,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Create a container from a bundle, run it, and remove it.
    Run(Run),
    /// Run a command on the host's files; whatever it writes is gone at the end.
    Do(Do),
    /// Write a config.json to start from.
    Spec(Spec),
    /// Show which system calls the kernel serves.
    Syscalls(Syscalls),
}

/// `runsk run`
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Directory that holds config.json [default: the current directory].
    #[arg(short, long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// Keep every write to the root file system in memory: the host's files stay as they are.
    #[arg(long)]
    pub(crate) overlay: bool,
    /// Name of the container; or the bundle's directory, for a container with a made-up name.
    #[arg(value_name = "ID")]
    pub(crate) id: Option<OsString>,
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
        assert_eq!(cli.global.root.to_str(), Some("/run/x"));
        let Some(Command::Run(run)) = cli.command else {
            panic!("not run")
        };
        assert_eq!(run.id.as_deref(), Some("c1".as_ref()));
        assert_eq!(run.bundle.as_deref(), Some("/b".as_ref()));
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
