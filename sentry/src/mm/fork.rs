//! A copy of an address space, fork(2).

use std::sync::{Arc, Weak};

use syscalls::errno::{ENOMEM, Errno};

use super::Mm;
use super::change::{Change, ProtectWalk};
use super::resident::{Kind, Resident};
use super::state::State;
use super::vma::{Backing, VmaFlags};

/// What a child does not keep of what it was born with.
enum Loss {
    /// Everything.
    All,
    /// What is the file's: it is just changing.
    Files,
}

impl Mm {
    /// A copy: the same mappings, the same pages. Private ones are copied when either
    /// side writes. `ENOMEM`.
    pub fn fork(&self) -> Result<Arc<Mm>, Errno> {
        let (child, losses) = {
            let mut change = Change::default();
            // Held until the copy is whole: the host's and ours are of one moment.
            let mut state = self.state.write();
            guard_private(&mut state, &mut change);
            self.apply(&mut state, &mut change)?;
            let space = self.space.fork().map_err(|error| {
                log::error!("address space {}: fork: {error}", self.id);
                ENOMEM
            })?;
            let copy = |this: &Weak<Mm>, id| copy_state(&state, this, id);
            let child = Self::with(&self.file, self.limits.get(), space, copy);
            (child, losses(&state))
        };
        child.exe.set(self.exe.get());
        child.change(|state, change| {
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
}

/// Removes write rights from all private memory.
fn guard_private(state: &mut State, change: &mut Change) {
    let mut walk = ProtectWalk::default();
    for (start, run) in state.resident.iter_mut() {
        if run.kind == Kind::Own {
            run.guarded = true;
        }
        if let Some(told) = run.told {
            let rights = run.rights(told);
            walk.run(change, start, run.len(), told, rights);
            run.told = Some(rights);
        }
    }
}

fn copy_state(state: &State, this: &Weak<Mm>, id: u64) -> State {
    let mut copy = State::new(state.layout.clone());
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
        let changing = |vma: &super::vma::Vma| {
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
