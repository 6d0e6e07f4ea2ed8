//! Full ids, as the engine gives them to containers, networks and execs, and behind `sha256:` to images.

/// An id: 64 hexadecimal digits (moby `pkg/stringid`), half as long.
pub type Id = [u8; 32];

/// An id as the engine writes it; `None` if it is none, or not in full.
pub fn read(text: &str) -> Option<Id> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut id = [0; 32];
    for (byte, pair) in id.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(nibble);
        *byte = high? << 4 | low?;
    }
    Some(id)
}

/// The same in digits.
pub fn write(id: &Id) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in id {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn an_id_is_read_in_full_and_written_as_it_was() {
        let id = |number: usize| format!("{number:064x}");
        for number in [0, 10, usize::MAX] {
            assert_eq!(write(&read(&id(number)).unwrap()), id(number));
        }
        let short = id(10).trim_start_matches('0').to_owned();
        for other in [id(10).to_uppercase(), short, String::new(), "g".repeat(64)] {
            assert_eq!(read(&other), None, "{other}");
        }
    }
}
