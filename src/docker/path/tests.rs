use proptest::prelude::*;

use super::*;

fn written(path: &ApiPath<'_>) -> String {
    let mut out = Vec::new();
    path.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_path_is_read_in_one_way() {
    // raw, version, text, canonical
    let cases = [
        ("/", None, "/", "/"),
        ("/info", None, "/info", "/info"),
        ("/v1.41/info", Some((1, 41)), "/info", "/v1.41/info"),
        ("/v1.24/info", Some((1, 24)), "/info", "/v1.24/info"),
        ("/v1.56/info", Some((1, 56)), "/info", "/v1.56/info"),
        ("/v1.41", Some((1, 41)), "/", "/v1.41"),
        ("/version", None, "/version", "/version"),
        ("/v", None, "/v", "/v"),
        ("/vx/info", None, "/vx/info", "/vx/info"),
        (
            "/containers/v1.41/json",
            None,
            "/containers/v1.41/json",
            "/containers/v1.41/json",
        ),
        (
            "/containers%2fjson",
            None,
            "/containers/json",
            "/containers/json",
        ),
        (
            "/containers%2Fjson",
            None,
            "/containers/json",
            "/containers/json",
        ),
        (
            "/%63ontainers/json",
            None,
            "/containers/json",
            "/containers/json",
        ),
        ("/v1.4%31/info", Some((1, 41)), "/info", "/v1.41/info"),
        ("/%761.41/info", Some((1, 41)), "/info", "/v1.41/info"),
        (
            "/v1.41%2fcontainers/json",
            Some((1, 41)),
            "/containers/json",
            "/v1.41/containers/json",
        ),
        (
            "/images/a%3Ab/json",
            None,
            "/images/a:b/json",
            "/images/a:b/json",
        ),
        (
            "/images/a@sha256:0/json",
            None,
            "/images/a@sha256:0/json",
            "/images/a@sha256:0/json",
        ),
        ("/x/a%20b", None, "/x/a b", "/x/a%20b"),
        ("/x/a%3Fb", None, "/x/a?b", "/x/a%3Fb"),
        ("/x/a%23b", None, "/x/a#b", "/x/a%23b"),
        ("/x/[1]", None, "/x/[1]", "/x/%5B1%5D"),
        ("/x/a+b;c", None, "/x/a+b;c", "/x/a+b;c"),
        ("/x/...", None, "/x/...", "/x/..."),
        ("/x/.a", None, "/x/.a", "/x/.a"),
        ("/x/a.", None, "/x/a.", "/x/a."),
        ("/libpod/info", None, "/libpod/info", "/libpod/info"),
        (
            "/v4.0.0/libpod/info",
            None,
            "/v4.0.0/libpod/info",
            "/v4.0.0/libpod/info",
        ),
        (
            "/v1.41/libpod/info",
            Some((1, 41)),
            "/libpod/info",
            "/v1.41/libpod/info",
        ),
    ];
    for (raw, version, text, canonical) in cases {
        let path = ApiPath::parse(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        let version = version.map(|(major, minor)| ApiVersion::new(major, minor));
        assert_eq!(path.version(), version, "{raw}");
        assert_eq!(path.as_str(), text, "{raw}");
        assert_eq!(written(&path), canonical, "{raw}");
    }
}

#[test]
fn a_path_with_two_readings_is_refused() {
    use Malformed::*;
    let cases = [
        ("", Target),
        ("info", Target),
        ("//", EmptySegment),
        ("//info", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a%2f/b", EmptySegment),
        ("/%2fb", EmptySegment),
        ("/a//", EmptySegment),
        ("/v1.41//info", EmptySegment),
        ("/info/", TrailingSlash),
        ("/networks/", TrailingSlash),
        ("/v1.41/", TrailingSlash),
        ("/info%2f", TrailingSlash),
        (".", Target),
        ("/.", DotSegment),
        ("/..", DotSegment),
        ("/a/./b", DotSegment),
        ("/a/../b", DotSegment),
        ("/info/../containers/json", DotSegment),
        ("/a/%2e%2e/b", DotSegment),
        ("/a/.%2E/b", DotSegment),
        ("/a/..", DotSegment),
        ("/a/..%2fb", DotSegment),
        ("/a%00b", PathDecoded),
        ("/a%0ab", PathDecoded),
        ("/a%0d%0ab", PathDecoded),
        ("/a%7fb", PathDecoded),
        ("/a%25b", PathDecoded),
        ("/a%252fb", PathDecoded),
        ("/a%5cb", PathDecoded),
        ("/a%c3%a9", PathDecoded),
        ("/a%ff", PathDecoded),
        ("/a%", PathEscape),
        ("/a%2", PathEscape),
        ("/a%zz", PathEscape),
        ("/a%2g", PathEscape),
        ("/a%+2", PathEscape),
        ("/a b", PathByte),
        ("/a\tb", PathByte),
        ("/a\0", PathByte),
        ("/a\"b", PathByte),
        ("/a<b", PathByte),
        ("/a\\b", PathByte),
        ("/a^b", PathByte),
        ("/a{b}", PathByte),
        ("/a|b", PathByte),
        ("/a`b", PathByte),
        ("/a?b", PathByte),
        ("/é", PathByte),
        ("/a#b", Fragment),
    ];
    for (raw, expected) in cases {
        let got = ApiPath::parse(raw).map(|path| written(&path));
        assert_eq!(got, Err(expected), "{raw:?}");
    }
}

#[test]
fn what_merely_looks_like_a_version_is_refused() {
    let odd = [
        "/v1.41./info",
        "/v1.41.0/info",
        "/v1.41.0.0.0/info",
        "/v01.041/info",
        "/v1.041/info",
        "/v1/info",
        "/v1./info",
        "/v./info",
        "/v.../info",
        "/v.41/info",
        "/v0/info",
        "/v1.0/info",
        "/v1.12/containers/x/start",
        "/v1.23/containers/x/copy",
        "/v1.57/info",
        "/v1.999/info",
        "/v1.1000/info",
        "/v2.0/info",
        "/v99999.1/info",
        "/V1.41/info",
        "/%561.41/info",
        "/v1.41x/info",
        "/v1.41%20/info",
        "/v1%2e41%2e/info",
        "/v1.41.",
        "/v1.41/v1.41/info",
        "/v1.41/v./info",
        "/v1.41/V1.41/info",
        "/v9.9/libpod/info",
    ];
    for raw in odd {
        assert_eq!(ApiPath::parse(raw), Err(Malformed::Version), "{raw}");
    }
}

#[test]
fn nothing_is_copied_when_nothing_is_escaped() {
    let path = ApiPath::parse("/v1.41/containers/json").unwrap();
    assert!(matches!(path.text, Cow::Borrowed("/containers/json")));
}

/// A clean, decoded path: the kind that `as_str` returns.
fn decoded() -> impl Strategy<Value = String> {
    let segment = "[a-zA-Z0-9 !\"#$&'()*+,:;<=>?@^_`{|}~.-]{1,8}"
        .prop_filter("a dot segment", |segment| segment != "." && segment != "..");
    let version = prop_oneof![
        Just(String::new()),
        (24..=56_u16).prop_map(|n| format!("/v1.{n}"))
    ];
    (version, proptest::collection::vec(segment, 1..5))
        .prop_map(|(version, segments)| format!("{version}/{}", segments.join("/")))
}

fn hex(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).unwrap()
}

/// One of the many spellings of a decoded path.
fn spell(text: &str, choices: &[u8]) -> String {
    let mut out = String::from("/");
    for (at, byte) in text.bytes().enumerate().skip(1) {
        let choice = choices.get(at % choices.len().max(1)).copied().unwrap_or(0);
        match choice % 3 {
            0 if RAW.contains(byte) => out.push(char::from(byte)),
            1 => out.extend(['%', hex(byte >> 4), hex(byte & 15)]),
            _ => out.extend(['%', hex(byte >> 4), hex(byte & 15)].map(|c| c.to_ascii_uppercase())),
        }
    }
    out
}

proptest! {
    /// Any two spellings of one path that are accepted give equal values.
    #[test]
    fn two_spellings_of_one_path_are_one_path(
        text in decoded(),
        one in proptest::collection::vec(any::<u8>(), 1..20),
        two in proptest::collection::vec(any::<u8>(), 1..20),
    ) {
        let (one, two) = (spell(&text, &one), spell(&text, &two));
        prop_assert_eq!(ApiPath::parse(&one), ApiPath::parse(&two));
    }

    /// What is written reads back as the same path, and is written the same again.
    #[test]
    fn the_canonical_spelling_reads_back(text in decoded(), choices in proptest::collection::vec(any::<u8>(), 1..20)) {
        let raw = spell(&text, &choices);
        if let Ok(path) = ApiPath::parse(&raw) {
            let canonical = written(&path);
            let again = ApiPath::parse(&canonical);
            prop_assert_eq!(again.as_ref(), Ok(&path));
            prop_assert_eq!(written(&again.unwrap()), canonical);
        } else {
            // Only what looks like a version is refused here.
            prop_assert!(matches!(ApiPath::parse(&raw), Err(Malformed::Version)), "{}", raw);
        }
    }

    /// Whatever comes, an accepted path is clean.
    #[test]
    fn an_accepted_path_is_clean(raw in "/[a-c./%2efv1\\\\~-]{0,12}") {
        if let Ok(path) = ApiPath::parse(&raw) {
            let text = path.as_str();
            prop_assert!(text.starts_with('/') && text.is_ascii());
            prop_assert!(!text.contains("//") && !text.contains(['%', '\\']));
            prop_assert!(text == "/" || text.split('/').skip(1).all(|s| !matches!(s, "" | "." | "..")));
        }
    }
}
