//! How a passage ends: well, or not; and what becomes of the client's connection then.

use crate::wire::framing::BadFraming;

/// How a forwarded request ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// The answer was passed on in full.
    Answered {
        /// The engine's connection can carry another request.
        engine_stays: bool,
        /// What becomes of the client's connection.
        client: Stay,
    },
    /// The engine agreed to a tunnel; its head is on its way to the client.
    Tunnel,
}

/// What becomes of a client's connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// It can carry another request.
    Next,
    /// It is closed, and what the client may still send is read first: a connection that is closed
    /// over unread bytes is reset, and the end of the answer with it (RFC 9112 §9.6).
    Linger,
    /// It is closed: the client wanted it, and all that it sent was read.
    Close,
}

/// How a forwarded request ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The client left.
    ClientGone,
    /// The request's body was not what its head promised.
    ClientBody(BadFraming),
    /// The engine closed before it answered.
    EngineClosed {
        /// No byte of the request had reached it.
        untouched: bool,
    },
    /// The engine's answer cannot be read in one way.
    BadAnswer(&'static str),
    /// The answer broke off after its head was passed on.
    AnswerCut,
}
