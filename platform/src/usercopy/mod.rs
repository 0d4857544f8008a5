//! Copies that survive a fault.
//!
//! Memory shared with others may refuse an access: the host is out of memory for a page
//! of the memory file, or a peer handed over a file that is too short. The host then
//! sends SIGBUS or SIGSEGV. The routines here are single instructions whose faults the
//! handler in [`handler`] turns into "so many bytes not done".
//!
//! No Rust reference to the shared side ever exists: it is a raw address, and the access
//! is assembly that the compiler does not reason about.

mod handler;

use std::arch::global_asm;

use syscalls::Errno;
use syscalls::errno::EFAULT;

pub(crate) use handler::install;

// Both take their arguments as the C ABI gives them (rdi, rsi, rdx) and return the number
// of bytes not done, which `rep` keeps in rcx wherever it stops. The instruction between
// `_access` and `_resume` is the only one that touches the shared side.
global_asm!(
    ".pushsection .text.runsk_usercopy, \"ax\", @progbits",
    ".globl runsk_copy",
    ".hidden runsk_copy, runsk_copy_access, runsk_copy_resume",
    ".globl runsk_copy_access, runsk_copy_resume",
    "runsk_copy:",
    "mov rcx, rdx",
    "runsk_copy_access:",
    "rep movsb",
    "runsk_copy_resume:",
    "mov rax, rcx",
    "ret",
    ".globl runsk_zero",
    ".hidden runsk_zero, runsk_zero_access, runsk_zero_resume",
    ".globl runsk_zero_access, runsk_zero_resume",
    "runsk_zero:",
    "mov rcx, rsi",
    "xor eax, eax",
    "runsk_zero_access:",
    "rep stosb",
    "runsk_zero_resume:",
    "mov rax, rcx",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    fn runsk_copy(dst: *mut u8, src: *const u8, len: usize) -> usize;
    fn runsk_zero(dst: *mut u8, len: usize) -> usize;
    static runsk_copy_access: u8;
    static runsk_copy_resume: u8;
    static runsk_zero_access: u8;
    static runsk_zero_resume: u8;
}

/// Where a fault at `instruction` continues, if it is one of ours.
fn resume_point(instruction: usize) -> Option<usize> {
    // Only the addresses of these symbols are taken; nothing is read.
    let table = [
        (&raw const runsk_copy_access, &raw const runsk_copy_resume),
        (&raw const runsk_zero_access, &raw const runsk_zero_resume),
    ];
    table
        .iter()
        .find(|(access, _)| access.addr() == instruction)
        .map(|(_, resume)| resume.addr())
}

/// Copies `len` bytes; `EFAULT` if a byte on either side cannot be reached (what came
/// before it is done). The ranges must not overlap.
///
/// # Safety
/// Whatever of the two ranges is Rust's own memory must be valid for the access; a range
/// outside Rust's memory must belong to a mapping that the caller owns.
pub(crate) unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) -> Result<(), Errno> {
    // SAFETY: the routine touches exactly the two ranges, which the caller vouches for.
    match unsafe { runsk_copy(dst, src, len) } {
        0 => Ok(()),
        _ => Err(EFAULT),
    }
}

/// Clears `len` bytes; `EFAULT` if one cannot be reached.
///
/// # Safety
/// As for [`copy`].
pub(crate) unsafe fn zero(dst: *mut u8, len: usize) -> Result<(), Errno> {
    // SAFETY: the routine touches exactly the range, which the caller vouches for.
    match unsafe { runsk_zero(dst, len) } {
        0 => Ok(()),
        _ => Err(EFAULT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::mapping::Mapping;
    use crate::host::memfd;

    #[test]
    fn copies_and_clears() {
        let source = *b"0123456789";
        let mut target = [0u8; 10];
        // SAFETY: both are local arrays of ten bytes.
        unsafe { copy(target.as_mut_ptr(), source.as_ptr(), 10) }.unwrap();
        assert_eq!(target, source);
        let middle = target[2..5].as_mut_ptr();
        // SAFETY: inside the array.
        unsafe { zero(middle, 3) }.unwrap();
        assert_eq!(&target, b"01\0\0\x0056789");
    }

    #[test]
    fn access_beyond_the_file_is_an_error() {
        install();
        let file = memfd::create(c"short", 4096).unwrap();
        let map = Mapping::shared(&file, 0, 8192).unwrap();
        let mut buffer = [7u8; 200];
        let last = map.at(4000, 200).unwrap();
        // SAFETY: the mapping outlives the call.
        unsafe { copy(last, buffer.as_ptr(), 96) }.unwrap();
        // SAFETY: as above; the tail lies beyond the end of the file and faults.
        let result = unsafe { copy(last, buffer.as_ptr(), 200) };
        assert_eq!(result, Err(EFAULT));
        // SAFETY: as above.
        let result = unsafe { copy(buffer.as_mut_ptr(), last, 200) };
        assert_eq!(result, Err(EFAULT));
        // SAFETY: as above.
        let result = unsafe { zero(last, 200) };
        assert_eq!(result, Err(EFAULT));
    }
}
