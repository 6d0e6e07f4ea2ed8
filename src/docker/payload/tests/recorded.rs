//! Bodies that real clients sent.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

struct Recorded {
    operation: Operation,
    count: u64,
    powers: Option<BTreeSet<String>>,
    body: String,
}

fn recorded() -> Vec<Recorded> {
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let powers = line["powers"].as_array().map(|powers| {
            let powers = powers
                .iter()
                .map(|power| power.as_str().unwrap().to_owned());
            powers.collect()
        });
        Recorded {
            operation: Operation::find(line["operation"].as_str().unwrap()).unwrap(),
            count: line["count"].as_u64().unwrap(),
            powers,
            body: line["body"].to_string(),
        }
    };
    include_str!("../../../../tests/data/bodies.jsonl")
        .lines()
        .map(read)
        .collect()
}

fn powers(body: &Body<'_>) -> BTreeSet<String> {
    let used = body.uses.iter().filter(|one| !one.rests);
    used.map(|one| one.power.key().to_owned()).collect()
}

#[test]
fn recorded_create_bodies_use_the_powers_they_are_listed_with() {
    let (mut plain, mut others) = (0, 0);
    for case in recorded() {
        let Some(expected) = &case.powers else {
            continue;
        };
        let payload = Payload::parse(case.operation, case.body.as_bytes()).unwrap();
        let body = payload.body().unwrap();
        assert!(body.strays.is_empty(), "{:?} {}", body.strays, case.body);
        assert_eq!(powers(body), *expected, "{}", case.body);
        if expected.is_empty() {
            plain += case.count;
        } else {
            others += case.count;
        }
    }
    assert_eq!((plain, others), (56, 27));
}

#[test]
fn the_other_recorded_bodies_use_no_power() {
    let mut count = 0;
    for case in recorded().iter().filter(|case| case.powers.is_none()) {
        let payload = Payload::parse(case.operation, case.body.as_bytes()).unwrap();
        let body = payload.body().unwrap();
        assert!(body.strays.is_empty(), "{:?} {}", body.strays, case.body);
        count += case.count;
        let used: Vec<_> = powers(body).into_iter().collect();
        let asks_for = |key: &str| {
            let value: Value = serde_json::from_str(&case.body).unwrap();
            !matches!(&value[key], Value::Null) && value[key] != "" && value[key] != false
        };
        let mut expected = Vec::new();
        if case.operation == ContainerExec {
            for (key, power) in [
                ("Env", "env"),
                ("Privileged", "privileged"),
                ("User", "user"),
                ("WorkingDir", "workdir"),
            ] {
                if asks_for(key) {
                    expected.push(power.to_owned());
                }
            }
        }
        assert_eq!(used, expected, "{} {}", case.operation.name(), case.body);
    }
    assert_eq!(count, 160);
}
