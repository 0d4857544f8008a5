//! `runsk events`: what a container uses, as lines of JSON.

use std::process::ExitCode;
use std::time::Duration;

use sentry::control::Stats;
use serde_json::{Value, json};

use super::print;
use crate::cgroup::Cgroup;
use crate::failure::{Context, Failure, Outcome};
use crate::flags;
use crate::life::{Client, Status};
use crate::state::{Directory, Record};

pub(super) fn run(container: &Directory, args: &flags::Events) -> Outcome<ExitCode> {
    let interval = interval(&args.interval)?;
    let (record, status) = container.status()?;
    if status == Status::Stopped {
        return Err(Failure::new("container not running"));
    }
    if args.stats {
        return print(&event(&record, "stats", &stats(container, &record)?));
    }
    let mut kills = oom_kills(container, &record);
    while record.lives() {
        let now = oom_kills(container, &record);
        if now > kills {
            kills = now;
            print(&event(&record, "oom", &json!(null)))?;
        }
        match stats(container, &record) {
            Ok(stats) => print(&event(&record, "stats", &stats))?,
            // It has just ended.
            Err(_) if !record.lives() => break,
            Err(failure) => return Err(failure),
        };
        std::thread::sleep(interval);
    }
    Ok(ExitCode::SUCCESS)
}

fn event(record: &Record, kind: &str, data: &Value) -> String {
    format!(
        "{}\n",
        json!({ "type": kind, "id": record.id, "data": data })
    )
}

/// By the container's own kernel, and by the host's.
fn oom_kills(container: &Directory, record: &Record) -> u64 {
    let own = Client::connect(container).and_then(|mut client| client.stats());
    let host = record.cgroup.as_ref().map_or(0, Cgroup::oom_kills);
    own.map_or(0, |own| own.oom_kills).saturating_add(host)
}

/// What the host counts for the sandbox's processes; without a cgroup, what the container's
/// own kernel counts. Of one that lives in another's sandbox the host knows no more than the
/// files' server: what its programs use is what the kernel counts. Tasks are always the container's own: what the host has behind them is
/// none of a container's business.
fn stats(container: &Directory, record: &Record) -> Outcome<Value> {
    let own = Client::connect(container)?.stats()?;
    let mut stats = match &record.cgroup {
        Some(cgroup) => serde_json::to_value(cgroup.stats()?).context("statistics")?,
        None => own_stats(&own),
    };
    if record.sandbox.is_some() && record.cgroup.is_some() {
        add(&mut stats, &own_stats(&own));
        stats["memory"]["usage"]["limit"] = own.memory_limit.into();
    }
    let limit = match own.tasks_limit {
        u64::MAX => 0,
        limit => limit,
    };
    stats["pids"] = json!({ "current": own.tasks, "limit": limit });
    stats["network_interfaces"] = json!([]);
    Ok(stats)
}

fn own_stats(stats: &Stats) -> Value {
    let (user, kernel) = (stats.cpu_user_ns, stats.cpu_system_ns);
    json!({
        "cpu": {
            "usage": { "total": user.saturating_add(kernel), "user": user, "kernel": kernel },
            "throttling": { "periods": 0, "throttledPeriods": 0, "throttledTime": 0 }
        },
        "memory": { "usage": { "usage": stats.memory, "limit": stats.memory_limit } },
        "blkio": {},
        "hugetlb": {}
    })
}

/// Adds the numbers of `more`, name by name. What is a number in one is one in the other.
fn add(to: &mut Value, more: &Value) {
    let Value::Object(names) = more else {
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        *to = number(to).saturating_add(number(more)).into();
        return;
    };
    for (name, more) in names {
        add(&mut to[name], more);
    }
}

/// A time span as Go writes it: "5s", "500ms", "1m".
fn interval(text: &str) -> Outcome<Duration> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let ms = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    ms.zip(number)
        .and_then(|(ms, number)| number.checked_mul(ms))
        .filter(|ms| *ms > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| Failure::new(format!("--interval {text}: give a time span, as \"5s\"")))
}

#[cfg(test)]
mod tests {
    use super::{add, interval};
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn statistics_add_up() {
        let mut stats = json!({ "a": { "b": 1, "c": 2 }, "d": 3 });
        add(
            &mut stats,
            &json!({ "a": { "b": 10, "e": 4 }, "f": { "g": 5 } }),
        );
        let sum = json!({ "a": { "b": 11, "c": 2, "e": 4 }, "d": 3, "f": { "g": 5 } });
        assert_eq!(stats, sum);
    }

    #[test]
    fn spans() {
        assert_eq!(interval("5s").expect("5s"), Duration::from_secs(5));
        assert_eq!(
            interval("250ms").expect("250ms"),
            Duration::from_millis(250)
        );
        for bad in ["", "5", "0s", "s", "-1s", "5 s", "99999999999999999999h"] {
            assert!(interval(bad).is_err(), "{bad}");
        }
    }
}
