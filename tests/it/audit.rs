//! Every call leaves the record it owes.

use serde_json::Value;

use crate::support::{Exchange, FakeDocker, Gate, Signal, WORKSHOP, ok, wait_until};

fn workshop(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> (FakeDocker, Gate) {
    let docker = FakeDocker::start(script);
    let gate = Gate::with_policy(&docker, WORKSHOP);
    (docker, gate)
}

fn plain() -> (FakeDocker, Gate) {
    workshop(|exchange| {
        exchange.read_body();
        exchange.send(&ok("{\"Id\":\"a\"}"));
    })
}

fn is_final(record: &Value) -> bool {
    record["kind"] == "final"
}

/// All records of one operation, once its final one is there.
fn records_of(gate: &Gate, operation: &str) -> Vec<Value> {
    gate.wait_record(&format!("the final one of {operation}"), |record| {
        is_final(record) && record["operation"] == operation
    });
    gate.records()
        .into_iter()
        .filter(|record| record["operation"] == operation)
        .collect()
}

#[test]
fn change_is_recorded_when_it_opens_and_when_it_ends_under_one_id() {
    let (_docker, gate) = plain();

    gate.client()
        .post("/v1.41/containers/create?name=web", r#"{"Image":"x"}"#);

    let records = records_of(&gate, "ContainerCreate");
    assert_eq!(records.len(), 2, "{records:?}");
    let (open, end) = (&records[0], &records[1]);
    assert_eq!(
        (&open["kind"], &end["kind"]),
        (&"open".into(), &"final".into())
    );
    assert!(open["id"].is_u64());
    assert_eq!(open["id"], end["id"]);
    for record in [open, end] {
        assert_eq!(record["v"], 1);
        assert_eq!(record["policy"], "test");
        assert_eq!(record["decision"], "allow");
        assert_eq!(record["rule"]["name"], "POST /containers/create");
        assert_eq!(record["rule"]["line"], 11);
        assert_eq!(record["method"], "POST");
        assert_eq!(record["path"], "/containers/create");
        assert_eq!(record["query"], "name=web");
        assert_eq!(record["api_version"], "1.41");
        assert_eq!(record["client"]["uid"], rustix::process::getuid().as_raw());
        assert_eq!(record["client"]["pid"], std::process::id());
        assert!(record["time"].as_str().unwrap().ends_with('Z'), "{record}");
    }
    assert_eq!(open.get("status"), None);
    assert_eq!(end["status"], 200);
    assert_eq!(end["outcome"], "complete");
    assert_eq!(end["bytes_up"], 13);
    assert_eq!(end["bytes_down"], 10);
    assert!(end["duration_ms"].is_number());
}

#[test]
fn change_is_recorded_before_docker_hears_of_it() {
    let seen = Signal::new();
    let waiting = seen.clone();
    let (_docker, gate) = workshop(move |exchange| {
        exchange.read_body();
        waiting.wait();
        exchange.send(&ok("{}"));
    });

    let mut client = gate.client();
    client.send_raw(
        "POST /containers/web/start HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n",
    );
    let open = gate.wait_record("the opening one", |record| record["kind"] == "open");
    assert_eq!(open["operation"], "ContainerStart");
    seen.set();
    assert_eq!(client.read_response().status(), 200);

    assert_eq!(records_of(&gate, "ContainerStart").len(), 2);
}

#[test]
fn denial_is_recorded_with_its_reason_and_the_line_that_would_allow_it() {
    let (_docker, gate) = plain();

    gate.client().get("/v1.41/info");

    let records = records_of(&gate, "SystemInfo");
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!(record["decision"], "deny");
    assert_eq!(record["reason"], "no-rule");
    assert_eq!(record["outcome"], "refused");
    assert_eq!(record["status"], 403);
    assert_eq!(record.get("rule"), None);
    assert!(
        record["hint"].as_str().unwrap().contains("GET /info"),
        "{record}"
    );
}

#[test]
fn malformed_request_is_recorded() {
    let (_docker, gate) = plain();

    gate.client()
        .send_raw("GET /containers//json HTTP/1.1\r\nHost: d\r\n\r\n")
        .read_response();

    let record = gate.wait_record("the malformed one", |record| {
        record["outcome"] == "malformed"
    });
    assert_eq!(record["kind"], "final");
    assert_eq!(record["status"], 400);
    assert_eq!(record["decision"], "deny");
    assert!(record["reason"].is_string(), "{record}");
}

#[test]
fn plain_reads_are_not_recorded_unless_asked_for() {
    let (_docker, gate) = plain();
    gate.client().get("/containers/json");
    gate.client().get("/info");
    gate.wait_record("the denial after the read", |record| {
        record["operation"] == "SystemInfo"
    });
    assert!(
        gate.records()
            .iter()
            .all(|record| record["operation"] != "ContainerList")
    );

    let docker = FakeDocker::saying("[]");
    let gate = Gate::start(docker.path(), WORKSHOP, &["--audit-allowed", "all"]);
    gate.client().get("/containers/json");
    assert_eq!(records_of(&gate, "ContainerList").len(), 1);
}

#[test]
fn nothing_allowed_is_recorded_when_none_is_asked_for_and_denials_are() {
    let docker = FakeDocker::saying("{}");
    let gate = Gate::start(docker.path(), WORKSHOP, &["--audit-allowed", "none"]);

    gate.client().post("/containers/create", "{}");
    gate.client().get("/info");

    gate.wait_record("the denial", |record| record["operation"] == "SystemInfo");
    assert!(
        gate.records()
            .iter()
            .all(|record| record["operation"] != "ContainerCreate")
    );
}

#[test]
fn stream_that_the_client_leaves_is_recorded_as_aborted() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
        exchange.wait_gone();
    });

    let mut client = gate.client();
    client.send("GET", "/events").read_head();
    drop(client);
    docker.wait_gone(0);

    let records = records_of(&gate, "SystemEvents");
    assert_eq!(records.len(), 2, "a stream opens and ends: {records:?}");
    assert_eq!(records[1]["outcome"], "aborted");
    assert_eq!(records[0]["id"], records[1]["id"]);
}

