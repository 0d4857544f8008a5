//! What a process starts with as if it had set it for itself: `process.scheduler`,
//! `process.ioPriority`, `process.oomScoreAdj`, `linux.personality`.

use oci_spec::runtime::{
    IOPriorityClass, LinuxIOPriority, LinuxPersonality, LinuxPersonalityDomain, LinuxSchedulerFlag,
    LinuxSchedulerPolicy as Policy, Process, Scheduler,
};
use sentry::config::SettingsConfig;

use crate::failure::{Failure, Outcome};

/// Of a process.
pub(super) fn convert(process: &Process) -> Outcome<SettingsConfig> {
    let mut settings = SettingsConfig::default();
    if let Some(scheduler) = process.scheduler() {
        schedule(scheduler, &mut settings)?;
    }
    if let Some(priority) = process.io_priority() {
        settings.io_priority = io_priority(priority)?;
    }
    if let Some(adjustment) = process.oom_score_adj() {
        if !(-1000..=1000).contains(&adjustment) {
            return Err(Failure::new(format!(
                "process.oomScoreAdj {adjustment} is not in the range -1000 to 1000"
            )));
        }
        settings.oom_score_adj = adjustment;
    }
    Ok(settings)
}

fn schedule(scheduler: &Scheduler, settings: &mut SettingsConfig) -> Outcome<()> {
    let bad = |what: String| Failure::new(format!("process.scheduler: {what}"));
    let policy = *scheduler.policy();
    let real_time = matches!(policy, Policy::SchedFifo | Policy::SchedRr);
    settings.policy = match policy {
        Policy::SchedOther => libc::SCHED_OTHER,
        Policy::SchedFifo => libc::SCHED_FIFO,
        Policy::SchedRr => libc::SCHED_RR,
        Policy::SchedBatch => libc::SCHED_BATCH,
        Policy::SchedIdle => libc::SCHED_IDLE,
        // Linux has no such policy either, and nobody here can promise deadlines.
        Policy::SchedIso | Policy::SchedDeadline => {
            return Err(bad(format!("policy {policy} is not supported")));
        }
    };
    settings.priority = scheduler.priority().unwrap_or(0);
    let range = if real_time { 1..=99 } else { 0..=0 };
    if !range.contains(&settings.priority) {
        return Err(bad(format!(
            "priority {} does not go with {policy}",
            settings.priority
        )));
    }
    settings.nice = scheduler.nice().unwrap_or(0);
    if !(-20..=19).contains(&settings.nice) {
        return Err(bad(format!(
            "nice {} is not in the range -20 to 19",
            settings.nice
        )));
    }
    for flag in scheduler.flags().iter().flatten() {
        match flag {
            LinuxSchedulerFlag::SchedResetOnFork => settings.reset_on_fork = true,
            flag => return Err(bad(format!("flag {flag} is not supported"))),
        }
    }
    Ok(())
}

fn io_priority(priority: &LinuxIOPriority) -> Outcome<u16> {
    /// Where the class stands, above the level; ioprio_set(2).
    const CLASS_SHIFT: u32 = 13;
    let class: u16 = match priority.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    let level = priority.priority();
    let level = u16::try_from(level).ok().filter(|level| *level < 8);
    let level = level.ok_or_else(|| {
        Failure::new(format!(
            "process.ioPriority.priority {} is not in the range 0 to 7",
            priority.priority()
        ))
    })?;
    Ok(class << CLASS_SHIFT | level)
}

/// Of all processes of a container; personality(2).
pub(super) fn personality(personality: &LinuxPersonality) -> Outcome<u32> {
    const PER_LINUX32: u32 = 8;
    if personality.flags().as_ref().is_some_and(|f| !f.is_empty()) {
        return Err(Failure::new(
            "linux.personality.flags: no flag is supported",
        ));
    }
    Ok(match personality.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => PER_LINUX32,
    })
}
