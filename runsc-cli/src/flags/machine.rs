//! Commands for the machine that this runtime is installed on.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// `runsk install`
#[derive(Args, Debug)]
pub(crate) struct Install {
    /// Docker's file [default, where no file is named: /etc/docker/daemon.json, if that
    /// directory exists].
    #[arg(long, value_name = "FILE")]
    pub(crate) docker: Option<PathBuf>,
    /// containerd's file [default, where no file is named: /etc/containerd/config.toml, if
    /// that directory exists].
    #[arg(long, value_name = "FILE")]
    pub(crate) containerd: Option<PathBuf>,
    /// Take it out again.
    #[arg(long)]
    pub(crate) remove: bool,
}

/// `runsk completions`
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: Shell,
}

/// `runsk man`
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Directory for the pages, one for each command.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}
