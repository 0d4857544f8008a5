//! Running another program, execve(2).

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use platform::Regs;
use syscalls::abi::fs::PathFlags;
use syscalls::errno::{E2BIG, EAGAIN, EINVAL, ENOENT, ENOEXEC};
use syscalls::{Errno, Fd, Restart, Run, Stop, SysResult, UserCStr, UserPtr, call};

use super::exec_creds::ExecCredentials;
use super::{Current, ExitStatus, Resource};
use crate::core_dump::Registers;
use crate::loader::{self, Image, Program, Refusal};
use crate::ptrace::Event;
use crate::signal::{AltStack, Signal};
use crate::vfs::{File, Walking};

/// Longest single argument, bytes with its NUL.
const MAX_STRING: usize = 128 << 10;
/// What all arguments may take at least, and at most, bytes.
const MIN_TOTAL: u64 = 128 << 10;
const MAX_TOTAL: u64 = 6 << 20;

impl Run<Current> for call::Execve {
    fn run(self, task: &mut Current) -> SysResult {
        let path = task.read_path(self.pathname)?;
        let strings = task.read_arguments(self.argv, self.envp)?;
        task.exec(Fd::CWD, &path, strings, PathFlags::empty())
    }
}

impl Run<Current> for call::Execveat {
    fn run(self, task: &mut Current) -> SysResult {
        let known = PathFlags::EMPTY_PATH | PathFlags::SYMLINK_NOFOLLOW;
        if !known.contains(self.flags) {
            return Err(EINVAL.into());
        }
        let path = task.read_path(self.pathname)?;
        let strings = task.read_arguments(self.argv, self.envp)?;
        task.exec(self.dirfd, &path, strings, self.flags)
    }
}

/// Arguments and environment.
pub(crate) struct Strings {
    pub(crate) argv: Vec<Vec<u8>>,
    pub(crate) envp: Vec<Vec<u8>>,
}

impl Current {
    fn read_arguments(
        &self,
        argv: UserPtr<UserCStr>,
        envp: UserPtr<UserCStr>,
    ) -> Result<Strings, Errno> {
        let stack = self.group.limits.soft(Resource::Stack);
        let mut left = (stack / 4).clamp(MIN_TOTAL, MAX_TOTAL);
        let mut argv = self.read_strings(argv, &mut left)?;
        let envp = self.read_strings(envp, &mut left)?;
        // As Linux since 5.18: programs rely on a first argument.
        if argv.is_empty() {
            argv.push(Vec::new());
        }
        Ok(Strings { argv, envp })
    }

    /// The strings of a vector that NULL ends; NULL itself is an empty vector.
    fn read_strings(
        &self,
        vector: UserPtr<UserCStr>,
        left: &mut u64,
    ) -> Result<Vec<Vec<u8>>, Errno> {
        let mut strings = Vec::new();
        if vector.is_null() {
            return Ok(strings);
        }
        for index in 0.. {
            let at = self.mem().read(vector.at(index)?)?;
            if at.0.is_null() {
                break;
            }
            let string = self.mem().read_cstr(at, MAX_STRING, E2BIG)?;
            let size = string.len() as u64 + 1 + size_of::<UserCStr>() as u64;
            *left = left.checked_sub(size).ok_or(E2BIG)?;
            strings.push(string);
        }
        Ok(strings)
    }

    fn exec(&mut self, dirfd: Fd, path: &[u8], strings: Strings, flags: PathFlags) -> SysResult {
        let mut how = Walking::FOLLOW;
        if flags.contains(PathFlags::SYMLINK_NOFOLLOW) {
            how -= Walking::FOLLOW;
        }
        if flags.contains(PathFlags::EMPTY_PATH) {
            how |= Walking::EMPTY;
        }
        let file = self.open_program(self.walk_at(dirfd, path, how)?)?;
        let relative = dirfd != Fd::CWD && path.first() != Some(&b'/');
        let path_closes = relative && self.fds.get().entry(dirfd)?.close_on_exec;
        let shown = match (relative, path.is_empty()) {
            (false, _) => path.to_vec(),
            (true, true) => format!("/dev/fd/{}", dirfd.0).into_bytes(),
            (true, false) => [format!("/dev/fd/{}/", dirfd.0).as_bytes(), path].concat(),
        };
        let (image, creds) = match self.load_program(file, shown, path_closes, strings) {
            Ok(loaded) => loaded,
            Err(Refusal::Call(errno)) => return Err(errno.into()),
            Err(Refusal::Program) => {
                self.group.kill(ExitStatus::Killed(Signal::SEGV));
                self.mark_work();
                return Err(Stop::Registers);
            }
        };
        let before = self.numbers();
        self.become_sole()?;
        self.commit(image, creds);
        self.regs.rax = 0;
        if self.trace.is_on() {
            self.show_code();
        }
        self.stop_for_event(Event::Exec, self.number_for_tracer(&before));
        Err(Stop::Registers)
    }

