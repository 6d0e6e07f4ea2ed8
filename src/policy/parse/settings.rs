//! `[socket]` and `[limits]`.

use std::path::PathBuf;

use super::document::{Kind, Problems, Table, Value};
use crate::diag::escape::is_unsafe;
use crate::diag::{Diagnostic, escape};
use crate::policy::settings::{Limits, Principal, Socket};

/// `sun_path` of `struct sockaddr_un` holds 108 bytes on Linux (unix(7)), one of them the final NUL.
const LONGEST_PATH: usize = 107;

/// The most connections one socket can be asked to hold.
const MOST_CONNECTIONS: usize = 1_000_000;

/// The largest body that may be held in memory to be judged.
const LARGEST_BODY: u64 = 64 << 20;

/// Decodes `[socket]`.
pub(super) fn socket(mut table: Table<'_>, problems: &mut Problems<'_>) -> Socket {
    let defaults = Socket::default();
    let path = table.take("path").and_then(|value| path(&value, problems));
    let mode = table.take("mode").and_then(|value| mode(&value, problems));
    let owner = table
        .take("owner")
        .and_then(|value| principal(&value, problems));
    let group = table
        .take("group")
        .and_then(|value| principal(&value, problems));
    let peers = table.take("peers").and_then(|value| value.table(problems));
    let peer_uids = peers.and_then(|table| peer_uids(table, problems));
    table.finish(&["path", "mode", "owner", "group", "peers"], &[], problems);
    Socket {
        path,
        mode: mode.unwrap_or(defaults.mode),
        owner,
        group,
        peer_uids,
    }
}

/// Decodes `[limits]`.
pub(super) fn limits(mut table: Table<'_>, problems: &mut Problems<'_>) -> Limits {
    let defaults = Limits::default();
    let connections = table
        .take("connections")
        .and_then(|value| connections(&value, problems));
    let body = table.take("body").and_then(|value| size(&value, problems));
    table.finish(&["connections", "body"], &[], problems);
    Limits {
        connections: connections.unwrap_or(defaults.connections),
        body: body.unwrap_or(defaults.body),
    }
}

fn path(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<PathBuf> {
    let text = value.text(problems)?;
    let problem = if !text.starts_with('/') {
        "the socket path must be absolute".to_owned()
    } else if text.ends_with('/') || text.split('/').any(|part| matches!(part, "." | "..")) {
        "the socket path must name a file, without `.` or `..`".to_owned()
    } else if text.chars().any(is_unsafe) {
        "the socket path holds a control character".to_owned()
    } else if text.len() > LONGEST_PATH {
        format!("the socket path is {} bytes long", text.len())
    } else {
        return Some(PathBuf::from(text));
    };
    let help = if text.len() > LONGEST_PATH {
        "shorten it: the kernel takes at most 107 bytes"
    } else {
        "for example `path = \"/run/quaygate/traefik/docker.sock\"`"
    };
    problems.report(
        Diagnostic::error("socket-path", problem)
            .at(value.span.clone(), "here")
            .help(help),
    );
    None
}

fn mode(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<u32> {
    let (shown, octal) = match value.kind() {
        Kind::Text(text) => {
            let digits = text.trim_start_matches("0o");
            let octal = digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
            let mode = u32::from_str_radix(digits, 8).ok();
            (text.to_owned(), mode.filter(|&mode| octal && mode <= 0o777))
        }
        Kind::Integer(number) => (number.to_string(), None),
        Kind::Boolean(_) | Kind::List(_) | Kind::Table | Kind::Other => {
            problems.report(value.wrong("a string such as `\"0660\"`"));
            return None;
        }
    };
    if octal.is_none() {
        let (message, label) = if matches!(value.kind(), Kind::Integer(_)) {
            let message = "`mode` is written in quotes".to_owned();
            (message, "a number would be read in the wrong base")
        } else {
            let message = format!("`{}` is not a file mode", escape(&shown));
            (message, "octal digits, at most 0777")
        };
        problems.report(
            Diagnostic::error("bad-value", message)
                .at(value.span.clone(), label)
                .help("for example `mode = \"0660\"`"),
        );
    }
    octal
}

fn principal(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Principal> {
    match value.kind() {
        Kind::Integer(_) => value.integer::<u32>(problems).map(Principal::Id),
        Kind::Text(text) if is_account_name(text) => Some(
            text.parse()
                .map_or_else(|_| Principal::Name(text.to_owned()), Principal::Id),
        ),
        Kind::Text(text) => {
            let message = format!("`{}` is not the name of a user or group", escape(text));
            problems.report(
                Diagnostic::error("bad-value", message)
                    .at(value.span.clone(), "a name or a number"),
            );
            None
        }
        Kind::Boolean(_) | Kind::List(_) | Kind::Table | Kind::Other => {
            problems.report(value.wrong("a name or a number"));
            None
        }
    }
}

/// What /etc/passwd and /etc/group can hold in their first field (passwd(5)).
fn is_account_name(text: &str) -> bool {
    let allowed = |c: char| !matches!(c, ':' | '/' | ',') && !c.is_whitespace() && !c.is_control();
    !text.is_empty() && !text.starts_with('-') && text.chars().all(allowed)
}

fn peer_uids(table: Table<'_>, problems: &mut Problems<'_>) -> Option<Vec<u32>> {
    let mut table = table.prefixed("peers");
    let value = table.take("uid");
    table.finish(&["uid"], &[], problems);
    let value = value?;
    let elements = value.one_or_list();
    if elements.is_empty() {
        problems.report(
            Diagnostic::warning("peer-list-empty", "`peers.uid = []` lets nobody connect")
                .at(value.span.clone(), "nobody is on this list")
                .help("leave the key out to let in whoever the file mode lets in"),
        );
    }
    Some(
        elements
            .iter()
            .filter_map(|element| element.integer(problems))
            .collect(),
    )
}

fn connections(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<usize> {
    let number: usize = value.integer(problems)?;
    let possible = (1..=MOST_CONNECTIONS).contains(&number);
    if !possible {
        let message = format!("`connections` must lie between 1 and {MOST_CONNECTIONS}");
        problems.report(
            Diagnostic::error("bad-value", message).at(value.span.clone(), "not a possible limit"),
        );
    }
    possible.then_some(number)
}

fn size(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<u64> {
    let bytes = match value.kind() {
        Kind::Integer(number) => u64::try_from(number).ok(),
        Kind::Text(text) => bytes(text),
        Kind::Boolean(_) | Kind::List(_) | Kind::Table | Kind::Other => {
            problems.report(value.wrong("a size such as `\"1MiB\"`"));
            return None;
        }
    };
    let possible = bytes.filter(|bytes| (1..=LARGEST_BODY).contains(bytes));
    if possible.is_none() {
        problems.report(
            Diagnostic::error("bad-value", "this is not a size between 1 byte and 64 MiB")
                .at(value.span.clone(), "not a possible size")
                .help("write a number of bytes, or `\"512KiB\"`, `\"1MiB\"`"),
        );
    }
    possible
}

fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text.get(digits.len()..)?.trim_start() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}
