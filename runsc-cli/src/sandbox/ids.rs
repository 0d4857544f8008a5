//! Who Sentry and Gofer are, and the id maps of their user namespaces; user_namespaces(7).
//!
//! The Sentry maps one id: an unprivileged one of the host where we may choose. The Gofer
//! maps what the container's files belong to: as root all ids one to one, so that it can
//! give files to anyone; as an ordinary user what the configuration asks for.

use std::process::Command;

use nix::unistd::{getegid, geteuid};
use platform::host::caps::{self, Caps};
use platform::host::spawn::Identity;

use crate::failure::{Context, Failure, Outcome};
use crate::spec::{IdMaps, IdRange};

/// The Sentry's id inside, and as root outside too: "nobody". It owns no file anywhere.
const NOBODY: u32 = 65534;

/// A user namespace to be, and who its process is in it.
pub(super) struct User {
    pub(super) maps: IdMaps,
    pub(super) identity: Identity,
}

/// What the caller may do with ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Map any id that it has itself.
    Privileged,
    /// Map its own id.
    Ordinary,
}

impl Caller {
    /// Who runs this process.
    pub(super) fn current() -> Outcome<Self> {
        const NEEDED: Caps = Caps::SYS_ADMIN.union(Caps::SETUID).union(Caps::SETGID);
        let effective = Caps::from_bits_retain(caps::effective().context("capabilities")?);
        Ok(if effective.contains(NEEDED) {
            Caller::Privileged
        } else {
            Caller::Ordinary
        })
    }

    /// The Sentry.
    pub(super) fn sentry(self) -> Outcome<User> {
        let own = own_ranges()?;
        let mapped = |ranges: &[IdRange]| ranges.iter().any(|range| range.holds(NOBODY));
        let outside = match self {
            Caller::Privileged if mapped(&own.uids) && mapped(&own.gids) => (NOBODY, NOBODY),
            _ => (geteuid().as_raw(), getegid().as_raw()),
        };
        Ok(User {
            maps: IdMaps {
                uids: vec![IdRange::single(NOBODY, outside.0)],
                gids: vec![IdRange::single(NOBODY, outside.1)],
            },
            identity: self.identity(NOBODY, NOBODY),
        })
    }

    /// The process that makes sockets: as root without a user namespace, so that its rights
    /// are worth something in the host's network.
    pub(super) fn sockets(self) -> Outcome<(Option<IdMaps>, Identity)> {
        let own = own_ranges()?;
        let mapped = |ranges: &[IdRange]| ranges.iter().any(|range| range.holds(NOBODY));
        match self {
            Caller::Privileged if mapped(&own.uids) && mapped(&own.gids) => {
                Ok((None, self.identity(NOBODY, NOBODY)))
            }
            Caller::Privileged => {
                let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
                Ok((None, self.identity(uid, gid)))
            }
            Caller::Ordinary => {
                let user = self.sentry()?;
                Ok((Some(user.maps), user.identity))
            }
        }
    }

    /// The Gofer of a container whose files have these ids.
    pub(super) fn gofer(self, asked: Option<IdMaps>) -> Outcome<User> {
        let maps = match (self, asked) {
            (_, Some(maps)) => maps,
            (Caller::Privileged, None) => own_ranges()?,
            // As "runsk spec --rootless" has it: root inside is the caller.
            (Caller::Ordinary, None) => IdMaps {
                uids: vec![IdRange::single(0, geteuid().as_raw())],
                gids: vec![IdRange::single(0, getegid().as_raw())],
            },
        };
        let first = |ranges: &[IdRange]| ranges.first().map_or(0, |range| range.inside);
        let (uid, gid) = if maps.has_root() {
            (0, 0)
        } else {
            (first(&maps.uids), first(&maps.gids))
        };
        Ok(User {
            maps,
            identity: self.identity(uid, gid),
        })
    }

    fn identity(self, uid: u32, gid: u32) -> Identity {
        Identity {
            uid,
            gid,
            keep_groups: self == Caller::Ordinary,
        }
    }
}

/// Our own ids, one to one.
fn own_ranges() -> Outcome<IdMaps> {
    let read = |path: &str| {
        let text = std::fs::read_to_string(path).context(path)?;
        Ok(parse(&text))
    };
    Ok(IdMaps {
        uids: read("/proc/self/uid_map")?,
        gids: read("/proc/self/gid_map")?,
    })
}

fn parse(map: &str) -> Vec<IdRange> {
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let inside = fields.next()?.parse().ok()?;
        let count = fields.nth(1)?.parse().ok()?;
        Some(IdRange {
            inside,
            outside: inside,
            count,
        })
    };
    map.lines().filter_map(line).collect()
}

/// Writes the maps of a new user namespace, whose first process is `pid`.
pub(super) fn write(pid: i32, maps: &IdMaps, caller: Caller) -> Outcome<()> {
    if caller == Caller::Privileged {
        put(pid, "uid_map", &text(&maps.uids))?;
        return put(pid, "gid_map", &text(&maps.gids));
    }
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    if is_only(&maps.uids, uid) {
        put(pid, "uid_map", &text(&maps.uids))?;
    } else {
        ask("newuidmap", "/etc/subuid", pid, &maps.uids)?;
    }
    if is_only(&maps.gids, gid) {
        // A group that denies access must not be dropped by who is in it: setgroups(2) has
        // to be given up first.
        put(pid, "setgroups", "deny")?;
        put(pid, "gid_map", &text(&maps.gids))
    } else {
        ask("newgidmap", "/etc/subgid", pid, &maps.gids)
    }
}

fn is_only(ranges: &[IdRange], id: u32) -> bool {
    matches!(ranges, [range] if range.count == 1 && range.outside == id)
}

fn put(pid: i32, file: &str, text: &str) -> Outcome<()> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::write(&path, text).map_err(|error| {
        Failure::new(format!(
            "cannot map ids of a user namespace ({file} \"{}\"): {error}",
            text.trim_end().replace('\n', ", ")
        ))
    })
}

fn text(ranges: &[IdRange]) -> String {
    let line = |range: &IdRange| {
        let IdRange {
            inside,
            outside,
            count,
        } = range;
        format!("{inside} {outside} {count}\n")
    };
    ranges.iter().map(line).collect()
}

/// Lets the set-user-id helper of the shadow suite write a map of more than our own id.
fn ask(helper: &str, ranges_file: &str, pid: i32, ranges: &[IdRange]) -> Outcome<()> {
    let numbers = ranges
        .iter()
        .flat_map(|range| [range.inside, range.outside, range.count]);
    let output = Command::new(helper)
        .arg(pid.to_string())
        .args(numbers.map(|number| number.to_string()))
        .output()
        .context(format_args!(
            "{helper}, which maps more than the caller's own id (Debian's package uidmap has it)"
        ))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!(
        "{} (ids that may be mapped are in {ranges_file})",
        said.trim()
    )))
}

#[cfg(test)]
mod tests {
    use super::{is_only, parse, text};
    use crate::spec::IdRange;

    #[test]
    fn own_map_becomes_one_to_one() {
        let map = "         0       1000          1\n         1     100000      65536\n";
        assert_eq!(text(&parse(map)), "0 0 1\n1 1 65536\n");
    }

    #[test]
    fn only_a_single_own_id_needs_no_helper() {
        assert!(is_only(&[IdRange::single(0, 1000)], 1000));
        assert!(!is_only(&[IdRange::single(0, 1001)], 1000));
        assert!(!is_only(
            &[IdRange::single(0, 1000), IdRange::single(1, 100_000)],
            1000
        ));
    }
}
