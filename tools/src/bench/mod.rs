//! The benchmark: the same cases natively, on every platform of runsk, and with the other
//! runtimes on PATH, in turns, so that each round sees the same machine.
//!
//! - `case`: what is measured and what it may cost; the programs are in `tools/guest/`.
//! - `system`: what it is measured on. `machine`: what else the machine does meanwhile.
//! - `latency`, `lifecycle`, `memory`, `many`, `programs`: the parts.
//! - `report`: the table and the JSON; `plot`: the picture.

mod bundle;
mod case;
mod debian;
mod latency;
mod lifecycle;
mod limited;
mod machine;
mod many;
mod memory;
mod plot;
mod programs;
mod report;
mod samples;
mod scripts;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::step;
use bundle::Bundles;
use machine::Machine;
pub(crate) use machine::spin;
use report::Report;

/// What to measure, and how.
#[derive(Args)]
pub(crate) struct Options {
    /// Keep every processor but one busy meanwhile.
    #[arg(long, conflicts_with = "one_cpu")]
    busy: bool,
    /// Keep everything on one processor.
    #[arg(long)]
    one_cpu: bool,
    /// The parts to run, separated by commas [default: all].
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Only these cases and programs, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these systems, separated by commas, as the table names them.
    #[arg(long, value_delimiter = ',')]
    systems: Vec<String>,
    /// Rounds over all systems.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Milliseconds for each case in each round.
    #[arg(long, default_value_t = 40)]
    milliseconds: u32,
    /// Measure this binary instead of building one.
    #[arg(long)]
    runsk: Option<PathBuf>,
    /// Also write all samples to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where the picture goes [default: target/bench.svg].
    #[arg(long)]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What single calls cost.
    Latency,
    /// A container of one program that does nothing.
    Lifecycle,
    /// Memory and processor time of a container that sleeps.
    Idle,
    /// Many containers, one after the other and side by side.
    Many,
    /// Whole programs.
    Programs,
}

impl Options {
    fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Whether a case or program is wanted.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, String> {
    let runsk = match &options.runsk {
        Some(given) => given.clone(),
        None => step::build_runsk()?,
    };
    let machine = Machine::prepare(options.busy, options.one_cpu)?;
    let bundles = Bundles::prepare()?;
    let mut systems = system::all(&runsk)?;
    if !options.systems.is_empty() {
        systems.retain(|system| options.systems.contains(&system.name));
    }
    if systems.is_empty() {
        return Err("no system of these names".to_owned());
    }
    let mut report = Report::new(&machine, &systems, options.rounds);
    if options.has(Part::Latency) {
        latency::run(options, &bundles, &systems, &mut report)?;
    }
    if options.has(Part::Lifecycle) {
        lifecycle::run(options, &bundles, &systems, &mut report)?;
    }
    if options.has(Part::Idle) {
        memory::run(&bundles, &systems, &mut report)?;
    }
    if options.has(Part::Many) {
        many::run(&bundles, &systems, &mut report)?;
    }
    if options.has(Part::Programs) {
        programs::run(options, &systems, &mut report)?;
    }
    print!("{}", report.table());
    let write = |path: &PathBuf, text: String| {
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("==> {}", path.display());
        Ok::<(), String>(())
    };
    if let Some(path) = &options.json {
        write(path, report.json())?;
    }
    let default = || step::workspace().join("target").join("bench.svg");
    let picture = options.svg.clone().unwrap_or_else(default);
    write(&picture, plot::svg(&report))?;
    Ok(ExitCode::SUCCESS)
}
