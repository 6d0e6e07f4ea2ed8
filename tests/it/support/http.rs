//! Just enough HTTP/1.1 for both ends of a test. It reads what well-behaved peers send and panics on
//! everything else; the gate's own reader is what is tested, so it is not used here.

use std::fmt;

/// A request's or response's first line and header lines.
#[derive(Clone, Default)]
pub(crate) struct Head {
    pub(crate) first: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Length(u64),
    Chunked,
    UntilEof,
}

/// The position just after the blank line that ends a head.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

impl Head {
    /// Reads a complete head, blank line included.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .take_while(|line| !line.is_empty())
            .map(|line| {
                let (name, value) = line
                    .split_once(':')
                    .unwrap_or_else(|| panic!("a header line without a colon: {line:?}"));
                (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
            })
            .collect();
        Self { first, headers }
    }

    /// The first value of a header, by any spelling of its name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a header.
    pub(crate) fn all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h str> {
        let name = name.to_owned();
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(&name))
            .map(|(_, value)| value.as_str())
    }

    /// The word at this place of the first line.
    pub(crate) fn word(&self, place: usize) -> &str {
        self.first.split(' ').nth(place).unwrap_or_default()
    }

    /// A response's status.
    pub(crate) fn status(&self) -> u16 {
        self.word(1)
            .parse()
            .unwrap_or_else(|_| panic!("not a status line: {:?}", self.first))
    }

    /// Whether a `Connection` header holds this token.
    pub(crate) fn connection(&self, token: &str) -> bool {
        self.all("connection")
            .flat_map(|value| value.split(','))
            .any(|word| word.trim().eq_ignore_ascii_case(token))
    }

    /// The body that follows a request head.
    pub(crate) fn request_body(&self) -> Body {
        self.framing().unwrap_or(Body::None)
    }

    /// The body that follows a response head.
    pub(crate) fn response_body(&self, to_head: bool) -> Body {
        let status = self.status();
        if to_head || status < 200 || status == 204 || status == 304 {
            return Body::None;
        }
        self.framing().unwrap_or(Body::UntilEof)
    }

    fn framing(&self) -> Option<Body> {
        if self
            .get("transfer-encoding")
            .is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
        {
            assert!(
                self.get("content-length").is_none(),
                "both framings at once: {self:?}"
            );
            return Some(Body::Chunked);
        }
        let lengths: Vec<&str> = self.all("content-length").collect();
        assert!(lengths.len() < 2, "more than one Content-Length: {self:?}");
        lengths
            .first()
            .map(|length| Body::Length(length.parse().unwrap()))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.first)?;
        self.headers
            .iter()
            .try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))
    }
}

/// `bytes` as one chunk and the end.
pub(crate) fn chunked(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n0\r\n\r\n");
    out
}

/// What the bytes gathered so far hold of a body that is framed like this: `Some((payload, used))`
/// once it is complete.
pub(crate) fn whole_body(framing: Body, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    match framing {
        Body::None => Some((Vec::new(), 0)),
        Body::Length(length) => {
            let length = usize::try_from(length).unwrap();
            bytes
                .get(..length)
                .map(|payload| (payload.to_vec(), length))
        }
        Body::Chunked => whole_chunks(bytes),
        Body::UntilEof => None,
    }
}

fn whole_chunks(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut payload = Vec::new();
    let mut at = 0;
    loop {
        let line = bytes.get(at..)?;
        let end = line.windows(2).position(|two| two == b"\r\n")?;
        let text = std::str::from_utf8(&line[..end]).unwrap();
        let size = usize::from_str_radix(text, 16)
            .unwrap_or_else(|_| panic!("not a chunk size: {text:?}"));
        let data = at + end + 2;
        let chunk = bytes.get(data..data + size + 2)?;
        assert_eq!(
            &chunk[size..],
            b"\r\n",
            "a chunk does not end where it said"
        );
        payload.extend_from_slice(&chunk[..size]);
        at = data + size + 2;
        if size == 0 {
            return Some((payload, at));
        }
    }
}
