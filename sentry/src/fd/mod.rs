//! Descriptor tables.

mod table;

pub use table::{CloseOnExec, FdEntry, FdTable, Reservation};
