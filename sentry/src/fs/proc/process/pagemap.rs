//! proc_pid_pagemap(5): a word for each page. Frame numbers are hidden, as they are from all
//! who lack CAP_SYS_ADMIN.

use std::any::Any;
use std::sync::Weak;

use syscalls::errno::EINVAL;
use syscalls::{Errno, PAGE_SIZE, UserAddr};

use super::Process;
use crate::fs::synth::Context;
use crate::mm::{Mm, PageState};
use crate::task::Current;
use crate::vfs::{File, FileOps, OpenMode, SeekFrom, Sink};

/// An open one: of the program that ran when it was opened.
struct PageMap(Weak<Mm>);

/// Bytes of a word.
const WORD: u64 = 8;
/// Words made at a time.
const CHUNK: usize = 4096;

/// The page is in memory.
const PRESENT: u64 = 1 << 63;
/// It is a file's, or shared memory.
const FILE: u64 = 1 << 61;
/// Nobody else has it.
const EXCLUSIVE: u64 = 1 << 56;

pub(super) fn open(
    process: &Process,
    task: &Current,
    _: OpenMode,
) -> Result<Box<dyn FileOps>, Errno> {
    process.inspected_by(task)?;
    Ok(Box::new(PageMap(process.memory())))
}

fn word(page: PageState) -> u64 {
    match page {
        PageState::Absent => 0,
        PageState::Own { shared: true } => PRESENT,
        PageState::Own { shared: false } => PRESENT | EXCLUSIVE,
        PageState::File => PRESENT | FILE,
    }
}

impl FileOps for PageMap {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        if !pos.is_multiple_of(WORD) || !dst.remaining().is_multiple_of(8) {
            return Err(EINVAL);
        }
        let Some(mm) = self.0.upgrade() else {
            return Ok(0);
        };
        let (mut page, end) = (pos / WORD, mm.layout().high / PAGE_SIZE);
        let mut done = 0;
        while dst.remaining() > 0 && page < end {
            let left = usize::try_from(end - page).unwrap_or(usize::MAX);
            let count = (dst.remaining() / 8).min(CHUNK).min(left);
            let states = mm.page_states(UserAddr::new(page * PAGE_SIZE), count);
            let bytes: Vec<u8> = states
                .into_iter()
                .flat_map(|state| word(state).to_ne_bytes())
                .collect();
            match dst.write(&bytes) {
                Ok(copied) => done += copied,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            page += count as u64;
        }
        Ok(done)
    }

    fn seek(&self, _: &File, from: SeekFrom) -> Result<u64, Errno> {
        match from {
            SeekFrom::Start(pos) => Ok(pos),
            _ => Err(EINVAL),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
