//! Structures, flags and constants of Linux's x86-64 ABI, by subject.
