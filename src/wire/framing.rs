//! Which body follows a head, and where it ends; ambiguity is an error.
//!
//! A [`Meter`] watches the bytes of a body go by and says where it ends. It changes nothing: a
//! chunked body passes as it came, and that is safe because only one form of chunks is taken,
//!
//! ```text
//! *( 1*15HEXDIG CRLF data CRLF )  1*15"0" CRLF CRLF
//! ```
//!
//! without extensions, trailers, blanks or bare line feeds. Those are what other readers disagree
//! about; Go once took a bare LF after a chunk extension as a line end (CVE-2025-22871). Leading
//! zeros are no matter of opinion (RFC 9112 §7.1) and other proxies pad with them, so they pass.
//! Fifteen digits stay below 2^60 in every reader.

#[cfg(test)]
mod tests;

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// No `Content-Length`, no `Transfer-Encoding`.
    None,
    /// Exactly this many bytes (`Content-Length: 0` is `Length(0)`).
    Length(u64),
    /// Canonical chunks.
    Chunked,
}

/// The body of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// None, whatever the length says (HEAD, 1xx, 204, 304).
    Empty {
        /// The `Content-Length` that a GET would have had, which HEAD and 304 answers may tell.
        declared: Option<u64>,
    },
    /// Exactly this many bytes.
    Length(u64),
    /// Canonical chunks.
    Chunked,
    /// Everything until the engine closes.
    UntilEof,
}

/// Finds the end of a body while its bytes pass by untouched.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    state: State,
    /// How long the chunk is that came last, or the body that is none.
    chunk: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Done,
    UntilEof,
    /// So many bytes, then done.
    Length(u64),
    /// In a chunk size: its value so far and how many digits it has.
    Size(u64, u8),
    /// Between the CR and the LF after a size.
    SizeLf(u64),
    /// So many bytes of a chunk.
    Data(u64),
    DataCr,
    DataLf,
    LastCr,
    LastLf,
    /// Wrong once, wrong for good: the bytes after a mistake have no meaning.
    Broken(BadFraming),
}

/// The bytes are not what the head promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadFraming {
    /// A chunk head that is not `1*15HEXDIG CRLF`.
    #[error("a chunk does not start with its size in 1 to 15 hexadecimal digits and CRLF")]
    Size,
    /// `;name=value` after a chunk size.
    #[error("a chunk has an extension; leave it out")]
    Extension,
    /// Something other than CRLF after the data of a chunk.
    #[error("a chunk is longer than its size says; it has to end in CRLF")]
    Overlong,
    /// A line feed alone, or a carriage return alone.
    #[error("a line between chunks does not end in CRLF")]
    LineEnd,
    /// Fields after the last chunk.
    #[error("the last chunk is followed by a trailer; leave it out")]
    Trailer,
}

// === impl Meter ===

impl Meter {
    /// A meter for a request body.
    pub fn request(body: RequestBody) -> Self {
        Self::new(match body {
            RequestBody::None | RequestBody::Length(0) => State::Done,
            RequestBody::Length(length) => State::Length(length),
            RequestBody::Chunked => State::Size(0, 0),
        })
    }

    /// A meter for a response body.
    pub fn response(body: ResponseBody) -> Self {
        Self::new(match body {
            ResponseBody::Empty { declared: _ } | ResponseBody::Length(0) => State::Done,
            ResponseBody::Length(length) => State::Length(length),
            ResponseBody::Chunked => State::Size(0, 0),
            ResponseBody::UntilEof => State::UntilEof,
        })
    }

    fn new(state: State) -> Self {
        let chunk = if let State::Length(length) = state {
            length
        } else {
            0
        };
        Self { state, chunk }
    }

    /// How many of these bytes belong to the body. Less than all of them means: the body ended
    /// there ([`Meter::is_done`]), the rest is the next message.
    ///
    /// Costs a few steps per chunk, whatever its size. After an error every call is that error.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, BadFraming> {
        self.walk(bytes, |_| {})
    }

    /// The body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The end of the stream is a proper end here (done, or `UntilEof`).
    pub fn may_end(&self) -> bool {
        matches!(self.state, State::Done | State::UntilEof)
    }

    /// How many bytes of payload come next, of one piece: nothing in between has to be looked at.
    pub fn run(&self) -> u64 {
        if let State::Length(left) | State::Data(left) = self.state {
            left
        } else {
            0
        }
    }

    /// How long they are together with those of the same piece that went by already.
    pub fn chunk(&self) -> u64 {
        self.chunk
    }

    /// So many bytes of [`Meter::run`] went by unseen.
    pub fn skip(&mut self, count: u64) {
        self.state = self.state.pass(count);
    }

    /// How many bytes are certainly still to come; 0 only when done. Whoever reads no more than
    /// this at a time never reads beyond the body.
    pub fn remaining_hint(&self) -> u64 {
        /// `0 CRLF CRLF`.
        const LAST: u64 = 5;
        match self.state {
            State::Done | State::Broken(_) => 0,
            State::UntilEof => u64::MAX,
            State::Length(left) => left,
            State::Size(0, 0) => LAST,
            State::Size(0, _) => LAST - 1,
            State::Size(size, _) => 2 + size + 2 + LAST,
            State::SizeLf(0) => LAST - 2,
            State::SizeLf(size) => 1 + size + 2 + LAST,
            State::Data(left) => left + 2 + LAST,
            State::DataCr => 2 + LAST,
            State::DataLf => 1 + LAST,
            State::LastCr => 2,
            State::LastLf => 1,
        }
    }

    /// Moves over the bytes of the body and shows its payload, run by run.
    fn walk(&mut self, bytes: &[u8], mut payload: impl FnMut(&[u8])) -> Result<usize, BadFraming> {
        let mut rest = bytes;
        // In a register while the bytes pass by.
        let mut state = self.state;
        loop {
            let left = match state {
                State::Done => break,
                State::Length(left) | State::Data(left) => left,
                State::UntilEof => u64::MAX,
                State::Size(..)
                | State::SizeLf(_)
                | State::DataCr
                | State::DataLf
                | State::LastCr
                | State::LastLf
                | State::Broken(_) => {
                    if let Some((next, after)) = state.leap(rest) {
                        (state, rest) = (next, after);
                        self.chunk = state.begun().unwrap_or(self.chunk);
                        continue;
                    }
                    let Some((byte, after)) = rest.split_first() else {
                        break;
                    };
                    state = state.step(*byte);
                    if let State::Broken(bad) = state {
                        self.state = state;
                        return Err(bad);
                    }
                    rest = after;
                    self.chunk = state.begun().unwrap_or(self.chunk);
                    continue;
                }
            };
            if rest.is_empty() {
                break;
            }
            let run = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            let (data, after) = rest.split_at_checked(run).unwrap_or((rest, &[]));
            payload(data);
            rest = after;
            state = state.pass(u64::try_from(run).unwrap_or(left));
        }
        self.state = state;
        Ok(bytes.len() - rest.len())
    }
}

