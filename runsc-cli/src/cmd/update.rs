//! `runsk update`: changes a container's limits.

use std::fs;
use std::io::Read;
use std::path::Path;

use oci_spec::runtime::LinuxResources;
use sentry::control::Limits;
use serde_json::{Value, json};

use crate::failure::{Context, Failure, Outcome};
use crate::flags;
use crate::life::{Client, Status};
use crate::spec;
use crate::state::Directory;

pub(super) fn run(container: &Directory, args: &flags::Update) -> Outcome<()> {
    let resources = match &args.resources {
        Some(file) => read(file)?,
        None => of_flags(args)?,
    };
    let _held = container.hold()?;
    let (record, status) = container.status()?;
    if status == Status::Stopped {
        return Err(Failure::new("container not running"));
    }
    let limits = spec::changed_limits(&resources);
    match &record.cgroup {
        Some(cgroup) => cgroup.update(&resources)?,
        None if limits == Limits::default() => {
            return Err(Failure::new(format!(
                "container {} has no cgroup: only its memory and its number of tasks can be \
                 limited",
                record.id
            )));
        }
        None => {}
    }
    Client::connect(container)?.limit(limits)
}

fn read(file: &Path) -> Outcome<LinuxResources> {
    let text = if file == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).context("stdin")?;
        text
    } else {
        fs::read(file).context(file.display())?
    };
    serde_json::from_slice(&text).context(format_args!("{} are not resources", file.display()))
}

fn of_flags(args: &flags::Update) -> Outcome<LinuxResources> {
    let size = |value: &Option<String>| value.as_deref().map(size).transpose();
    let mut resources = json!({});
    let mut set = |controller: &str, name: &str, value: Value| {
        if !value.is_null() {
            resources[controller][name] = value;
        }
    };
    set("memory", "limit", json!(size(&args.memory)?));
    set(
        "memory",
        "reservation",
        json!(size(&args.memory_reservation)?),
    );
    set("memory", "swap", json!(size(&args.memory_swap)?));
    set("cpu", "period", json!(args.cpu_period));
    set("cpu", "quota", json!(args.cpu_quota));
    set("cpu", "shares", json!(args.cpu_share));
    set("cpu", "realtimePeriod", json!(args.cpu_rt_period));
    set("cpu", "realtimeRuntime", json!(args.cpu_rt_runtime));
    set("cpu", "cpus", json!(args.cpuset_cpus));
    set("cpu", "mems", json!(args.cpuset_mems));
    set("pids", "limit", json!(args.pids_limit));
    set("blockIO", "weight", json!(args.blkio_weight));
    serde_json::from_value(resources).context("resources")
}

/// Bytes, with a unit of 1024 to a power if one is given; -1 is no limit.
fn size(text: &str) -> Outcome<i64> {
    let lower = text.to_ascii_lowercase();
    let plain = lower.strip_suffix('b').unwrap_or(&lower);
    let (number, shift) = ["k", "m", "g", "t"]
        .iter()
        .zip([10, 20, 30, 40])
        .find_map(|(unit, shift)| Some((plain.strip_suffix(unit)?, shift)))
        .unwrap_or((plain, 0));
    let bytes = number.parse::<i64>().ok();
    bytes
        .and_then(|bytes| bytes.checked_mul(1 << shift))
        .filter(|bytes| *bytes >= -1)
        .ok_or_else(|| {
            Failure::new(format!(
                "\"{text}\" is not a size: give bytes, or as \"64m\""
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::{of_flags, size};
    use crate::flags::{Cli, Command};
    use clap::Parser;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("64m", 64 << 20),
            ("1G", 1 << 30),
            ("5", 5),
            ("2kb", 2048),
            ("-1", -1),
        ] {
            assert_eq!(size(text).expect(text), bytes);
        }
        for bad in ["", "m", "1x", "-2", "99999999999t"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn flags_become_resources() {
        let line = "runsk update --memory 64m --cpu-quota -1 --pids-limit 9 --cpuset-cpus 0-1 c";
        let cli = Cli::try_parse_from(line.split(' ')).expect(line);
        let Some(Command::Update(args)) = cli.command else {
            panic!("not update");
        };
        let resources = of_flags(&args).expect("valid");
        let memory = resources.memory().as_ref().and_then(|m| m.limit());
        assert_eq!(memory, Some(64 << 20));
        let cpu = resources.cpu().as_ref().expect("cpu");
        assert_eq!(cpu.quota(), Some(-1));
        assert_eq!(cpu.cpus().as_deref(), Some("0-1"));
        assert!(resources.block_io().is_none());
    }
}
