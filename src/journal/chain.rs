//! The hash chain: every entry's hash covers the one before, so that no entry can be changed, taken out or put in
//! without a trace.
//!
//! The hash of an entry is the SHA-256 of, in this order: the hash of the entry before (32 bytes; zeros before the first),
//! its place (u64), its time in milliseconds since 1970 (i64), its token (u64), its version (u32), all big-endian, and its
//! text (UTF-8). Only the text has no fixed length, and it comes last, so no two entries share an input.

use sha2::{Digest, Sha256};

/// The hash of one entry.
pub(super) type Link = [u8; 32];

/// What the first entry follows.
pub(super) const START: Link = [0; 32];

/// The fields of an entry that its hash covers, as they are stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Covered<'a> {
    /// Its place.
    pub(super) seq: u64,
    /// Its time in milliseconds since 1970.
    pub(super) at_ms: i64,
    /// The token it was appended with.
    pub(super) token: u64,
    /// The version of the event.
    pub(super) version: u32,
    /// The event's text.
    pub(super) body: &'a [u8],
}

impl Covered<'_> {
    /// The hash of this entry after the one with the hash `before`.
    pub(super) fn link(&self, before: &Link) -> Link {
        let mut hash = Sha256::new();
        hash.update(before);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.at_ms.to_be_bytes());
        hash.update(self.token.to_be_bytes());
        hash.update(self.version.to_be_bytes());
        hash.update(self.body);
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: Covered<'static> = Covered { seq: 1, at_ms: 1_000, token: 7, version: 1, body: b"{}" };

    /// Journals in the field are checked with this formula: it never changes.
    #[test]
    fn the_formula_stays_what_it_is() {
        // Computed apart, with Python's hashlib.
        assert_eq!(
            hex::encode(ENTRY.link(&START)),
            "f352b274bbacfb7b1b640538e5991a8a68ad81fbded2e40d8943cc43388c2632"
        );
    }

    /// Every field of an entry, and the entry before, is covered.
    #[test]
    fn nothing_can_change_unseen() {
        let whole = ENTRY.link(&START);
        for other in [
            Covered { seq: 2, ..ENTRY },
            Covered { at_ms: 1_001, ..ENTRY },
            Covered { token: 8, ..ENTRY },
            Covered { version: 2, ..ENTRY },
            Covered { body: b"{ }", ..ENTRY },
        ] {
            assert_ne!(other.link(&START), whole, "{other:?}");
        }
        assert_ne!(ENTRY.link(&[1; 32]), whole);
    }
}
