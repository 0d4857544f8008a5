//! `runsk start`, `kill`, `pause`, `resume`: what is asked of a container that is there.

use std::process::ExitCode;

use nix::sys::signal::Signal;
use sentry::control::Target;

use crate::failure::{Failure, Outcome};
use crate::flags;
use crate::life::{Client, Status};
use crate::state::Directory;

pub(super) fn kill(container: &Directory, args: &flags::Kill) -> Outcome<ExitCode> {
    let signal = signal_number(&args.signal)?;
    let (record, status) = container.status()?;
    let target = if args.all { Target::All } else { Target::First };
    match status {
        // All of none: callers make sure with it that nothing is left.
        Status::Stopped if args.all => return Ok(ExitCode::SUCCESS),
        Status::Stopped => return Err(Failure::new("container not running")),
        _ => {}
    }
    let sent = Client::connect(container).and_then(|mut client| client.signal(target, signal));
    match (sent, record.sentry) {
        (Ok(()), _) => {}
        // Ended just now, by this signal or another.
        (Err(_), Some(_)) if !record.lives() => {}
        // A kill is not asked for, it is done.
        (Err(failure), Some(sentry)) if signal == Signal::SIGKILL as i32 => {
            log::warn!("{failure}");
            sentry.kill();
        }
        (Err(failure), _) => return Err(failure),
    }
    Ok(ExitCode::SUCCESS)
}

/// A signal by number, or by name with or without "SIG"; signal(7).
fn signal_number(text: &str) -> Outcome<i32> {
    const MAX: i32 = 64;
    let unknown = || Failure::new(format!("unknown signal \"{text}\": see \"kill -l\""));
    if let Ok(number) = text.parse::<i32>() {
        let known = (1..=MAX).contains(&number);
        return known.then_some(number).ok_or_else(unknown);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(number) = real_time(name) {
        return Ok(number);
    }
    let signal = match name {
        "POLL" => Signal::SIGIO,
        "CLD" => Signal::SIGCHLD,
        "IOT" => Signal::SIGABRT,
        name => format!("SIG{name}").parse().map_err(|_| unknown())?,
    };
    Ok(signal as i32)
}

/// RTMIN, RTMIN+n, RTMAX, RTMAX-n: as the C library has them.
fn real_time(name: &str) -> Option<i32> {
    const RANGE: std::ops::RangeInclusive<i32> = 34..=64;
    let number = |base: i32, rest: &str| match rest {
        "" => Some(base),
        rest => base.checked_add(rest.parse::<i32>().ok()?),
    };
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => number(*RANGE.start(), rest),
        (_, Some(rest)) => number(*RANGE.end(), rest),
        _ => None,
    };
    number.filter(|number| RANGE.contains(number))
}

pub(super) fn pause(container: &Directory) -> Outcome<ExitCode> {
    let _held = container.hold()?;
    match container.status()? {
        (_, Status::Running) => Client::connect(container)?.pause()?,
        (_, status) => {
            return Err(Failure::new(format!(
                "container not running: it is {}",
                status.word()
            )));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn resume(container: &Directory) -> Outcome<ExitCode> {
    let _held = container.hold()?;
    match container.status()? {
        (_, Status::Paused) => Client::connect(container)?.resume()?,
        (_, status) => {
            return Err(Failure::new(format!(
                "container not paused: it is {}",
                status.word()
            )));
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::signal_number;

    #[test]
    fn signals_by_any_name() {
        for (text, number) in [
            ("9", 9),
            ("KILL", 9),
            ("SIGTERM", 15),
            ("sigusr1", 10),
            ("CLD", 17),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
            ("64", 64),
        ] {
            assert_eq!(signal_number(text).expect(text), number);
        }
        for text in ["0", "65", "-1", "FROB", "", "RTMIN-1", "RTMAX+1"] {
            assert!(signal_number(text).is_err(), "{text}");
        }
    }
}
