//! A set of bytes, made at compile time and asked in one load: every byte of every request passes here.

/// Which of the 256 bytes are in the set.
pub(super) struct ByteSet([bool; 256]);

impl ByteSet {
    /// ASCII letters and digits, and these.
    #[expect(
        clippy::indexing_slicing,
        clippy::as_conversions,
        reason = "runs at compile time, where a slip stops the build"
    )]
    pub(super) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte: u8 = 0;
        while byte < 128 {
            set[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            set[others[at] as usize] = true;
            at += 1;
        }
        Self(set)
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).is_some_and(|&found| found)
    }

    /// True when all of the text is in the set.
    pub(super) fn covers(&self, text: &str) -> bool {
        text.bytes().all(|byte| self.contains(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_it_was_made_of_and_nothing_else() {
        let set = ByteSet::alphanumeric_and(b"_\xff");
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || byte == b'_' || byte == 0xff;
            assert_eq!(set.contains(byte), expected, "{byte}");
        }
        assert!(set.covers("a_1") && set.covers(""));
        assert!(!set.covers("a-1"));
    }
}