    /// What execve(2) does with a file that is found, for a task that does not run yet.
    pub(crate) fn load_and_commit(
        &mut self,
        file: Arc<File>,
        path: Vec<u8>,
        strings: Strings,
    ) -> Result<(), Stop> {
        let loaded = self.load_program(file, path, false, strings);
        let (image, creds) = loaded.map_err(|refusal| match refusal {
            Refusal::Call(errno) => errno,
            Refusal::Program => ENOEXEC,
        })?;
        self.commit(image, creds);
        Ok(())
    }

    /// Makes the new memory. The caller's own state stays as it is.
    fn load_program(
        &self,
        file: Arc<File>,
        path: Vec<u8>,
        path_closes: bool,
        Strings { argv, envp }: Strings,
    ) -> Result<(Image, ExecCredentials), Refusal> {
        let open = |path: &[u8]| {
            if path.is_empty() {
                return Err(ENOENT);
            }
            self.open_program(self.walk(path, Walking::FOLLOW)?)
        };
        let creds = Cell::new(None);
        let identity = |file: &Arc<File>| {
            let found = ExecCredentials::for_file(self, file);
            let identity = found.identity();
            creds.set(Some(found));
            identity
        };
        let program = Program {
            file,
            path,
            path_closes,
            argv,
            envp,
            limits: self.group.limits.to_mm(&self.creds.get()),
            open: &open,
            identity: &identity,
        };
        let image = loader::load(&self.kernel, &self.memory(), program)?;
        let creds = creds.take();
        let creds = creds.unwrap_or_else(|| ExecCredentials::for_file(self, &image.file));
        Ok((image, creds))
    }

    /// Ends all other threads of the process, and takes the number of the leader.
    fn become_sole(&mut self) -> Result<(), Stop> {
        self.end_other_threads(None)?;
        let mut tree = self.kernel.pids.lock();
        let before = self.tid();
        tree.make_leader(self.task());
        let mut state = self.group.state();
        state.sole = None;
        state.leader_status = None;
        if before != self.tid() {
            log::debug!("thread {before} is now {}", self.tid());
        }
        Ok(())
    }

    /// Waits until the thread is alone in its process, of whose threads the others end;
    /// where there are `remains`, with their registers in there. Until `sole` is `None`
    /// again there is no new one.
    fn end_other_threads(&self, remains: Option<Vec<Registers>>) -> Result<(), Stop> {
        {
            let mut state = self.group.state();
            if state.end.is_some() || state.sole.is_some() {
                self.mark_work();
                return Err(Stop::Restart(Restart::NoIntr));
            }
            state.sole = Some(self.tid());
            state.remains = remains;
            for thread in &state.threads {
                if thread.tid() != self.tid() {
                    thread.kick();
                }
            }
        }
        self.block_until_killed(&self.group.thread_events, || {
            if self.group.thread_count() == 1 {
                Ok(())
            } else {
                Err(EAGAIN.into())
            }
        })
    }

    /// Ends the other threads before memory is dumped: their registers, or `None` if the
    /// process ends already.
    pub(crate) fn stand_alone_for_dump(&self) -> Option<Vec<Registers>> {
        self.end_other_threads(Some(Vec::new())).ok()?;
        self.group.state().remains.take()
    }

    /// From here on there is no way back.
    fn commit(&mut self, image: Image, creds: ExecCredentials) {
        super::robust::release(self);
        let old = self.mem().clone();
        let peak = old.peak();
        {
            let mut state = self.group.state();
            state.past_usage.max_rss = state.past_usage.max_rss.max(peak);
        }
        super::exit::leave_memory(self.task(), &old);
        self.context.finish();
        image.mm.set_exe(Some(image.file));
        self.replace_mm(image.mm);
        drop(old);
        self.name.set(image.name.into());
        self.group
            .handlers
            .update(|handlers| *handlers = Arc::new(handlers.without_handlers()));
        self.close_on_exec();
        self.group.timers.on_exec();
        creds.commit(self);
        self.group.set_executed();
        self.group.barriers.store(0, Ordering::Relaxed);
        self.group.set_exit_signal(Some(Signal::CHLD));
        self.own.alt_stack = AltStack::default();
        self.own.saved_mask = None;
        self.regs = Regs::start(image.rip, image.rsp);
    }

    fn close_on_exec(&self) {
        let mut table = self.fds.get();
        if Arc::strong_count(&table) > 2 {
            table = table.fork();
            self.fds.set(table.clone());
        }
        table.close_where(|_, entry| entry.close_on_exec);
    }
}
