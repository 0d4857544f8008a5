//! Calls made fast: code rewritten to reach the kernel without a signal.
//!
//! What is rewritten how, the platform knows ([`platform::systrap::rewrite`]). Here is what
//! concerns memory: the changed copy of a page of code, which takes the place of the file's
//! page in this address space alone, and the pages of trampolines, in gaps near the code.
//! Those pages are mappings that /proc does not show.
//!
//! Only a file's code is rewritten that is mapped privately and cannot be written, and only
//! pages that are as the file has them. So undoing it is forgetting the copy: the file's
//! page comes back by the next fault. That happens before such code can be written, moved
//! or seen by a debugger, and when something else is mapped in the place of trampolines.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};

use platform::memfile::Fill;
use platform::systrap::rewrite::{self, AFTER, BEFORE, HEADER, Rewrite};
use platform::{Prot, Regs};
use syscalls::errno::{ENOENT, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::Mm;
use super::change::Change;
use super::own_pages::put_own;
use super::resident::Kind;
use super::state::State;
use super::vma::{Backing, MapName, Vma, VmaFlags};

/// Calls from one place before it is rewritten: what rewriting costs is worth so many.
const HOT: u8 = 6;
/// Places that are counted; those that share a number are counted as one.
const PLACES: usize = 64;
/// How far trampolines are from their code, at most, bytes.
const REACH: u64 = 0x7000_0000;

/// Counts slow calls by their place.
pub(super) struct Heat([AtomicU8; PLACES]);

impl Default for Heat {
    fn default() -> Self {
        Heat(std::array::from_fn(|_| AtomicU8::new(0)))
    }
}

impl Heat {
    /// Counts a call; true if it was the one that made the place hot.
    fn count(&self, rip: u64) -> bool {
        let place = usize::try_from((rip ^ rip >> 6) % PLACES as u64).unwrap_or(0);
        let count = self.0.get(place);
        let hot = count.is_some_and(|count| count.fetch_add(1, Ordering::Relaxed) + 1 >= HOT);
        if hot && let Some(count) = count {
            count.store(0, Ordering::Relaxed);
        }
        hot
    }
}

/// What is rewritten in an address space.
#[derive(Clone, Default)]
pub(super) struct Rewrites {
    /// By the first byte replaced: what, and where its trampoline is.
    sites: BTreeMap<u64, (Rewrite, u64)>,
    /// Pages of trampolines, and what is in use there: start and end in the address space.
    pages: BTreeMap<u64, Vec<(u64, u64)>>,
    /// A debugger wants to see code as it is.
    off: bool,
}

impl Rewrites {
    /// The trampoline that holds `rip`.
    fn trampoline_at(&self, rip: u64) -> Option<(&Rewrite, u64)> {
        self.pages.get(&(rip & !(PAGE_SIZE - 1)))?;
        let inside = |(rewrite, at): &&(Rewrite, u64)| (*at..*at + rewrite.size()).contains(&rip);
        let found = self.sites.values().find(inside);
        found.map(|(rewrite, at)| (rewrite, *at))
    }

    /// A free place on the page of trampolines at `page`.
    fn place(&self, page: u64, rewrite: &Rewrite) -> Option<u64> {
        let used = self.pages.get(&page)?;
        let fits = |at: &u64| {
            let end = at + rewrite.size();
            used.iter().all(|&(from, to)| end <= from || to <= *at) && rewrite.jump(*at).is_some()
        };
        (page + HEADER..page + PAGE_SIZE - rewrite.size()).find(fits)
    }
}

impl Mm {
    /// To be told of each call for which the platform needed a signal. Sets `regs.rip` to
    /// what the program knows, and rewrites the call if it is worth it.
    pub(crate) fn slow_call(&self, regs: &mut Regs) {
        if self.leave_trampoline(regs) || !self.heat.count(regs.rip) {
            return;
        }
        // What cannot be rewritten stays as it is.
        let _ = self.rewrite(regs.rip, regs.orig_rax);
    }

    /// Sets `regs.rip` to what the program knows, if it is in a trampoline.
    pub(crate) fn leave_trampoline(&self, regs: &mut Regs) -> bool {
        let state = self.state.read();
        let found = state.rewrites.trampoline_at(regs.rip);
        if let Some((rewrite, at)) = found {
            regs.rip = rewrite.original(at, regs.rip);
        }
        found.is_some()
    }

    /// A breakpoint was hit. True if it is a part of a rewritten call, behind which the
    /// thread is; `regs` then go on from there.
    pub(crate) fn pass_trap(&self, regs: &mut Regs) -> bool {
        let state = self.state.read();
        let near = state.rewrites.sites.range(..regs.rip).next_back();
        let hit = near.filter(|(_, (rewrite, _))| rewrite.trap() == Some(regs.rip));
        if let Some((_, (rewrite, at))) = hit {
            regs.rip = rewrite.tail(*at);
        }
        hit.is_some()
    }

    /// Changes when code is brought back: threads that are in a call must not go back to the
    /// trampoline then by which they made it.
    pub(crate) fn restorations(&self) -> u64 {
        self.restorations.load(Ordering::SeqCst)
    }

    /// Code is as its files have it from now on.
    pub(crate) fn stop_rewriting(&self) -> Result<(), Errno> {
        self.change(|state, change| {
            state.rewrites.off = true;
            state.restore_code(change, 0, u64::MAX);
            Ok(())
        })
    }

    fn rewrite(&self, rip: u64, number: u64) -> Result<(), Errno> {
        let mut code = [0; BEFORE + AFTER];
        let from = UserAddr::new(rip.wrapping_sub(BEFORE as u64));
        self.read_partial(from, &mut code);
        let (Some(before), Some(after)) = (code.first_chunk(), code.last_chunk()) else {
            return Err(ENOENT);
        };
        let plan = rewrite::plan(before, after, rip, number).ok_or(ENOENT)?;
        self.change(|state, change| {
            if state.rewrites.off || !state.is_rewritable(plan.start()) {
                return Err(ENOENT);
            }
            let at = self.place_trampoline(state, change, &plan)?;
            self.patch(state, change, &plan, at)?;
            state.rewrites.sites.insert(plan.start(), (plan, at));
            Ok(())
        })
    }

    /// Writes the trampoline; its address.
    fn place_trampoline(
        &self,
        state: &mut State,
        change: &mut Change,
        plan: &Rewrite,
    ) -> Result<u64, Errno> {
        let pages = state.rewrites.pages.keys().copied();
        let found = pages
            .filter_map(|page| Some((page, state.rewrites.place(page, plan)?)))
            .next();
        let (page, at) = match found {
            Some(found) => found,
            None => {
                let page = self.new_trampoline_page(state, change, plan.start())?;
                (page, state.rewrites.place(page, plan).ok_or(ENOENT)?)
            }
        };
        let code = plan.trampoline(at, page).ok_or(ENOENT)?;
        let (start, run) = state.resident.find(page).ok_or(ENOENT)?;
        let offset = run.offset(page - start);
        if run.pages.is_sole_owner((page - start) / PAGE_SIZE) {
            // Nobody runs what is not there yet.
            self.file.write(offset + (at - page), &code)?;
        } else {
            self.replace_page(state, change, page, at - page, &code)?;
        }
        let used = state.rewrites.pages.entry(page).or_default();
        used.push((at, at + plan.size()));
        Ok(at)
    }

    fn new_trampoline_page(
        &self,
        state: &mut State,
        change: &mut Change,
        near: u64,
    ) -> Result<u64, Errno> {
        let low = near.saturating_sub(REACH).max(state.layout.low);
        let page = state.free_below(PAGE_SIZE, low, near).ok_or(ENOENT)?;
        let pages = self.file.allocate(1, Fill::Zero)?;
        self.file.write(pages.offset(), &rewrite::page_header())?;
        let prot = Prot::READ | Prot::EXEC;
        state.insert_vma(Vma {
            start: page,
            end: page + PAGE_SIZE,
            prot,
            may: prot,
            flags: VmaFlags::DONT_EXPAND,
            backing: Backing::Anonymous,
            name: Some(MapName::Trampolines),
            policy: None,
        });
        put_own(state, change, page, prot, vec![pages]);
        state.rewrites.pages.insert(page, Vec::new());
        Ok(page)
    }

    /// Puts the jump into a copy of the page of code.
    fn patch(
        &self,
        state: &mut State,
        change: &mut Change,
        plan: &Rewrite,
        at: u64,
    ) -> Result<(), Errno> {
        let jump = plan.jump(at).ok_or(ENOENT)?;
        let page = plan.start() & !(PAGE_SIZE - 1);
        self.replace_page(state, change, page, plan.start() - page, &jump)
    }

    /// Replaces a resident page by a copy of this process's own with other bytes in it.
    fn replace_page(
        &self,
        state: &mut State,
        change: &mut Change,
        page: u64,
        at: u64,
        bytes: &[u8],
    ) -> Result<(), Errno> {
        let prot = state.vmas.find(page).ok_or(ENOENT)?.prot;
        let (start, run) = state.resident.find(page).ok_or(ENOENT)?;
        let offset = run.offset(page - start);
        let copy = self.file.allocate(1, Fill::Dirty)?;
        let len = usize::try_from(PAGE_SIZE).map_err(|_| ENOENT)?;
        self.file.copy(offset, copy.offset(), len)?;
        self.file.write(copy.offset() + at, bytes)?;
        let old = state.resident.take(page, page + PAGE_SIZE);
        change
            .pages
            .extend(old.into_iter().map(|(_, run)| run.pages));
        put_own(state, change, page, prot, vec![copy]);
        Ok(())
    }
}

impl State {
    /// True if the code at `addr` is a file's, and nobody else's business.
    fn is_rewritable(&self, addr: u64) -> bool {
        let Some(vma) = self.vmas.find(addr) else {
            return false;
        };
        let code = vma.prot == Prot::READ | Prot::EXEC && !vma.is_shared();
        let own = self
            .resident
            .find(addr)
            .is_none_or(|(_, run)| run.kind == Kind::Own);
        let page = addr & !(PAGE_SIZE - 1);
        let mut here = self.rewrites.sites.range(page..page + PAGE_SIZE);
        let known = self.rewrites.sites.contains_key(&addr);
        // Who writes to a file sees what is written run. (Differs from Linux: whoever opens it
        // later does not.)
        let settled = vma.source().is_some_and(|source| {
            let file = source.file.as_ref();
            file.is_some_and(|file| !file.inode().attachments().has_writers())
        });
        // A page of our own is one that was rewritten before, or that the program wrote to.
        code && settled && !known && (!own || here.next().is_some())
    }

    /// Brings back the files' code in `start..end`, and all code whose trampolines are there.
    pub(super) fn restore_code(&mut self, change: &mut Change, start: u64, end: u64) {
        if self.rewrites.pages.is_empty() {
            return;
        }
        let concerns = |site: u64, at: u64| {
            (start..end).contains(&site) || (start..end).contains(&(at & !(PAGE_SIZE - 1)))
        };
        let sites = self.rewrites.sites.iter();
        let mut pages: Vec<u64> = sites
            .filter(|&(&site, &(_, at))| concerns(site, at))
            .map(|(site, _)| site & !(PAGE_SIZE - 1))
            .collect();
        pages.dedup();
        let found = !pages.is_empty();
        for page in pages {
            self.drop_pages(change, page, page + PAGE_SIZE);
            let inside = page..page + PAGE_SIZE;
            self.rewrites.sites.retain(|site, _| !inside.contains(site));
        }
        let before = self.rewrites.pages.len();
        self.rewrites
            .pages
            .retain(|page, _| !(start..end).contains(page));
        change.restored |= found || before != self.rewrites.pages.len();
    }
}
