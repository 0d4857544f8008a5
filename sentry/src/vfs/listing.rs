//! The names of a directory at one time.

use super::FileKind;

/// All names of a directory but "." and "..", in an order that stays.
#[derive(Debug, Default)]
pub struct Listing(pub Vec<Listed>);

/// One of them.
#[derive(Debug)]
pub struct Listed {
    /// Name.
    pub name: Box<[u8]>,
    /// Inode number.
    pub ino: u64,
    /// Type.
    pub kind: FileKind,
}
