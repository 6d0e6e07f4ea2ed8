use crate::diag::{Source, render};
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
fn what_is_root_is_said_with_every_rule_of_the_chain() {
    insta::assert_snapshot!(said(r#"
allow = [
  "GET /_ping", "GET /version",
  "POST /containers/{id}/start",
  "POST /containers/{id}/attach",
  "POST /containers/{id}/wait",
]

[[rule]]
name = "job"
allow = "POST /containers/create"
container.image = "ci/*:*"
container.mounts = ["/srv/**", "/etc/**"]
container.publish = ["127.0.0.1:8000/tcp"]
container.require = ["memory"]
"#), @r#"
    note[hands-out]: `POST /containers/{id}/start` hands out: starts a container that exists, with whatever rights it was created with
     --> ci.toml:4:3
      |
    4 |   "POST /containers/{id}/start",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ granted here

    note[hands-out]: `POST /containers/{id}/attach` hands out: reads the output of any container and types into its first process
     --> ci.toml:5:3
      |
    5 |   "POST /containers/{id}/attach",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ granted here

    note[companion]: `POST /containers/{id}/resize` is not granted: without it `docker attach` to a terminal keeps the wrong window size
     --> ci.toml:5:3
      |
    5 |   "POST /containers/{id}/attach",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ ContainerAttach needs it

    note[hands-out]: `POST /containers/create` hands out: makes containers of any image, command and environment, without power over the host
      --> ci.toml:11:9
       |
    11 | allow = "POST /containers/create"
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^ granted here
       |
       = help: only where `container.image = "ci/*:*", container.mounts = ["/srv/**", "/etc/**"], container.publish = ["127.0.0.1:8000/tcp"], container.require = ["memory"]`

    warning[host-root]: this policy can become root on the host because a container may mount `/etc` of the host
      --> ci.toml:13:11
       |
     4 |   "POST /containers/{id}/start",
       |   ----------------------------- then by rule `POST /containers/{id}/start`
    ...
    13 | container.mounts = ["/srv/**", "/etc/**"]
       |           ^^^^^^ by rule `job`

    note[power]: this policy hands out a power: a container may use `container.publish = ["127.0.0.1:8000/tcp"]`: listens on ports of the host
      --> ci.toml:14:11
       |
    14 | container.publish = ["127.0.0.1:8000/tcp"]
       |           ^^^^^^^ by rule `job`
    "#);
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
    note[hands-out]: `POST /containers/{id}/exec` hands out: prepares any command in any container, in those with power over the host too
     --> ci.toml:6:10
      |
    6 | allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ granted here
      |
      = help: only where `id = web-*`

    note[power]: this policy hands out a power: whoever uses it may run commands in containers, whatever power these have
     --> ci.toml:6:10
      |
    6 | allow = ["POST /containers/web-*/exec", "GET /containers/web-*/logs"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ by rule `shell`

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

[[rule]]
allow = "POST /swarm/join"

[[rule]]
allow = "POST /swarm/init"
body = "unchecked"
"#), @r#"
    warning[never-matches]: `PUT /volumes/{name}` can never match
     --> ci.toml:3:40
      |
    3 | allow = ["GET /_ping", "GET /version", "PUT /volumes/{name}"]
      |                                        ^^^^^^^^^^^^^^^^^^^^^ Docker has it since API 1.42
      |
      = help: the policy says `api = ">=1.24, <=1.40"`

    warning[never-matches]: `PUT /volumes/{name}` can never match
     --> ci.toml:3:40
      |
    3 | allow = ["GET /_ping", "GET /version", "PUT /volumes/{name}"]
      |                                        ^^^^^^^^^^^^^^^^^^^^^ this version does not describe its body
      |
      = help: to pass the body on without judging it, say `body = "unchecked"`
      = note: a body that is not described could ask for anything, so it is refused

    warning[host-root]: this policy can become root on the host because nobody knows what `POST /new/thing` does
     --> ci.toml:6:10
      |
    6 | allow = ["POST /new/thing"]
      |          ^^^^^^^^^^^^^^^^^ by rule `POST /new/thing`

    warning[never-matches]: `POST /swarm/join` can never match
     --> ci.toml:9:9
      |
    9 | allow = "POST /swarm/join"
      |         ^^^^^^^^^^^^^^^^^^ this version does not describe its body
      |
      = help: to pass the body on without judging it, say `body = "unchecked"`
      = note: a body that is not described could ask for anything, so it is refused

    warning[host-root]: this policy can become root on the host because whoever uses it may ask for the host to obey a cluster, whose managers run anything on it, in a body that nobody looks into
      --> ci.toml:12:9
       |
    12 | allow = "POST /swarm/init"
       |         ^^^^^^^^^^^^^^^^^^ by rule `POST /swarm/init`

    note[hands-out]: `POST /swarm/init` hands out: hands this host to a cluster
      --> ci.toml:12:9
       |
    12 | allow = "POST /swarm/init"
       |         ^^^^^^^^^^^^^^^^^^ granted here
    "#);
}

#[test]
fn labels_that_the_client_chooses_itself_are_told() {
    let create = "[[rule]]\nallow = \"POST /containers/create\"\n";
    let heal = "[[rule]]\nname = \"heal\"\nallow = \"POST /containers/{id}/restart\"\n";
    let ids = |text: &str| -> Vec<&'static str> {
        let source = Source::new("ci.toml", text);
        let found = Policy::parse("ci", &source).unwrap().findings;
        let ids = found.iter().map(|finding| finding.id);
        ids.filter(|id| *id == "free-labels").collect()
    };
    let by_label = format!("{heal}target.label = \"heal\"\n");
    assert_eq!(ids(&format!("{create}{by_label}")), ["free-labels"]);
    assert!(ids(&by_label).is_empty(), "nothing is created");
    let narrowed = format!("{create}container.labels = [\"app=*\"]\n");
    assert!(ids(&format!("{narrowed}{by_label}")).is_empty());
    let by_name = format!("{heal}target.name = \"web-1\"\n");
    assert!(ids(&format!("{create}{by_name}")).is_empty());
}

#[test]
fn labels_that_the_same_clients_may_give_are_no_bound() {
    let free = |text: &str| {
        let source = Source::new("ci.toml", text);
        let checked = Policy::parse("ci", &source).unwrap();
        let findings = checked.findings.iter();
        let found: Vec<_> = findings
            .filter(|finding| finding.id == "free-labels")
            .cloned()
            .collect();
        render::text(&source, &found, false)
    };
    insta::assert_snapshot!(free(r#"
allow = ["POST /containers/create"]

[[rule]]
name = "join"
allow = "POST /networks/{id}/connect"
connect.container.label = "tier=front"
"#), @r#"
    note[free-labels]: whoever uses this policy decides itself which objects rule `join` is about
     --> ci.toml:7:19
      |
    2 | allow = ["POST /containers/create"]
      |          ------------------------- and this gives any label
    ...
    7 | connect.container.label = "tier=front"
      |                   ^^^^^ it goes by a label
      |
      = help: narrow the labels of ContainerCreate (`labels = […]` in its table), or go by `own = true`
    "#);
    for other in [
        "allow = [\"POST /networks/create\"]\n[[rule]]\nallow = \"POST /networks/{id}/connect\"\nconnect.container.label = \"a\"\n",
        "allow = [\"POST /containers/create\"]\n[[rule]]\nallow = \"POST /networks/{id}/connect\"\nconnect.container.name = \"a-b\"\n",
        "[[rule]]\nallow = \"POST /containers/create\"\ncontainer.labels = \"job=*\"\n[[rule]]\nallow = \"POST /networks/{id}/connect\"\nconnect.container.label = \"a\"\n",
    ] {
        assert_eq!(free(other), "", "{other}");
    }
}

#[test]
fn what_is_shown_in_spite_of_visible_is_said_by_name() {
    insta::assert_snapshot!(said(r#"
allow = [
  "GET /_ping", "GET /version", "GET /containers/json", "GET /images/json", "GET /system/df", "GET /tasks",
  "GET /networks/{id}",
]
[visible]
label = "team=blue"
[unlisted]
allow = ["GET /libpod/info"]
"#), @r#"
    note[hands-out]: `GET /containers/json` shows: labels, command lines, mounts and networks of every container, as far as `[visible]` shows it
     --> ci.toml:3:33
      |
    3 |   "GET /_ping", "GET /version", "GET /containers/json", "GET /images/json", "GET /system/df", "GET /tasks",
      |                                 ^^^^^^^^^^^^^^^^^^^^^^ granted here

    warning[not-narrowed]: `GET /images/json` is not narrowed by `[visible]`
     --> ci.toml:3:57
      |
    3 |   "GET /_ping", "GET /version", "GET /containers/json", "GET /images/json", "GET /system/df", "GET /tasks",
      |                                                         ^^^^^^^^^^^^^^^^^^ shows every image: what is built and pulled belongs to nobody

    warning[not-narrowed]: `GET /system/df` is not narrowed by `[visible]`
     --> ci.toml:3:77
      |
    3 |   "GET /_ping", "GET /version", "GET /containers/json", "GET /images/json", "GET /system/df", "GET /tasks",
      |                                                                             ^^^^^^^^^^^^^^^^ shows names and sizes of every container, volume and image

    warning[not-narrowed]: `GET /tasks` is not narrowed by `[visible]`
     --> ci.toml:3:95
      |
    3 |   "GET /_ping", "GET /version", "GET /containers/json", "GET /images/json", "GET /system/df", "GET /tasks",
      |                                                                                               ^^^^^^^^^^^^ shows the tasks of every service, their environment included

    note[hands-out]: `GET /tasks` shows: container specifications, environment included
     --> ci.toml:3:95
      |
    3 |   "GET /_ping", "GET /version", "GET /containers/json", "GET /images/json", "GET /system/df", "GET /tasks",
      |                                                                                               ^^^^^^^^^^^^ granted here

    note[shows-besides]: `GET /networks/{id}` names every container in the network, with its addresses
     --> ci.toml:4:3
      |
    4 |   "GET /networks/{id}",
      |   ^^^^^^^^^^^^^^^^^^^^ granted here

    warning[not-narrowed]: `GET /libpod/info` is not narrowed by `[visible]`
     --> ci.toml:9:10
      |
    9 | allow = ["GET /libpod/info"]
      |          ^^^^^^^^^^^^^^^^^^ nobody knows what it shows
    "#);
}

#[test]
fn a_list_beside_rules_about_objects_shows_more_than_they_are_about() {
    let rule = "[[rule]]\nallow = \"POST /containers/{id}/restart\"\ntarget.label = \"a=b\"\n";
    let lists = "allow = [\"GET /_ping\", \"GET /version\", \"GET /containers/json\"]\n";
    let id = "shows-everything";
    assert!(said(&format!("{lists}{rule}")).contains(id));
    assert!(!said(lists).contains(id), "nobody told objects apart");
    assert!(!said(&format!("{lists}{rule}[visible]\nlabel = \"a=b\"\n")).contains(id));
}

#[test]
fn what_own_cannot_narrow_is_said_never_to_pass() {
    let allow = "allow = [\"GET /_ping\", \"GET /version\", \"GET /volumes\", \"POST /networks/prune\", \"GET /networks\"]\n";
    let never = |visible: &str| {
        let said = said(&format!("{allow}[visible]\n{visible}"));
        let lines = said.lines().filter(|line| line.contains("never-matches"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let volumes = "warning[never-matches]: `GET /volumes` can never match";
    let prune = "warning[never-matches]: `POST /networks/prune` can never match";
    assert_eq!(never("own = true\n"), [volumes, prune]);
    assert_eq!(never("own = true\nlabel = \"a\"\n"), [prune]);
    assert!(never("label = \"a\"\n").is_empty());
}
