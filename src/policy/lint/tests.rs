use crate::diag::{Severity, Source, render};
use crate::policy::Policy;

fn said(text: &str) -> String {
    let source = Source::new("ci.toml", text);
    let checked = Policy::parse("ci", &source).unwrap();
    for finding in &checked.findings {
        assert!(
            crate::diag::IDS.iter().any(|(id, _)| *id == finding.id),
            "{}",
            finding.id
        );
    }
    render::text(&source, &checked.findings, false)
}

fn warnings(text: &str) -> Vec<String> {
    let source = Source::new("ci.toml", text);
    let mut findings = Policy::parse("ci", &source).unwrap().findings;
    findings.retain(|finding| finding.severity == Severity::Warning);
    findings
        .into_iter()
        .map(|finding| finding.message)
        .collect()
}

#[test]
fn reads_say_what_they_show() {
    insta::assert_snapshot!(said(r#"
allow = [
  "GET /_ping",
  "GET /version",
  "GET /containers/json",
  "GET /containers/{id}/json",
  "POST /containers/web-*/restart",
]
"#), @r#"
    note[hands-out]: `GET /containers/json` shows: labels, command lines, mounts and networks of every container
     --> ci.toml:5:3
      |
    5 |   "GET /containers/json",
      |   ^^^^^^^^^^^^^^^^^^^^^^ granted here

    note[hands-out]: `GET /containers/{id}/json` shows: environment (passwords), labels, mounts and host paths of any container
     --> ci.toml:6:3
      |
    6 |   "GET /containers/{id}/json",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^ granted here

    note[hands-out]: `POST /containers/{id}/restart` hands out: restarts any container
     --> ci.toml:7:3
      |
    7 |   "POST /containers/web-*/restart",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ granted here
      |
      = help: only where `id = web-*`
    "#);
}

#[test]
fn a_body_that_nobody_looks_into_is_root() {
    insta::assert_snapshot!(said(r#"
allow = [
  "GET /_ping", "GET /version",
  "POST /containers/create",
  "POST /containers/{id}/start",
]
"#), @r#"
    warning[host-root]: `POST /containers/create` is handed out with any body: the body can ask for privileged mode, host paths, devices and namespaces: root on the host
     --> ci.toml:4:3
      |
    4 |   "POST /containers/create",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^ granted here
      |
      = note: this version does not look into bodies

    warning[host-root]: whoever may use this socket can become root on the host
     --> ci.toml:4:3
      |
    4 |   "POST /containers/create",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^ part of it
    5 |   "POST /containers/{id}/start",
      |   ----------------------------- part of it
      |
      = note: ContainerCreate + ContainerStart: create a privileged container with the host's `/` mounted, then start it

    note[companion]: `POST /containers/{id}/attach` is not granted: without it `docker run` in the foreground fails after it has created the container
     --> ci.toml:4:3
      |
    4 |   "POST /containers/create",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^ ContainerCreate needs it

    note[companion]: `POST /containers/{id}/wait` is not granted: without it `docker run` does not learn when the container ends
     --> ci.toml:4:3
      |
    4 |   "POST /containers/create",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^ ContainerCreate needs it

    note[hands-out]: `POST /containers/{id}/start` hands out: starts a container that exists, with whatever rights it was created with
     --> ci.toml:5:3
      |
    5 |   "POST /containers/{id}/start",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ granted here
    "#);
}

#[test]
fn create_without_start_is_no_chain() {
    let root = "whoever may use this socket can become root on the host";
    for (grants, expected) in [
        (r#""POST /containers/create""#, false),
        (
            r#""POST /containers/create", "POST /containers/{id}/start""#,
            true,
        ),
        (
            r#""POST /containers/create", "POST /containers/{id}/restart""#,
            true,
        ),
        (r#""POST /containers/{id}/exec""#, false),
        (
            r#""POST /containers/web-*/exec", "POST /exec/{id}/start""#,
            true,
        ),
        (r#""PUT /containers/{id}/archive""#, true),
        (
            r#""POST /plugins/pull", "POST /plugins/{name}/enable""#,
            true,
        ),
        (r#""POST /build""#, true),
        (r#""POST /grpc""#, true),
        (r#""POST /services/create""#, true),
        (r#""POST /swarm/join""#, true),
        (r#""GET /**", "POST /containers/**", "DELETE /**""#, false),
    ] {
        let warnings = warnings(&format!("allow = [{grants}]\n"));
        assert_eq!(
            warnings.iter().any(|w| w == root),
            expected,
            "{grants}: {warnings:#?}"
        );
    }
}

#[test]
fn wildcards_are_spelled_out() {
    insta::assert_snapshot!(said("allow = [\"GET /networks/**\", \"GET /images/**\"]\n"), @r#"
    note[companion]: `GET /_ping` and `GET /version` are not granted
    --> ci.toml
     |
     = note: the docker command line and most libraries ask one of them first, to find out which API version to speak

    note[wildcard]: `GET /networks/**` covers one operation
     --> ci.toml:1:10
      |
    1 | allow = ["GET /networks/**", "GET /images/**"]
      |          ^^^^^^^^^^^^^^^^^^ this wildcard
      |
      = note: covered: NetworkInspect

    note[hands-out]: `GET /images/{name}/json` shows: environment and labels of images can hold build secrets
     --> ci.toml:1:30
      |
    1 | allow = ["GET /networks/**", "GET /images/**"]
      |                              ^^^^^^^^^^^^^^^^ granted here

    note[hands-out]: `GET /images/{name}/history` shows: build command lines with the values of build arguments
     --> ci.toml:1:30
      |
    1 | allow = ["GET /networks/**", "GET /images/**"]
      |                              ^^^^^^^^^^^^^^^^ granted here

    note[wildcard]: `GET /images/**` covers 5 operations
     --> ci.toml:1:30
      |
    1 | allow = ["GET /networks/**", "GET /images/**"]
      |                              ^^^^^^^^^^^^^^^^ this wildcard
      |
      = note: covered: ImageList, ImageInspect, ImageAttestations, ImageHistory, ImageSearch
    "#);
}

#[test]
fn exec_needs_its_companions() {
    insta::assert_snapshot!(said(r#"
allow = ["GET /_ping", "GET /version"]

[[rule]]
name = "shell"
allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
"#), @r#"
    warning[host-root]: `POST /containers/{id}/exec` is handed out with any body: prepares any command as any user in any container, privileged ones included
     --> ci.toml:6:10
      |
    6 | allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ granted here
      |
      = help: only where `id = web-*`
      = note: this version does not look into bodies

    note[companion]: `POST /exec/{id}/start` is not granted: without it a prepared command never runs
     --> ci.toml:6:10
      |
    6 | allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ ContainerExec needs it

    note[companion]: `GET /exec/{id}/json` is not granted: without it `docker exec` does not learn the exit code
     --> ci.toml:6:10
      |
    6 | allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ ContainerExec needs it

    note[companion]: `POST /exec/{id}/resize` is not granted: without it `docker exec -t` keeps the wrong window size
     --> ci.toml:6:10
      |
    6 | allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ ContainerExec needs it

    note[companion]: `GET /containers/{id}/json` is not granted: without it `docker exec` fails: it inspects the container first
     --> ci.toml:6:10
      |
    6 | allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ ContainerExec needs it

    note[hands-out]: `GET /containers/{id}/logs` shows: whatever applications write to their logs
     --> ci.toml:6:41
      |
    6 | allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
      |                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ granted here
      |
      = help: only where `id = web-*`

    note[companion]: `GET /containers/{id}/json` is not granted: without it `docker logs` fails: it inspects the container first
     --> ci.toml:6:41
      |
    6 | allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
      |                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ ContainerLogs needs it
    "#);
}

#[test]
fn what_can_never_match_and_what_nobody_knows() {
    insta::assert_snapshot!(said(r#"
api = "<=1.40"
allow = ["GET /_ping", "GET /version", "PUT /volumes/{name}"]

[unlisted]
allow = ["POST /new/thing"]
"#), @r#"
    warning[never-matches]: `PUT /volumes/{name}` can never match
     --> ci.toml:3:40
      |
    3 | allow = ["GET /_ping", "GET /version", "PUT /volumes/{name}"]
      |                                        ^^^^^^^^^^^^^^^^^^^^^ Docker has it since API 1.42
      |
      = help: the policy says `api = ">=1.24, <=1.40"`

    note[hands-out]: `PUT /volumes/{name}` hands out: changes cluster volumes
     --> ci.toml:3:40
      |
    3 | allow = ["GET /_ping", "GET /version", "PUT /volumes/{name}"]
      |                                        ^^^^^^^^^^^^^^^^^^^^^ granted here

    warning[unlisted-write]: `POST /new/thing` is handed out unseen: count it as root
     --> ci.toml:6:10
      |
    6 | allow = ["POST /new/thing"]
      |          ^^^^^^^^^^^^^^^^^ nobody knows what it does
    "#);
}
