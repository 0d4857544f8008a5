//! A copy of an address space, fork(2).

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use platform::{Pages, Prot};
use syscalls::errno::{ENOMEM, Errno};

use super::Mm;
use super::change::{Change, ProtectWalk};
use super::hot::PLACE;
use super::own_pages::put_own;
use super::resident::{Kind, Resident};
use super::state::State;
use super::vma::{Backing, Vma, VmaFlags};

/// What a child does not keep of what it was born with.
enum Loss {
    /// Everything.
    All,
    /// What is the file's: it is just changing.
    Files,
}

/// Copies of pages that both sides will soon write, by the first address of their run.
type Copies = BTreeMap<u64, Copied>;

struct Copied {
    prot: Prot,
    pages: Vec<Pages>,
}

/// References to memory in which a single task runs.
const USES_OF_ONE: usize = 2;

impl Mm {
    /// A copy: the same mappings, the same pages. Private ones are copied when either
    /// side writes, or now. `ENOMEM`.
    pub fn fork(&self) -> Result<Arc<Mm>, Errno> {
        let mut born = Change::default();
        let (child, losses) = {
            let mut change = Change::default();
            // Held until the copy is whole: the host's and ours are of one moment.
            let mut state = self.state.write();
            // What is copied now is of one moment only if nobody writes it.
            let mut copies = match self.this.strong_count() <= USES_OF_ONE {
                true => self.copy_hot(&mut state),
                false => Copies::new(),
            };
            guard_private(&mut state, &mut change, &copies);
            self.apply(&mut state, &mut change)?;
            let space = self.space.fork().map_err(|error| {
                log::error!("address space {}: fork: {error}", self.id);
                ENOMEM
            })?;
            let copy = |this: &Weak<Mm>, id| copy_state(&state, this, id, &mut copies, &mut born);
            let child = Self::with(&self.file, self.limits.get(), space, copy);
            (child, losses(&state))
        };
        child.exe.set(self.exe.get());
        child.change(|state, change| {
            change.ops = born.ops;
            for (start, end, loss) in losses {
                match loss {
                    Loss::All => state.drop_pages(change, start, end),
                    Loss::Files => state.drop_file_pages(change, start, end),
                }
            }
            Ok::<_, Errno>(())
        })?;
        Ok(child)
    }

    /// Copies what will be written soon. Less, if memory runs out.
    fn copy_hot(&self, state: &mut State) -> Copies {
        let mut copies = Copies::new();
        for place in state.hot.clone().places() {
            let parts: Vec<(u64, u64, Prot)> = state
                .vmas
                .overlapping(place, place + PLACE)
                .filter(|vma| is_copied(vma))
                .map(|vma| (vma.start.max(place), vma.end.min(place + PLACE), vma.prot))
                .collect();
            for (start, end, prot) in parts {
                state.resident.cut(start, end);
                for (at, run) in state.resident.overlapping(start, end) {
                    if run.kind != Kind::Own {
                        continue;
                    }
                    let Ok(pages) = self.copied(&run.pages) else {
                        return copies;
                    };
                    copies.insert(at, Copied { prot, pages });
                }
            }
        }
        copies
    }
}

/// Private memory that may be written, and that a child has too.
fn is_copied(vma: &Vma) -> bool {
    let other = VmaFlags::SHARED | VmaFlags::DONT_FORK | VmaFlags::WIPE_ON_FORK;
    vma.prot.contains(Prot::WRITE) && !vma.flags.intersects(other)
}

/// Removes write rights from all private memory, except where the child has copies and
/// nobody else has the pages.
fn guard_private(state: &mut State, change: &mut Change, copies: &Copies) {
    let mut walk = ProtectWalk::default();
    for (start, run) in state.resident.iter_mut() {
        let copied = copies.get(&start).filter(|_| {
            let pages = &run.pages;
            (0..pages.count()).all(|index| pages.is_sole_owner(index))
        });
        if run.kind == Kind::Own {
            run.guarded = copied.is_none();
        }
        if let Some(told) = run.told {
            let rights = copied.map_or_else(|| run.rights(told), |copied| copied.prot);
            walk.run(change, start, run, rights);
        }
    }
}

fn copy_state(
    state: &State,
    this: &Weak<Mm>,
    id: u64,
    copies: &mut Copies,
    change: &mut Change,
) -> State {
    let mut copy = State::new(state.layout.clone());
    copy.rewrites = state.rewrites.clone();
    copy.hot = state.hot.clone();
    let inherited = |flags: VmaFlags| !flags.contains(VmaFlags::DONT_FORK);
    for vma in state.vmas.iter().filter(|vma| inherited(vma.flags)) {
        let mut vma = vma.clone();
        // Locks are not inherited.
        vma.flags -= VmaFlags::LOCKED | VmaFlags::LOCK_ON_FAULT;
        if let Backing::Source(source) = &mut vma.backing {
            source.registration = source.registration.in_other(this.clone(), id);
        }
        copy.insert_vma(vma);
    }
    for (start, run) in state.resident.overlapping(0, u64::MAX) {
        if let Some(Copied { prot, pages }) = copies.remove(&start) {
            put_own(&mut copy, change, start, prot, pages);
            continue;
        }
        let run = Resident {
            pages: run.pages.clone(),
            ..*run
        };
        copy.resident.put(start, run);
    }
    copy
}

/// What the child's host memory has and the child shall not.
fn losses(state: &State) -> Vec<(u64, u64, Loss)> {
    let mut losses = Vec::new();
    for vma in state.vmas.iter() {
        let gone = VmaFlags::DONT_FORK | VmaFlags::WIPE_ON_FORK;
        // A file that is telling its mappings of a change may have missed the child.
        let changing = |vma: &Vma| {
            vma.source()
                .is_some_and(|source| source.registration.source().mappings().is_changing())
        };
        if vma.flags.intersects(gone) {
            losses.push((vma.start, vma.end, Loss::All));
        } else if changing(vma) {
            losses.push((vma.start, vma.end, Loss::Files));
        }
    }
    losses
}