/// Reads a whole judged body into memory: chunked or not, the payload bytes alone.
///
/// Returns what [`Meter::take`] would. One call appends at most `bytes.len()`, so a caller who
/// checks the length of `payload` between calls keeps its bound.
pub fn collect(
    meter: &mut Meter,
    bytes: &[u8],
    payload: &mut Vec<u8>,
) -> Result<usize, BadFraming> {
    meter.walk(bytes, |data| payload.extend_from_slice(data))
}

// === impl State ===

impl State {
    /// After a whole line between chunks, if it is there and as it should be: what `step` says to its
    /// bytes one by one, in a tenth of the time.
    fn leap(self, bytes: &[u8]) -> Option<(Self, &[u8])> {
        match self {
            Self::DataCr => Some((Self::Size(0, 0), bytes.strip_prefix(b"\r\n")?)),
            Self::LastCr => Some((Self::Done, bytes.strip_prefix(b"\r\n")?)),
            Self::Size(0, 0) => {
                let mut size = 0;
                for (digits, byte) in (0..MAX_DIGITS).zip(bytes) {
                    let Some(digit) = hex(*byte) else {
                        let line = bytes.get(usize::from(digits)..)?;
                        let after = line.strip_prefix(b"\r\n").filter(|_| digits > 0)?;
                        let next = if size == 0 {
                            Self::LastCr
                        } else {
                            Self::Data(size)
                        };
                        return Some((next, after));
                    };
                    size = size * 16 + u64::from(digit);
                }
                None
            }
            Self::Done
            | Self::UntilEof
            | Self::Length(_)
            | Self::Size(..)
            | Self::SizeLf(_)
            | Self::Data(_)
            | Self::DataLf
            | Self::LastLf
            | Self::Broken(_) => None,
        }
    }

    /// After one byte of the lines around chunks.
    fn step(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size(size, digits), _) => Self::size(size, digits, byte),
            (Self::SizeLf(0), b'\n') => Self::LastCr,
            (Self::SizeLf(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size(0, 0),
            (Self::LastCr, b'\r') => Self::LastLf,
            (Self::LastLf, b'\n') => Self::Done,
            (Self::DataCr, _) => Self::Broken(BadFraming::Overlong),
            (Self::LastCr, b'\n') | (Self::SizeLf(_) | Self::DataLf | Self::LastLf, _) => {
                Self::Broken(BadFraming::LineEnd)
            }
            (Self::LastCr, _) => Self::Broken(BadFraming::Trailer),
            (
                Self::Done | Self::UntilEof | Self::Length(_) | Self::Data(_) | Self::Broken(_),
                _,
            ) => self,
        }
    }

    /// The size of the chunk that begins here.
    fn begun(self) -> Option<u64> {
        if let Self::Data(size) = self {
            Some(size)
        } else {
            None
        }
    }

    fn size(size: u64, digits: u8, byte: u8) -> Self {
        let digit = match (hex(byte), byte) {
            (Some(digit), _) => digit,
            (None, b'\r') if digits > 0 => return Self::SizeLf(size),
            (None, b'\n') if digits > 0 => return Self::Broken(BadFraming::LineEnd),
            (None, b';' | b' ' | b'\t') if digits > 0 => {
                return Self::Broken(BadFraming::Extension);
            }
            (None, _) => return Self::Broken(BadFraming::Size),
        };
        if digits == MAX_DIGITS {
            return Self::Broken(BadFraming::Size);
        }
        Self::Size(size * 16 + u64::from(digit), digits + 1)
    }

    /// After a run of payload.
    fn pass(self, run: u64) -> Self {
        match self {
            Self::Length(left) if left > run => Self::Length(left - run),
            Self::Length(_) => Self::Done,
            Self::Data(left) if left > run => Self::Data(left - run),
            Self::Data(_) => Self::DataCr,
            Self::Done
            | Self::UntilEof
            | Self::Size(..)
            | Self::SizeLf(_)
            | Self::DataCr
            | Self::DataLf
            | Self::LastCr
            | Self::LastLf
            | Self::Broken(_) => self,
        }
    }
}

const MAX_DIGITS: u8 = 15;

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

// === impl BadFraming ===

impl BadFraming {
    /// A stable code in kebab-case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Size => "chunk-size",
            Self::Extension => "chunk-extension",
            Self::Overlong => "chunk-overlong",
            Self::LineEnd => "chunk-line-end",
            Self::Trailer => "chunk-trailer",
        }
    }
}
