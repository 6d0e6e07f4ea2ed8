//! A reader of requests that forgives everything that any reader was ever known to forgive.
//!
//! Bare line feeds, blank lines in front, folded lines, blanks around colons, several lengths, both
//! framings at once, chunk extensions, trailers: whoever smuggles a request has to get it past a
//! reader like this one.

/// A request head, read leniently.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// What the bytes hold at their beginning.
#[derive(Debug)]
pub(super) enum Read<T> {
    /// It, and how many bytes it takes.
    Whole(T, usize),
    /// More is needed.
    More,
    /// No request.
    Nonsense,
}

/// Reads a head at the start of `bytes`.
pub(super) fn head(bytes: &[u8]) -> Read<Head> {
    let mut at = 0;
    let mut head = Head::default();
    loop {
        let Some(line) = line(&bytes[at..]) else {
            return Read::More;
        };
        at += line.len();
        let line = line.trim_ascii_end();
        if head.method.is_empty() {
            if line.is_empty() {
                continue;
            }
            let text = String::from_utf8_lossy(line);
            let mut words = text.split_ascii_whitespace();
            let (Some(method), Some(target)) = (words.next(), words.next()) else {
                return Read::Nonsense;
            };
            method.clone_into(&mut head.method);
            target.clone_into(&mut head.target);
        } else if line.is_empty() {
            return Read::Whole(head, at);
        } else if line[0].is_ascii_whitespace() {
            if let Some((_, value)) = head.headers.last_mut() {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
        } else {
            let colon = line
                .iter()
                .position(|byte| *byte == b':')
                .unwrap_or(line.len());
            let name = String::from_utf8_lossy(line[..colon].trim_ascii()).to_ascii_lowercase();
            let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
            head.headers.push((name, value.to_vec()));
        }
    }
}

impl Head {
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_slice())
    }

    /// Reads the body at the start of `bytes`.
    pub(super) fn body(&self, bytes: &[u8]) -> Read<Vec<u8>> {
        let chunked = |value: &[u8]| {
            value
                .to_ascii_lowercase()
                .windows(7)
                .any(|word| word == b"chunked")
        };
        if self.all("transfer-encoding").any(chunked) {
            return chunks(bytes);
        }
        let length = self.all("content-length").find_map(|value| {
            let digits = value.iter().filter(|byte| byte.is_ascii_digit());
            let digits: String = digits.map(|byte| char::from(*byte)).collect();
            digits.parse::<usize>().ok()
        });
        let length = length.unwrap_or(0);
        match bytes.get(..length) {
            Some(body) => Read::Whole(body.to_vec(), length),
            None => Read::More,
        }
    }
}

fn chunks(bytes: &[u8]) -> Read<Vec<u8>> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(size) = line(&bytes[at..]) else {
            return Read::More;
        };
        at += size.len();
        let digits: String = size
            .trim_ascii()
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .map(|byte| char::from(*byte))
            .collect();
        let Ok(size) = usize::from_str_radix(&digits, 16) else {
            return Read::Nonsense;
        };
        if size == 0 {
            break;
        }
        let Some(data) = at.checked_add(size).and_then(|end| bytes.get(at..end)) else {
            return Read::More;
        };
        body.extend_from_slice(data);
        at += size;
        let Some(end) = line(&bytes[at..]) else {
            return Read::More;
        };
        at += end.len();
    }
    loop {
        let Some(trailer) = line(&bytes[at..]) else {
            return Read::More;
        };
        at += trailer.len();
        if trailer.trim_ascii().is_empty() {
            return Read::Whole(body, at);
        }
    }
}

/// A line with its line feed.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    bytes.get(..=end)
}
