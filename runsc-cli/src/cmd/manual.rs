//! `runsk completions` and `runsk man`: what the flags say, for shells and for man(1).

use std::process::ExitCode;

use clap::CommandFactory;

use crate::failure::{Context, Failure, Outcome};
use crate::flags::{self, Cli};

const NAME: &str = "runsk";

pub(super) fn completions(args: &flags::Completions) -> Outcome<String> {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut bytes);
    String::from_utf8(bytes).map_err(|error| Failure::new(error.to_string()))
}

pub(super) fn man(args: &flags::Man) -> Outcome<ExitCode> {
    let shown = args.dir.display();
    std::fs::create_dir_all(&args.dir).context(&shown)?;
    clap_mangen::generate_to(Cli::command(), &args.dir).context(&shown)?;
    Ok(ExitCode::SUCCESS)
}
