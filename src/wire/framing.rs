//! Which body follows a head, and where it ends; ambiguity is an error.

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
    Empty,
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
}

#[derive(Clone, Copy, Debug)]
enum State {
    Done,
}

/// The bytes are not what the head promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFraming {
    /// A chunk head that is not `1*15HEXDIG CRLF`.
    #[error("a chunk is not in canonical form")]
    Chunk,
}

impl Meter {
    /// A meter for a request body.
    pub fn request(_body: RequestBody) -> Self {
        todo!()
    }
    /// A meter for a response body.
    pub fn response(_body: ResponseBody) -> Self {
        todo!()
    }
    /// How many of these bytes belong to the body. Less than all of them means: the body ended
    /// there ([`Meter::is_done`]), the rest is the next message.
    pub fn take(&mut self, _bytes: &[u8]) -> Result<usize, BadFraming> {
        todo!()
    }
    /// The body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }
    /// The end of the stream is a proper end here (done, or `UntilEof`).
    pub fn may_end(&self) -> bool {
        todo!()
    }
}

/// Reads a whole judged body into memory: chunked or not, the payload bytes alone.
pub fn collect(
    _meter: &mut Meter,
    _bytes: &[u8],
    _payload: &mut Vec<u8>,
) -> Result<usize, BadFraming> {
    todo!()
}
