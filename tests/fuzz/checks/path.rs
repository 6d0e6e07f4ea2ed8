//! A path that is read has the reading that Go has, is clean, and has one spelling on the wire.

use std::fmt::Write;

use quaygate::docker::ApiPath;

use super::go;

/// One input: the path part of a request target.
pub fn check(input: &[u8]) {
    let Ok(raw) = str::from_utf8(input) else {
        return;
    };
    let Ok(path) = ApiPath::parse(raw) else {
        return;
    };
    let text = path.as_str();
    let prefix = path
        .version()
        .map_or(String::new(), |version| format!("/v{version}"));
    let whole = if path.version().is_some() && text == "/" {
        prefix
    } else {
        prefix + text
    };
    let decoded = go::unescape(raw.as_bytes(), false).expect("Go reads the escapes too");
    assert_eq!(decoded, whole.as_bytes(), "Go reads another path");
    clean(text);

    let mut written = Vec::new();
    path.write(&mut written);
    assert!(written.iter().all(|byte| plain(*byte)), "{written:?}");
    let again = ApiPath::parse(str::from_utf8(&written).expect("ASCII")).expect("our own spelling");
    assert_eq!(again, path);

    // Whatever its spelling, it is the same path, and written the same.
    let mut escaped = String::new();
    for byte in whole.bytes() {
        let _written = write!(escaped, "%{byte:02x}");
    }
    let escaped = ApiPath::parse(&escaped).expect("the same path, escaped throughout");
    assert_eq!(escaped, path);
}

fn clean(text: &str) {
    assert!(text.starts_with('/'));
    assert!(
        text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{text:?}"
    );
    assert!(!text.contains(['%', '\\']), "{text:?}");
    if text != "/" {
        let mut segments = text.split('/').skip(1);
        assert!(
            segments.all(|segment| !matches!(segment, "" | "." | "..")),
            "{text:?}"
        );
    }
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"#<>?[\\]^`{|}".contains(&byte)
}