#[test]
fn tunnel_is_recorded_with_the_bytes_it_carried() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
        exchange.read_to_eof();
        exchange.send(b"0123456789");
        exchange.close();
    });

    let mut client = gate.client();
    client
        .send_raw("POST /containers/web/attach HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n")
        .read_head();
    client.send_raw("abc").half_close();
    assert_eq!(client.read_to_eof(), b"0123456789");

    let records = records_of(&gate, "ContainerAttach");
    assert_eq!(records.len(), 2, "{records:?}");
    let end = &records[1];
    assert_eq!(
        (&end["status"], &end["outcome"]),
        (&101.into(), &"complete".into())
    );
    assert_eq!(
        (&end["bytes_up"], &end["bytes_down"]),
        (&3.into(), &10.into())
    );
}

#[test]
fn engine_that_fails_is_recorded_as_such() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.close();
    });

    assert_eq!(
        gate.client().post("/containers/web/start", "").status(),
        502
    );

    let records = records_of(&gate, "ContainerStart");
    let end = records.last().unwrap();
    assert_eq!(end["outcome"], "upstream-error");
    assert_eq!(end["status"], 502);
    assert_eq!(
        end["decision"], "allow",
        "the policy allowed it all the same"
    );
}

#[test]
fn secrets_in_queries_are_masked() {
    let docker = FakeDocker::saying("{}");
    let gate = Gate::with_policy(&docker, r#"allow = ["POST /build"]"#);
    let target = "/build?t=app&buildargs=%7B%22TOKEN%22%3A%22hunter2%22%7D";

    gate.client()
        .send_raw(format!(
            "POST {target} HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"
        ))
        .read_response();

    let records = records_of(&gate, "ImageBuild");
    for record in records {
        assert!(!record.to_string().contains("hunter2"), "{record}");
        assert!(
            record["query"].as_str().unwrap().contains("t=app"),
            "{record}"
        );
    }
    assert!(
        docker.wait_requests(1)[0].target().contains("hunter2"),
        "only the record is masked"
    );
}

#[test]
fn flood_of_denials_is_summed_not_written_one_by_one() {
    let (_docker, mut gate) = plain();

    let mut client = gate.client();
    for _ in 0..200 {
        assert_eq!(client.get("/info").status(), 403);
    }
    drop(client);
    gate.terminate();
    gate.wait_exit();

    let records = gate.records();
    let single = records
        .iter()
        .filter(|r| is_final(r) && r["operation"] == "SystemInfo")
        .count();
    let summed: u64 = records
        .iter()
        .filter(|record| record["kind"] == "summed" && record["operation"] == "SystemInfo")
        .map(|record| record["count"].as_u64().unwrap())
        .sum();
    assert!(
        (1..=50).contains(&single),
        "{single} denials were written one by one"
    );
    assert_eq!(
        u64::try_from(single).unwrap() + summed,
        200,
        "each denial is counted once"
    );
}

#[test]
fn every_call_is_accounted_for_exactly_once() {
    let (_docker, mut gate) = plain();

    let mut client = gate.client();
    for _ in 0..7 {
        client.get("/containers/json");
    }
    client.post("/containers/create", "{}");
    client.get("/info");
    drop(client);
    gate.terminate();
    gate.wait_exit();

    let records = gate.records();
    let finals = records.iter().filter(|record| is_final(record)).count();
    let counted: u64 = records
        .iter()
        .filter(|record| record["kind"] == "summary")
        .map(|record| record["count"].as_u64().unwrap())
        .sum();
    assert_eq!((finals, counted), (2, 7), "{records:#?}");
}

#[test]
fn records_are_in_the_file_soon() {
    let (_docker, gate) = plain();

    for round in 1..=3 {
        gate.client().post("/containers/create", "{}");
        wait_until("both records", || gate.records().len() >= 2 * round);
    }
}
