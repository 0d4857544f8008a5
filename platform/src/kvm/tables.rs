//! The page tables of an address space, four levels.
//!
//! Processors read them at any time, so every change is one atomic store. They write
//! nothing there: every entry says from the start that its page was used.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::{Errno, PAGE_SIZE};

use super::layout::{KERNEL_SLOT, LARGE, entry};
use super::machine::Machine;
use crate::Prot;

/// Entries in a table.
const ENTRIES: u64 = 512;
/// The application's entries of the highest table.
const USER_ENTRIES: u64 = 256;
/// Address bits below the index into tables of each level.
const SHIFTS: [u32; 4] = [39, 30, 21, 12];
/// The lowest level.
const LEAF: usize = 3;

/// See the module.
pub(super) struct Tables {
    machine: Arc<Machine>,
    root: u64,
}

/// What a change has taken away: processors and the host may still know it otherwise.
#[derive(Default)]
pub(super) struct Removed {
    /// Guest-physical ranges that were mapped, or mapped with more rights: start, length.
    pub(super) pages: Vec<(u64, u64)>,
    /// Tables that are no longer linked.
    pub(super) tables: Vec<u64>,
}

impl Removed {
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.tables.is_empty()
    }

    fn page(&mut self, address: u64) {
        match self.pages.last_mut() {
            Some((start, len)) if *start + *len == address => *len += PAGE_SIZE,
            Some((start, len)) if *start <= address && address < *start + *len => {}
            _ => self.pages.push((address, PAGE_SIZE)),
        }
    }
}

/// A table of the lowest level, or how far there is none.
enum Found {
    Table(u64),
    /// There is none before this address.
    NoneBefore(u64),
}

impl Tables {
    pub(super) fn new(machine: Arc<Machine>) -> Result<Self, Errno> {
        let root = machine.new_page()?;
        let place = machine.own.word(root + KERNEL_SLOT * 8);
        place.store(machine.supervisor.top_entry(), Ordering::Relaxed);
        Ok(Tables { machine, root })
    }

    /// Guest-physical address of the highest table: CR3.
    pub(super) fn root(&self) -> u64 {
        self.root
    }

    /// Maps `[start, end)` to guest-physical memory from `page` on.
    pub(super) fn map(
        &mut self,
        (start, end): (u64, u64),
        page: u64,
        prot: Prot,
        removed: &mut Removed,
    ) -> Result<(), Errno> {
        let (mut at, mut page) = (start, page);
        while at < end {
            let table = self.make_table(at)?;
            let stop = end.min(next(at, LARGE));
            while at < stop {
                let new = page | rights(prot);
                let old = self.place(table, at).swap(new, Ordering::SeqCst);
                if old & entry::PRESENT == 0 {
                    self.count(table, 1);
                } else if lost(old, new) {
                    removed.page(old & entry::ADDRESS);
                }
                at += PAGE_SIZE;
                page += PAGE_SIZE;
            }
        }
        Ok(())
    }

    /// Unmaps what is mapped in `[start, end)`.
    pub(super) fn unmap(&mut self, (start, end): (u64, u64), removed: &mut Removed) {
        let mut at = start;
        while at < end {
            let table = match self.find_table(at) {
                Found::NoneBefore(address) => {
                    at = address;
                    continue;
                }
                Found::Table(table) => table,
            };
            let (first, stop) = (at, end.min(next(at, LARGE)));
            while at < stop {
                let place = self.place(table, at);
                if place.load(Ordering::Relaxed) & entry::PRESENT != 0 {
                    let old = place.swap(0, Ordering::SeqCst);
                    removed.page(old & entry::ADDRESS);
                    self.count(table, -1);
                }
                at += PAGE_SIZE;
            }
            self.unlink_if_empty(first, removed);
        }
    }

    /// Where in guest-physical memory an address is mapped.
    pub(super) fn find(&self, address: u64) -> Option<u64> {
        let Found::Table(table) = self.find_table(address) else {
            return None;
        };
        let entry = self.place(table, address).load(Ordering::Relaxed);
        let page = entry & entry::ADDRESS;
        (entry & entry::PRESENT != 0).then_some(page + address % PAGE_SIZE)
    }

    /// Changes the rights of what is mapped in `[start, end)`.
    pub(super) fn protect(&mut self, (start, end): (u64, u64), prot: Prot, removed: &mut Removed) {
        let mut at = start;
        while at < end {
            let table = match self.find_table(at) {
                Found::NoneBefore(address) => {
                    at = address;
                    continue;
                }
                Found::Table(table) => table,
            };
            let stop = end.min(next(at, LARGE));
            while at < stop {
                let place = self.place(table, at);
                let old = place.load(Ordering::Relaxed);
                if old & entry::PRESENT != 0 {
                    let new = old & entry::ADDRESS | rights(prot);
                    place.store(new, Ordering::SeqCst);
                    if lost(old, new) {
                        removed.page(old & entry::ADDRESS);
                    }
                }
                at += PAGE_SIZE;
            }
        }
    }

