use proptest::prelude::*;

use super::*;

const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn a_reference_has_one_full_form() {
    let digest = format!("sha256:{DIGITS}");
    let cases = [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3", "docker.io/library/alpine:3"),
        ("library/alpine", "docker.io/library/alpine:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        (
            "docker.io/library/alpine:latest",
            "docker.io/library/alpine:latest",
        ),
        (
            "index.docker.io/library/alpine",
            "docker.io/library/alpine:latest",
        ),
        ("index.docker.io/alpine", "docker.io/library/alpine:latest"),
        ("acme/app", "docker.io/acme/app:latest"),
        ("ghcr.io/acme/app/sub:v1", "ghcr.io/acme/app/sub:v1"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("127.0.0.1:1/x:y", "127.0.0.1:1/x:y"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        ("a__b/c-d.e--f", "docker.io/a__b/c-d.e--f:latest"),
        ("x:Tag_1.2-3", "docker.io/library/x:Tag_1.2-3"),
        ("docker.io/library/cafe", "docker.io/library/cafe:latest"),
        ("cafe:1", "docker.io/library/cafe:1"),
        ("projb_web", "docker.io/library/projb_web:latest"),
    ];
    for (text, full) in cases {
        let reference = Reference::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(reference.full(), full, "{text}");
        assert!(!reference.is_id(), "{text}");
    }
    for (text, full) in [
        (
            format!("alpine@{digest}"),
            format!("docker.io/library/alpine@{digest}"),
        ),
        (format!("r.io/a:1@{digest}"), format!("r.io/a:1@{digest}")),
    ] {
        assert_eq!(Reference::parse(&text).unwrap().full(), full);
    }
}

#[test]
fn the_parts_of_a_reference_are_told_apart() {
    let text = format!("127.0.0.1:5000/acme/app:v1@sha256:{DIGITS}");
    let reference = Reference::parse(&text).unwrap();
    assert_eq!(reference.domain(), "127.0.0.1:5000");
    assert_eq!(reference.path(), "acme/app");
    assert_eq!(reference.tag(), Some("v1"));
    assert_eq!(
        reference.digest(),
        Some(format!("sha256:{DIGITS}").as_str())
    );
}

#[test]
fn what_may_be_an_id_is_an_id() {
    let full = format!("sha256:{DIGITS}");
    for text in ["a", "cafe", "23463335fd65", DIGITS, "sha256:cafe", &full] {
        let reference = Reference::parse(text).unwrap();
        assert!(reference.is_id(), "{text}");
        assert_eq!(reference.full(), text);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_no_reference_is_refused() {
    let long = "a/".repeat(130) + "a";
    let long_tag = format!("a:{}", "t".repeat(129));
    let short_digest = format!("alpine@sha256:{}", DIGITS.trim_start_matches('0'));
    let upper_digest = format!("alpine@sha256:{}", DIGITS.to_uppercase());
    let too_long_id = format!("sha256:{DIGITS}0");
    let cases = [
        "",
        " ",
        "/",
        "a/",
        "/a",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "Alpine",
        "acme/App",
        "Foo/bar",
        "-a",
        "a-",
        "_a",
        "a_",
        "a___b",
        "a..b",
        "a._b",
        "a.-b",
        ":tag",
        "zz:",
        "zz:-a",
        "zz:.a",
        "zz:a b",
        "zz:a:b",
        "zz@",
        "zz@x",
        "zz@sha256:",
        "zz@md5:abc",
        "@sha256:abc",
        "r.io/",
        "-r.io/x",
        "r..io/x",
        "r.io:/x",
        "r.io:p/x",
        "[::1/x",
        "[]/x",
        "[g]/x",
        "z\0z",
        "zé",
        "z%2fz",
        "z z",
        "z?z",
        "z*",
        &long,
        &long_tag,
        &short_digest,
        &upper_digest,
        &too_long_id,
    ];
    for text in cases {
        assert_eq!(Reference::parse(text), None, "{text:?}");
    }
}

proptest! {
    /// The full form is a fixed point.
    #[test]
    fn the_full_form_is_its_own_full_form(text in "([a-z0-9.:-]{1,8}/){0,2}[a-z0-9._-]{1,8}(:[A-Za-z0-9._-]{1,5})?") {
        if let Some(reference) = Reference::parse(&text) {
            let full = reference.full();
            let again = Reference::parse(&full);
            prop_assert!(again.is_some(), "{} became {}", text, full);
            prop_assert_eq!(again.unwrap().full(), full);
        }
    }
}
