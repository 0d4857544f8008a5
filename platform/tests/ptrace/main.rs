//! The ptrace platform, as the kernel above sees it: pages, address spaces, contexts.

mod faults;
mod fork;
mod guest;
mod hostile;
mod interrupts;
mod syscalls;
mod threads;
mod vectors;