    /// A copy.
    pub(super) fn copy(&self) -> Result<Self, Errno> {
        let copy = Tables::new(Arc::clone(&self.machine))?;
        self.copy_table(self.root, copy.root, 0)?;
        Ok(copy)
    }

    fn copy_table(&self, from: u64, to: u64, level: usize) -> Result<(), Errno> {
        let own = &self.machine.own;
        for index in 0..user_entries(level) {
            let old = own.word(from + index * 8).load(Ordering::Relaxed);
            if old & entry::PRESENT == 0 {
                continue;
            }
            let new = if level == LEAF {
                old
            } else {
                let below = self.machine.new_page()?;
                // Linked first: an error leaves nothing behind.
                let new = below | entry::TABLE;
                own.word(to + index * 8).store(new, Ordering::Relaxed);
                self.copy_table(old & entry::ADDRESS, below, level + 1)?;
                new
            };
            own.word(to + index * 8).store(new, Ordering::Relaxed);
        }
        let count = own.count(from).load(Ordering::Relaxed);
        own.count(to).store(count, Ordering::Relaxed);
        Ok(())
    }

    /// All tables, the highest last.
    fn all(&self) -> Vec<u64> {
        let mut all = Vec::new();
        self.collect(self.root, 0, &mut all);
        all
    }

    fn collect(&self, table: u64, level: usize, all: &mut Vec<u64>) {
        if level < LEAF {
            for index in 0..user_entries(level) {
                let entry = self.machine.own.word(table + index * 8);
                let entry = entry.load(Ordering::Relaxed);
                if entry & entry::PRESENT != 0 {
                    self.collect(entry & entry::ADDRESS, level + 1, all);
                }
            }
        }
        all.push(table);
    }

    fn place(&self, table: u64, address: u64) -> &std::sync::atomic::AtomicU64 {
        self.machine.own.word(table + index(address, LEAF) * 8)
    }

    fn count(&self, table: u64, change: i16) {
        let count = self.machine.own.count(table);
        count.fetch_add(change.cast_unsigned(), Ordering::Relaxed);
    }

    fn find_table(&self, address: u64) -> Found {
        let mut table = self.root;
        for (level, shift) in (0..LEAF).zip(SHIFTS) {
            let place = self.machine.own.word(table + index(address, level) * 8);
            let entry = place.load(Ordering::Relaxed);
            if entry & entry::PRESENT == 0 {
                return Found::NoneBefore(next(address, 1 << shift));
            }
            table = entry & entry::ADDRESS;
        }
        Found::Table(table)
    }

    fn make_table(&mut self, address: u64) -> Result<u64, Errno> {
        let mut table = self.root;
        for level in 0..LEAF {
            let place = self.machine.own.word(table + index(address, level) * 8);
            let entry = place.load(Ordering::Relaxed);
            if entry & entry::PRESENT != 0 {
                table = entry & entry::ADDRESS;
                continue;
            }
            let below = self.machine.new_page()?;
            place.store(below | entry::TABLE, Ordering::SeqCst);
            self.count(table, 1);
            table = below;
        }
        Ok(table)
    }

    /// Takes out the tables for an address that map nothing any more.
    fn unlink_if_empty(&mut self, address: u64, removed: &mut Removed) {
        let mut path = [self.root; 4];
        for level in 0..LEAF {
            let place = self
                .machine
                .own
                .word(path[level] + index(address, level) * 8);
            path[level + 1] = place.load(Ordering::Relaxed) & entry::ADDRESS;
        }
        for level in (1..=LEAF).rev() {
            if self.machine.own.count(path[level]).load(Ordering::Relaxed) > 0 {
                return;
            }
            let above = path[level - 1];
            let place = self.machine.own.word(above + index(address, level - 1) * 8);
            place.store(0, Ordering::SeqCst);
            self.count(above, -1);
            removed.tables.push(path[level]);
        }
    }
}

impl Drop for Tables {
    /// Nobody runs on them any more.
    fn drop(&mut self) {
        self.machine.give_back(&self.all());
    }
}

fn user_entries(level: usize) -> u64 {
    if level == 0 { USER_ENTRIES } else { ENTRIES }
}

fn index(address: u64, level: usize) -> u64 {
    SHIFTS
        .get(level)
        .map_or(0, |shift| address >> shift & (ENTRIES - 1))
}

/// The next multiple of `unit` above an address.
fn next(address: u64, unit: u64) -> u64 {
    (address & !(unit - 1)) + unit
}

fn rights(prot: Prot) -> u64 {
    let mut bits = entry::PRESENT | entry::USER | entry::ACCESSED | entry::DIRTY;
    if prot.contains(Prot::WRITE) {
        bits |= entry::WRITE;
    }
    if !prot.contains(Prot::EXEC) {
        bits |= entry::NO_EXEC;
    }
    bits
}

/// Whether `new` lets an application do less than `old`, or something else.
fn lost(old: u64, new: u64) -> bool {
    let other_page = (old ^ new) & entry::ADDRESS != 0;
    let write = old & !new & entry::WRITE != 0;
    let exec = new & !old & entry::NO_EXEC != 0;
    other_page || write || exec
}
