//! `pids.*`: how many tasks there are and may be.

use syscalls::Errno;
use syscalls::errno::EINVAL;

use super::{Control, limit};
use crate::cgroup::MAX;
use crate::fs::synth::{Entry, Opener};

pub(super) const ENTRIES: &[Entry<Control>] = &[
    Entry::text("pids.current", |control, _| {
        let count = control.kernel()?.tasks_within(&control.group);
        Ok(format!("{count}\n").into_bytes())
    }),
    Entry::text("pids.events", |control, _| {
        Ok(format!("max {}\n", control.group.pids_events()).into_bytes())
    }),
    Entry::setting(
        "pids.max",
        |control, _| Ok(limit(control.group.pids_max()).into_bytes()),
        set_max,
    ),
];

fn set_max(control: &Control, _: &Opener, data: &[u8]) -> Result<(), Errno> {
    /// The most tasks that Linux can number.
    const MOST: u64 = 4_194_304;
    let text = std::str::from_utf8(data).map_err(|_| EINVAL)?;
    let max = match text.trim() {
        "max" => MAX,
        text => text.parse().ok().filter(|n| *n <= MOST).ok_or(EINVAL)?,
    };
    control.check_own()?;
    control.group.set_pids_max(max);
    Ok(())
}
