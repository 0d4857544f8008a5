//! Where messages go: `--log FILE`, or stderr. The processes of a sandbox share the file;
//! it is opened for appending, and each message is one write.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use env_logger::fmt::Formatter;
use env_logger::{Builder, Target};
use log::{Level, LevelFilter, Record};
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Outcome};
use crate::flags::{Global, LogFormat};
use crate::log_limit::Limit;

/// What a process needs to know to log.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct LogSettings {
    /// JSON lines, else text.
    pub(crate) json: bool,
    /// Log at level debug and above, else info.
    pub(crate) debug: bool,
    /// Without a log file, say nothing but errors: stderr is the container's.
    pub(crate) quiet: bool,
}

impl LogSettings {
    /// From the flags.
    pub(crate) fn new(global: &Global) -> Self {
        LogSettings {
            json: global.log_format == LogFormat::Json,
            debug: global.debug,
            quiet: false,
        }
    }
}

/// Opens the log, and creates it where it does not exist.
pub(crate) fn open(path: &Path) -> Outcome<OwnedFd> {
    File::options()
        .append(true)
        .create(true)
        .open(path)
        .map(OwnedFd::from)
        .context(format_args!("log file {}", path.display()))
}

/// The value of `--log`, from arguments that may be wrong otherwise: so that complaints about
/// the arguments reach the log too.
pub(crate) fn path_in(args: &[OsString]) -> Option<PathBuf> {
    value_in(args, "--log").map(PathBuf::from)
}

/// Whether the arguments ask for JSON; see [`path_in`].
pub(crate) fn json_in(args: &[OsString]) -> bool {
    value_in(args, "--log-format").is_some_and(|value| value == "json")
}

fn value_in(args: &[OsString], flag: &str) -> Option<OsString> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_bytes().strip_prefix(flag.as_bytes()) {
            Some([]) => return args.next().cloned(),
            Some([b'=', value @ ..]) => return Some(OsString::from_vec(value.to_vec())),
            _ if arg == "--" => return None,
            _ => {}
        }
    }
    None
}

/// Sends this process's messages to `file`, or to stderr.
pub(crate) fn start(settings: LogSettings, file: Option<OwnedFd>) {
    let level = match settings {
        LogSettings { debug: true, .. } => LevelFilter::Debug,
        LogSettings { quiet: true, .. } if file.is_none() => LevelFilter::Error,
        _ => LevelFilter::Info,
    };
    let mut builder = Builder::new();
    builder.filter_level(level);
    match file {
        Some(file) => {
            builder.target(Target::Pipe(Box::new(File::from(file))));
            builder.format(limited(if settings.json { json_line } else { text_line }));
        }
        None => {
            // The user is told of a failure by `main`, once.
            builder.filter_module(FAILURE, LevelFilter::Off);
            builder.format(limited(plain_line));
        }
    }
    // Fails only if it was called before: then the first logger stays.
    let _ = builder.try_init();
}

/// Puts a command's failure into the log file, if there is one.
pub(crate) fn record_failure(message: &str) {
    log::error!(target: FAILURE, "{message}");
}

const FAILURE: &str = "failure";

/// How a line is written.
type WriteLine = fn(&mut Formatter, &Record<'_>, &str) -> io::Result<()>;

/// Writes what the [limit](Limit) admits.
fn limited(
    write: WriteLine,
) -> impl Fn(&mut Formatter, &Record<'_>) -> io::Result<()> + Send + Sync + 'static {
    let limit = Limit::default();
    move |out, record| match limit.admit(record) {
        Some(0) => write(out, record, &record.args().to_string()),
        Some(more) => {
            let message = format!("{} ({more} like it were left out)", record.args());
            write(out, record, &message)
        }
        None => Ok(()),
    }
}

fn json_line(out: &mut Formatter, record: &Record<'_>, message: &str) -> io::Result<()> {
    let line = serde_json::json!({
        "level": level_name(record.level()),
        "msg": message,
        "time": out.timestamp_seconds().to_string(),
    });
    writeln!(out, "{line}")
}

fn text_line(out: &mut Formatter, record: &Record<'_>, message: &str) -> io::Result<()> {
    let (time, level) = (out.timestamp_seconds(), level_name(record.level()));
    writeln!(out, "time=\"{time}\" level={level} msg={message:?}")
}

fn plain_line(out: &mut Formatter, record: &Record<'_>, message: &str) -> io::Result<()> {
    writeln!(out, "runsk: {}: {message}", level_name(record.level()))
}

/// The names that runc's log uses.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::{json_in, path_in};
    use std::ffi::OsString;

    fn args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_log_is_found_in_wrong_arguments() {
        let wrong = args("runsk --frob --log=/tmp/l --log-format json run");
        assert_eq!(path_in(&wrong), Some("/tmp/l".into()));
        assert!(json_in(&wrong));
        assert_eq!(path_in(&args("runsk --log /tmp/l")), Some("/tmp/l".into()));
        assert_eq!(path_in(&args("runsk do -- x --log /tmp/l")), None);
        assert!(!json_in(&args("runsk --log-format text")));
    }
}
