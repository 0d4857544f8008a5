//! What is in the directories of processes and threads.

use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL};

use super::{
    Process, credentials, fd, fd_info, identity, limits, links, maps, mem, memory, mounts,
    namespaces, oom, pagemap, stat, status, strings, tasks,
};
use crate::fs::proc::net;
use crate::fs::synth::{Entry, Opener};
use crate::namespace::Ids;
use crate::task::Current;
use crate::vfs::{FileKind, OpenMode};

type E = Entry<Process>;

const ATTR: E = Entry::dir("attr", SECURITY);
const AUXV: E = Entry::guarded("auxv", Process::check_inspection, strings::auxv).mode(0o400);
const CGROUP: E = Entry::text("cgroup", identity::cgroup);
const CMDLINE: E = Entry::text("cmdline", strings::cmdline);
const COMM: E = Entry::setting("comm", identity::comm, identity::set_comm);
const CPUSET: E = Entry::fixed("cpuset", "/\n");
const CWD: E = Entry::magic("cwd", links::cwd);
const ENVIRON: E =
    Entry::guarded("environ", Process::check_inspection, strings::environ).mode(0o400);
const EXE: E = Entry::magic("exe", links::exe);
const FD: E = Entry::made("fd", FileKind::Directory, fd::directory).mode(0o500);
const FDINFO: E = Entry::made("fdinfo", FileKind::Directory, fd_info::directory).mode(0o555);
const GID_MAP: E = Entry::setting(
    "gid_map",
    |p, o| credentials::map(p, o, Ids::Groups),
    |p, o, data| credentials::set_map(p, o, data, Ids::Groups),
);
const IO: E = Entry::guarded("io", Process::check_inspection, stat::io).mode(0o400);
const LIMITS: E = Entry::text("limits", limits::table);
const LOGINUID: E = Entry::setting("loginuid", credentials::login, credentials::set_login);
const MAPS: E = Entry::guarded("maps", Process::check_inspection, maps::maps);
const MEM: E = Entry::file("mem", mem::open).mode(0o600);
const MOUNTINFO: E = Entry::text("mountinfo", mounts::mountinfo);
const MOUNTS: E = Entry::text("mounts", mounts::mounts);
const NET: E = Entry::dir("net", net::ENTRIES);
const NS: E = Entry::dir("ns", namespaces::ENTRIES).mode(0o511);
const OOM_ADJ: E = Entry::setting("oom_adj", oom::old_adjustment, oom::set_old_adjustment);
const OOM_SCORE: E = Entry::text("oom_score", oom::score);
const OOM_SCORE_ADJ: E = Entry::setting("oom_score_adj", oom::adjustment, oom::set_adjustment);
const PAGEMAP: E = Entry::file("pagemap", pagemap::open).mode(0o400);
const PERSONALITY: E = Entry::guarded(
    "personality",
    Process::check_inspection,
    identity::personality,
)
.mode(0o400);
const PROJID_MAP: E = Entry::setting(
    "projid_map",
    |p, o| credentials::map(p, o, Ids::Projects),
    |p, o, data| credentials::set_map(p, o, data, Ids::Projects),
);
const ROOT: E = Entry::magic("root", links::root);
const SCHED: E = Entry::text("sched", stat::sched);
const SCHEDSTAT: E = Entry::text("schedstat", stat::schedstat);
const SESSIONID: E = Entry::fixed("sessionid", "4294967295\n");
const SETGROUPS: E = Entry::setting("setgroups", credentials::groups, credentials::set_groups);
const SMAPS: E = Entry::guarded("smaps", Process::check_inspection, maps::smaps);
const SMAPS_ROLLUP: E = Entry::guarded(
    "smaps_rollup",
    Process::check_inspection,
    maps::smaps_rollup,
);
const STACK: E = Entry::guarded("stack", no_stack, |_, _| Err(EACCES)).mode(0o400);
const STAT: E = Entry::text("stat", stat::stat);
const STATM: E = Entry::text("statm", memory::statm);
const STATUS: E = Entry::text("status", status::status);
const UID_MAP: E = Entry::setting(
    "uid_map",
    |p, o| credentials::map(p, o, Ids::Users),
    |p, o, data| credentials::set_map(p, o, data, Ids::Users),
);
const WCHAN: E = Entry::fixed("wchan", "0");

/// /proc/PID.
pub(super) const PROCESS: &[E] = &[
    ATTR,
    AUXV,
    CGROUP,
    CMDLINE,
    COMM,
    Entry::setting("coredump_filter", memory::dumped, memory::set_dumped),
    CPUSET,
    CWD,
    ENVIRON,
    EXE,
    FD,
    FDINFO,
    GID_MAP,
    IO,
    LIMITS,
    LOGINUID,
    MAPS,
    MEM,
    MOUNTINFO,
    MOUNTS,
    Entry::guarded("mountstats", Process::check_inspection, mounts::mountstats).mode(0o400),
    NET,
    NS,
    OOM_ADJ,
    OOM_SCORE,
    OOM_SCORE_ADJ,
    PAGEMAP,
    PERSONALITY,
    PROJID_MAP,
    ROOT,
    SCHED,
    SCHEDSTAT,
    SESSIONID,
    SETGROUPS,
    SMAPS,
    SMAPS_ROLLUP,
    STACK,
    STAT,
    STATM,
    STATUS,
    Entry::made("task", FileKind::Directory, tasks::directory),
    Entry::fixed("timers", ""),
    Entry::setting("timerslack_ns", identity::slack, identity::set_slack).mode(0o666),
    UID_MAP,
    WCHAN,
];

/// /proc/PID/task/TID.
pub(super) const THREAD: &[E] = &[
    ATTR,
    AUXV,
    CGROUP,
    Entry::text("children", tasks::children),
    CMDLINE,
    COMM,
    CPUSET,
    CWD,
    ENVIRON,
    EXE,
    FD,
    FDINFO,
    GID_MAP,
    IO,
    LIMITS,
    LOGINUID,
    MAPS,
    MEM,
    MOUNTINFO,
    MOUNTS,
    NET,
    NS,
    OOM_ADJ,
    OOM_SCORE,
    OOM_SCORE_ADJ,
    PAGEMAP,
    PERSONALITY,
    PROJID_MAP,
    ROOT,
    SCHED,
    SCHEDSTAT,
    SESSIONID,
    SETGROUPS,
    SMAPS,
    SMAPS_ROLLUP,
    STACK,
    STAT,
    STATM,
    STATUS,
    UID_MAP,
    WCHAN,
];

/// Attributes of security modules, of which there is none.
const SECURITY: &[E] = &[
    Entry::text("current", no_module).mode(0o666),
    Entry::text("exec", no_module).mode(0o666),
    Entry::text("fscreate", no_module).mode(0o666),
    Entry::text("keycreate", no_module).mode(0o666),
    Entry::text("prev", no_module),
    Entry::text("sockcreate", no_module).mode(0o666),
];

fn no_module(_: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    Err(EINVAL)
}

/// What the kernel does for a thread is nobody's business.
fn no_stack(_: &Process, _: &Current, _: OpenMode) -> Result<(), Errno> {
    Err(EACCES)
}
