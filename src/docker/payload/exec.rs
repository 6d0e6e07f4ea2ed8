//! The bodies of `POST /containers/{id}/exec` and `POST /exec/{id}/start`.
//!
//! Sources: moby `api/types/container/exec_create_request.go`, `exec_start_request.go`, and
//! `api/types/configs.go` of older engines.

use super::power::Power;
use super::table::Class::{Always, Each, Flag, Harmless, Ignored, Read};
use super::table::Kind::{Any, Bool, Ints, Text, Texts};
use super::table::{Choice, Class, Table, row};
use super::walk::Reading;
use super::{BadBody, What, profile};
use crate::docker::json::Value;

#[rustfmt::skip]
pub(super) static EXEC_CREATE: Table = Table { source: "container/exec_create_request.go", rows: &[
    row("User",         Text,  Always(user),                               24),
    row("Privileged",   Bool,  Flag(Power::Privileged),                    24),
    row("Tty",          Bool,  Harmless,                                   24),
    row("ConsoleSize",  Ints,  Harmless,                                   42),
    row("AttachStdin",  Bool,  Harmless,                                   24),
    row("AttachStderr", Bool,  Harmless,                                   24),
    row("AttachStdout", Bool,  Harmless,                                   24),
    row("Detach",       Bool,  Harmless,                                   24),
    row("DetachKeys",   Text,  Harmless,                                   24).also(&["detachKeys"]),
    row("Env",          Texts, Each(Power::Env),                           25),
    row("WorkingDir",   Text,  Class::Choice(Power::Workdir, &IMAGES_OWN), 35),
    row("Cmd",          Texts, Read(profile::arguments),                   24),
    // Sent by clients, read by nobody.
    row("Container",    Any,   Ignored,                                    24),
    row("hijack",       Any,   Ignored,                                    24),
    row("stdin",        Any,   Ignored,                                    24),
    row("stdout",       Any,   Ignored,                                    24),
    row("stderr",       Any,   Ignored,                                    24),
    row("stream",       Any,   Ignored,                                    24),
    row("abortSignal",  Any,   Ignored,                                    24),
] };

/// The body of an exec's start.
#[rustfmt::skip]
pub(super) static EXEC_START: Table = Table { source: "container/exec_start_request.go", rows: &[
    row("Detach",      Bool, Read(profile::detaches), 24),
    row("Tty",         Bool, Harmless,                24),
    row("ConsoleSize", Ints, Harmless,                42),
    // Sent by clients, read by nobody.
    row("hijack",      Any,  Ignored,                 24),
    row("stdin",       Any,  Ignored,                 24),
    row("stdout",      Any,  Ignored,                 24),
    row("stderr",      Any,  Ignored,                 24),
    row("stream",      Any,  Ignored,                 24),
    row("abortSignal", Any,  Ignored,                 24),
] };

/// Nothing written: what the container has.
static IMAGES_OWN: Choice = Choice {
    default: "",
    harmless: &[],
};

fn user<'b>(reading: &mut Reading<'b>, value: Option<&Value<'b>>) -> Result<(), BadBody> {
    let text = value.and_then(Value::text).map(profile::canonical_user);
    match text {
        Some(text) if !text.is_empty() => reading.uses(Power::User, What::Text(text)),
        _ => reading.absent(Power::User, "User", ""),
    }
    Ok(())
}
