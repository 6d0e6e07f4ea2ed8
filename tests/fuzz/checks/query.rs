//! A query that is read holds the pairs that Go reads, in their order, also after it is written anew.

use quaygate::docker::Query;

use super::go;

/// One input: the text after `?`.
pub fn check(input: &[u8]) {
    let Ok(raw) = str::from_utf8(input) else {
        return;
    };
    let Ok(query) = Query::parse(raw) else {
        return;
    };
    let pairs = pairs(&query);
    assert_eq!(go::query(raw.as_bytes()).as_ref(), Some(&pairs));
    assert_eq!(query.is_empty(), pairs.is_empty());
    for (key, _) in &pairs {
        let name = str::from_utf8(key).expect("text");
        let values: Vec<&[u8]> = pairs
            .iter()
            .filter(|(other, _)| other == key)
            .map(|(_, value)| value.as_slice())
            .collect();
        let all: Vec<_> = query.all(name).collect();
        assert!(
            all.iter()
                .map(|value| value.as_bytes())
                .eq(values.iter().copied())
        );
        assert_eq!(query.count(name), values.len());
        assert_eq!(
            query.first(name).as_deref().map(str::as_bytes),
            values.first().copied()
        );
    }

    let mut written = Vec::new();
    query.write(&mut written);
    assert!(
        written
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~/:,@%&=".contains(byte)),
        "{written:?}"
    );
    assert_eq!(go::query(&written).as_ref(), Some(&pairs));
    let again = Query::parse(str::from_utf8(&written).expect("ASCII")).expect("our own spelling");
    let mut twice = Vec::new();
    again.write(&mut twice);
    assert_eq!(twice, written);
}

fn pairs(query: &Query<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    query
        .pairs()
        .map(|(key, value)| {
            assert!(!key.chars().chain(value.chars()).any(char::is_control));
            (
                key.into_owned().into_bytes(),
                value.into_owned().into_bytes(),
            )
        })
        .collect()
}
