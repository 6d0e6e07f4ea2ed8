//! Signals by meaning: `HUP`, `SIGHUP`, `sighup` and `1` are one signal to dockerd.

/// The number that dockerd would send for this text (moby `vendor/github.com/moby/sys/signal`,
/// `ParseSignal` and the Linux `SignalMap`). `None`: dockerd refuses it, or reads it otherwise.
pub(super) fn number(text: &str) -> Option<u8> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        // Anything else that Go's Atoi takes (`+1`) is nothing that clients send.
        let number = text.parse().ok()?;
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(found) = NAMES.iter().find(|(_, known)| *known == name) {
        return Some(found.0);
    }
    if let Some(above) = name.strip_prefix("RTMIN+") {
        let above: u8 = above.parse().ok()?;
        return (1..=15).contains(&above).then_some(34 + above);
    }
    let below: u8 = name.strip_prefix("RTMAX-")?.parse().ok()?;
    (1..=14).contains(&below).then_some(64 - below)
}

/// The usual name of a signal, without `SIG`.
pub(super) fn name(number: u8) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}

/// Linux signal numbers with their names; of several names the usual one stands first.
const NAMES: [(u8, &str); 36] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (6, "IOT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (16, "STKFLT"),
    (17, "CHLD"),
    (17, "CLD"),
    (18, "CONT"),
    (19, "STOP"),
    (20, "TSTP"),
    (21, "TTIN"),
    (22, "TTOU"),
    (23, "URG"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (26, "VTALRM"),
    (27, "PROF"),
    (28, "WINCH"),
    (29, "IO"),
    (29, "POLL"),
    (30, "PWR"),
    (31, "SYS"),
    (34, "RTMIN"),
    (64, "RTMAX"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_signal_are_one_number() {
        for text in ["HUP", "SIGHUP", "sighup", "Hup", "1", "01"] {
            assert_eq!(number(text), Some(1), "{text}");
        }
        for (text, expected) in [
            ("RTMIN+1", Some(35)),
            ("SIGRTMAX-14", Some(50)),
            ("RTMIN+16", None),
            ("0", None),
            ("65", None),
            ("256", None),
            ("+1", None),
            ("-9", None),
            ("", None),
            ("SIGSIGHUP", None),
            ("CHLD", Some(17)),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        assert_eq!(name(17), Some("CHLD"));
        assert_eq!(name(35), None);
    }
}
