//! Patterns over ports of the host: `"127.0.0.1:8000-8100/tcp"`, `"*:0/tcp"`.

use crate::docker::payload::Port;

/// A pattern over ports.
#[derive(Clone, Debug)]
pub(in crate::policy) struct PortPattern {
    /// The address; `None`: any, and all of them.
    address: Option<Box<str>>,
    first: u16,
    last: u16,
    protocol: Box<str>,
}

impl PortPattern {
    /// Reads `ADDRESS:PORT[-PORT][/PROTOCOL]`; `*` is any address, and 0 "whichever is free".
    pub(in crate::policy) fn parse(text: &str) -> Option<Self> {
        let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (address, ports) = rest.rsplit_once(':')?;
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<u16>().ok()).flatten()
        };
        let (first, last) = (number(first)?, number(last)?);
        let known = matches!(protocol, "tcp" | "udp" | "sctp") && !address.is_empty();
        (known && first <= last).then(|| Self {
            address: (address != "*").then(|| address.into()),
            first,
            last,
            protocol: protocol.into(),
        })
    }

    /// Whether a port is named, with every port of its range.
    pub(in crate::policy) fn matches(&self, port: &Port<'_>) -> bool {
        let address = match &self.address {
            Some(address) => **address == *port.address,
            None => true,
        };
        let protocol = port.protocol.is_empty() || port.protocol == self.protocol;
        let within = self.first <= port.first && port.last <= self.last;
        // "Whichever is free" is no port between others.
        let free = (port.first == 0) == (self.first == 0);
        address && protocol && within && free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_compared_as_ranges() {
        for (pattern, address, first, last, protocol, expected) in [
            (
                "127.0.0.1:8000-8100/tcp",
                "127.0.0.1",
                8000,
                8000,
                "tcp",
                true,
            ),
            ("127.0.0.1:8000-8100", "127.0.0.1", 8050, 8100, "tcp", true),
            (
                "127.0.0.1:8000-8100/tcp",
                "127.0.0.1",
                8050,
                8101,
                "tcp",
                false,
            ),
            ("127.0.0.1:8000-8100/tcp", "", 8000, 8000, "tcp", false),
            (
                "127.0.0.1:8000-8100/tcp",
                "0.0.0.0",
                8000,
                8000,
                "tcp",
                false,
            ),
            (
                "127.0.0.1:8000-8100/tcp",
                "127.0.0.1",
                8000,
                8000,
                "udp",
                false,
            ),
            ("*:80/udp", "", 80, 80, "udp", true),
            ("*:80/udp", "10.0.0.1", 80, 80, "udp", true),
            ("*:0/tcp", "", 0, 0, "tcp", true),
            ("*:0/tcp", "", 0, 0, "", true),
            ("*:0/tcp", "", 80, 80, "tcp", false),
            ("*:0-100/tcp", "", 80, 80, "tcp", false),
            ("*:1-100/tcp", "", 0, 0, "tcp", false),
            ("::1:80", "::1", 80, 80, "tcp", true),
        ] {
            let port = Port {
                address: address.into(),
                first,
                last,
                protocol: protocol.into(),
            };
            let parsed = PortPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(&port), expected, "{pattern} {port:?}");
        }
        for text in ["80", ":80", "*:", "*:x", "*:9-8", "*:80/icmp", "*:65536"] {
            assert!(PortPattern::parse(text).is_none(), "{text}");
        }
    }
}
