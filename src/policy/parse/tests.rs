//! Every mistake that a policy file can hold, with what its author reads.

#![expect(clippy::too_many_lines, reason = "what a person reads takes lines")]

use crate::diag::{Beside, Source, render};
use crate::policy::Policy;

/// What a person reads about a file: errors, or findings if there are none.
fn read(text: &str) -> String {
    let source = Source::new("ci.toml", text);
    let findings = match Policy::parse("ci", &source) {
        Ok(checked) => checked.findings,
        Err(problems) => problems,
    };
    for finding in &findings {
        assert!(
            crate::diag::IDS.iter().any(|(id, _)| *id == finding.id),
            "{} is not registered",
            finding.id
        );
        assert!(!finding.message.ends_with('.'), "{}", finding.message);
    }
    render::text(&source, &findings, false)
}

/// Only the findings of these ids.
fn read_ids(text: &str, ids: &[&str]) -> String {
    let source = Source::new("ci.toml", text);
    let mut findings = match Policy::parse("ci", &source) {
        Ok(checked) => checked.findings,
        Err(problems) => problems,
    };
    findings.retain(|finding| ids.contains(&finding.id));
    render::text(&source, &findings, false)
}

#[test]
fn all_problems_of_a_file_are_reported_at_once() {
    insta::assert_snapshot!(read(r#"
descripton = "typing error"
allow = ["GET /containers/jsno", "get /version", "GET /info"]

[[rule]]
paht = "/images/create"
allow = "POST /containers/{id}/restart"
query.tt = "1"

[socket]
mode = 660
"#), @r#"
    error[unknown-key]: unknown key `descripton` in the policy
     --> ci.toml:2:1
      |
    2 | descripton = "typing error"
      | ^^^^^^^^^^ not a key of the policy
      |
      = help: did you mean `description`?

    error[unknown-operation]: Docker has no `GET /containers/jsno`
     --> ci.toml:3:10
      |
    3 | allow = ["GET /containers/jsno", "get /version", "GET /info"]
      |          ^^^^^^^^^^^^^^^^^^^^^^ no operation of the Docker API
      |
      = help: did you mean `GET /containers/json`?
      = note: paths beyond Docker's table belong into `[unlisted]`

    error[bad-method]: `get` is not a method
     --> ci.toml:3:34
      |
    3 | allow = ["GET /containers/jsno", "get /version", "GET /info"]
      |                                  ^^^^^^^^^^^^^^ upper-case, comma-separated, no blanks
      |
      = help: write `GET`

    error[unknown-key]: unknown key `paht` in `[[rule]]`
     --> ci.toml:6:1
      |
    6 | paht = "/images/create"
      | ^^^^ not a key of `[[rule]]`
      |
      = help: the keys of `[[rule]]` are `name`, `allow`, `query`, `target`, `body`, `any_exec`, `container`, `exec`, `update`, `network`, `connect`, `volume`, `service`, `image`

    error[unknown-key]: Docker reads no query key `tt` there
     --> ci.toml:8:7
      |
    8 | query.tt = "1"
      |       ^^ not a query key of `POST /containers/{id}/restart`
      |
      = help: did you mean `query.t`?

    error[bad-value]: `mode` is written in quotes
      --> ci.toml:11:8
       |
    11 | mode = 660
       |        ^^^ a number would be read in the wrong base
       |
       = help: for example `mode = "0660"`
    "#);
}

#[test]
fn toml_slips_have_their_own_words() {
    insta::assert_snapshot!(read("[socket]\nmode = 0660\n"), @r#"
    error[toml]: a number cannot start with 0
     --> ci.toml:2:8
      |
    2 | mode = 0660
      |        ^
      |
      = help: quote it: `mode = "0660"`
    "#);
    insta::assert_snapshot!(
        read("[[rule]]\nallow = \"POST /containers/{id}/restart\"\nquery.t = \"~\\d+\"\n"),
        @r#"
    error[toml]: a backslash in double quotes begins an escape, and this is none
     --> ci.toml:3:14
      |
    3 | query.t = "~\d+"
      |              ^
      |
      = help: put patterns in single quotes, where nothing is an escape: `'~[0-9]+\.x'`
    "#
    );
    insta::assert_snapshot!(
        read("[rule.container]\nimage = \"alpine\"\n\n[[rule]]\nallow = \"GET /info\"\n"),
        @r#"
    error[wrong-table]: `[rule.container]` comes before any `[[rule]]`
     --> ci.toml:1:1
      |
    1 | [rule.container]
      | ^^^^^^^^^^^^^^^^ not part of any `[[rule]]`
    ...
    4 | [[rule]]
      |   ----
      |
      = help: begin every rule with `[[rule]]`; write its conditions as dotted keys below it
    "#
    );
    insta::assert_snapshot!(read("[rule.container]\nimage = \"alpine\"\n"), @r#"
    error[wrong-table]: `[rule.container]` comes before any `[[rule]]`
     --> ci.toml:1:2
      |
    1 | [rule.container]
      |  ^^^^ not part of any `[[rule]]`
      |
      = help: put `[[rule]]` above it, or better: write dotted keys below `[[rule]]`
    "#);
    insta::assert_snapshot!(read("[rule]\nallow = \"GET /info\"\n"), @r#"
    error[wrong-table]: `rule` is a list of tables
     --> ci.toml:1:2
      |
    1 | [rule]
      |  ^^^^ not part of any `[[rule]]`
      |
      = help: write `[[rule]]` with double brackets
    "#);
    insta::assert_snapshot!(read("[[rules]]\nallow = \"GET /info\"\n"), @r#"
    error[wrong-table]: there is no table `rules`
     --> ci.toml:1:3
      |
    1 | [[rules]]
      |   ^^^^^ `[[rule]]` is meant
      |
      = help: write `[[rule]]`
    "#);
    insta::assert_snapshot!(read("[test]\nrequest = \"GET /info\"\n"), @r#"
    error[wrong-table]: `test` is a list of tables
     --> ci.toml:1:2
      |
    1 | [test]
      |  ^^^^ a single table
      |
      = help: write `[[test]]` with double brackets
    "#);
    insta::assert_snapshot!(read("[socket]\nallow = [\"GET /info\"]\n"), @r#"
    error[top-level-key]: `allow` belongs at the top of the file
     --> ci.toml:2:1
      |
    2 | allow = ["GET /info"]
      | ^^^^^ this is inside of `[socket]`
      |
      = help: move it above the first line that starts with `[`
      = note: in TOML a key belongs to the table whose header stands last before it
    "#);
    insta::assert_snapshot!(read("allow = [\"GET /info\"]\nallow = []\n"), @r#"
    error[toml]: `allow` is written twice
     --> ci.toml:2:1
      |
    2 | allow = []
      | ^^^^^
      |
      = note: every key and every `[table]` can be written once
    "#);
    insta::assert_snapshot!(read("allow = [\"GET /info\"\n"), @r#"
    error[toml]: unclosed array, expected `]`
     --> ci.toml:1:21
      |
    1 | allow = ["GET /info"
      |                     ^
    "#);
}

#[test]
fn keys_of_later_versions_are_refused_not_ignored() {
    insta::assert_snapshot!(read(r#"
observe = true

[[rule]]
allow = "POST /containers/create"
visible.own = true

[[test]]
request = "POST /containers/create"
expect = "deny"
body_file = "x"
"#), @r#"
    error[not-supported]: `observe` is not supported by this version
     --> ci.toml:2:1
      |
    2 | observe = true
      | ^^^^^^^ not supported by this version
      |
      = note: ignoring it would change what the policy means

    error[not-supported]: `visible` is not supported by this version
     --> ci.toml:6:1
      |
    6 | visible.own = true
      | ^^^^^^^ not supported by this version
      |
      = note: ignoring it would change what the policy means

    error[bad-value]: `x` cannot be read
      --> ci.toml:11:13
       |
    11 | body_file = "x"
       |             ^^^ only a policy that is a file has files beside it
    "#);
    insta::assert_snapshot!(read("semantics = 2\n"), @r#"
    error[not-supported]: this version knows `semantics = 1` only
     --> ci.toml:1:13
      |
    1 | semantics = 2
      |             ^ not known to this version
    "#);
}

#[test]
fn what_a_rule_says_about_bodies() {
    insta::assert_snapshot!(read(r#"
[[rule]]
allow = ["POST /containers/create", "POST /containers/{id}/start"]
container.image = "alpine"

[[rule]]
allow = "POST /containers/create"
container.imgae = "alpine"
container.privileged = "yes"
container.mounts = ["srv/ci", "/srv/ci/***"]
container.network = ["cafe", true]
container.publish = ["80"]
container.command = ["ls"]
container.require = ["memori"]
container.pid = true
exec.user = "1000"

[[rule]]
allow = "POST /volumes/create"
body = "raw"
volume.driver = "nfs"

[[rule]]
allow = "GET /info"
body = "unchecked"
"#), @r#"
    error[condition-fits-not]: `container` does not fit every grant of its rule
     --> ci.toml:4:1
      |
    3 | allow = ["POST /containers/create", "POST /containers/{id}/start"]
      |                                     ----------------------------- has no such body
    4 | container.image = "alpine"
      | ^^^^^^^^^ this does not fit
      |
      = help: move `POST /containers/{id}/start` to a rule of its own

    error[unknown-key]: unknown key `container.imgae` in `container`
     --> ci.toml:8:11
      |
    8 | container.imgae = "alpine"
      |           ^^^^^ not a key of `container`
      |
      = help: the keys of `container` are `name`, `image`, `labels`, `command`, `user`, `privileged`, `unmask_paths`, `oom`, `gpus`, `mounts`, `network`, `publish`, `capabilities`, `devices`, `device_rules`, `volumes_from`, `pid`, `ipc`, `uts`, `userns`, `cgroupns`, `cgroup_parent`, `security_opt`, `sysctls`, `runtime`, `groups`, `links`, `log_driver`, `storage`, `ulimits`, `resources`, `dns`, `mac_address`, `init`, `annotations`, `endpoint`, `require`, `fields`

    error[wrong-type]: `container.privileged` takes `true` or `false`, not a string
     --> ci.toml:9:24
      |
    9 | container.privileged = "yes"
      |                        ^^^^^ expected `true` or `false`

    error[bad-value]: `container.mounts` cannot hold `srv/ci`
      --> ci.toml:10:21
       |
    10 | container.mounts = ["srv/ci", "/srv/ci/***"]
       |                     ^^^^^^^^ expected an absolute path, `volume:NAME`, `tmpfs`, `image:NAME`, `secret:NAME` or `config:NAME`, then perhaps `:ro`

    error[bad-pattern]: `/srv/ci/***` is not a pattern
      --> ci.toml:10:31
       |
    10 | container.mounts = ["srv/ci", "/srv/ci/***"]
       |                               ^^^^^^^^^^^^^ `***` is not a wildcard; `*` stops at `/`, `**` does not

    error[bad-value]: `container.network` cannot hold `cafe`
      --> ci.toml:11:22
       |
    11 | container.network = ["cafe", true]
       |                      ^^^^^^ this could be the beginning of an id of something else
       |
       = help: use a name with a `-`, a `_` or a letter after `f`, or `*` for every one

    error[wrong-type]: `container.network` takes a string, not a boolean
      --> ci.toml:11:30
       |
    11 | container.network = ["cafe", true]
       |                              ^^^^ expected a string

    error[bad-value]: `container.publish` cannot hold `80`
      --> ci.toml:12:22
       |
    12 | container.publish = ["80"]
       |                      ^^^^ expected `ADDRESS:PORT/tcp`, such as `127.0.0.1:8000-8100/tcp`

    error[wrong-type]: `container.command` is a list of commands
      --> ci.toml:13:21
       |
    13 | container.command = ["ls"]
       |                     ^^^^^^ each command is a list of its arguments
       |
       = help: write `[["ls", "-l"], ["cat", "**"]]`

    error[bad-value]: `memori` cannot be required
      --> ci.toml:14:22
       |
    14 | container.require = ["memori"]
       |                      ^^^^^^^^ not a word of `require`
       |
       = help: the words are `memory`, `pids`, `cpus`, `read-only`, `no-new-privileges`, `drop-all`, `init`, `user`

    error[wrong-type]: `container.pid` takes a list of patterns, not a boolean
      --> ci.toml:15:17
       |
    15 | container.pid = true
       |                 ^^^^ expected a list of patterns

    error[condition-fits-not]: `exec` does not fit every grant of its rule
      --> ci.toml:16:1
       |
     7 | allow = "POST /containers/create"
       |         ------------------------- has no such body
    ...
    16 | exec.user = "1000"
       | ^^^^ this does not fit
       |
       = help: move `POST /containers/create` to a rule of its own

    error[bad-value]: `body` cannot be `raw`
      --> ci.toml:20:8
       |
    20 | body = "raw"
       |        ^^^^^ the only value is `unchecked`
       |
       = help: say what is allowed by `container.KEY` and its like

    error[condition-fits-not]: `body` does not fit every grant of its rule
      --> ci.toml:25:1
       |
    24 | allow = "GET /info"
       |         ----------- reads no JSON body
    25 | body = "unchecked"
       | ^^^^ this does not fit
       |
       = help: move `GET /info` to a rule of its own
    "#);
}

#[test]
fn grants_that_name_nothing() {
    for text in [
        "GET",
        "/info",
        "GET info",
        "get /info",
        "* /info",
        "GET, POST /info",
        "GET,GET /info",
        "GET /v1.41/info",
        "GET /info/",
        "GET /containers/json?all=1",
        "GET /containers//json",
        "GET /containers/{id/json",
        "GET /containers/{id:}/json",
        "GET /containers/../json",
    ] {
        let said = read_ids(
            &format!("allow = [{text:?}]\n"),
            &["grant-form", "bad-method"],
        );
        assert!(said.contains("error["), "{text}: {said}");
    }
    insta::assert_snapshot!(read(r#"allow = ["POST /containers/{id}/strat"]"#), @r#"
    error[unknown-operation]: Docker has no `POST /containers/{id}/strat`
     --> ci.toml:1:10
      |
    1 | allow = ["POST /containers/{id}/strat"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no operation of the Docker API
      |
      = help: did you mean `POST /containers/{id}/start`?
      = note: paths beyond Docker's table belong into `[unlisted]`
    "#);
    insta::assert_snapshot!(read(r#"allow = ["GET /containers/{id}/start"]"#), @r#"
    error[unknown-operation]: Docker has no `GET /containers/{id}/start`
     --> ci.toml:1:10
      |
    1 | allow = ["GET /containers/{id}/start"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no operation of the Docker API
      |
      = help: did you mean `POST /containers/{id}/start`?
      = note: paths beyond Docker's table belong into `[unlisted]`
    "#);
    insta::assert_snapshot!(read(r#"allow = ["GET /v1.41/info"]"#), @r#"
    error[grant-form]: `GET /v1.41/info` has an API version
     --> ci.toml:1:10
      |
    1 | allow = ["GET /v1.41/info"]
      |          ^^^^^^^^^^^^^^^^^ paths are written without a version
      |
      = help: leave it out: both forms are one path; `api = "…"` limits versions
    "#);
    insta::assert_snapshot!(read(r#"allow = ["GET /containers/json?all=1"]"#), @r#"
    error[grant-form]: `GET /containers/json?all=1` has a query
     --> ci.toml:1:10
      |
    1 | allow = ["GET /containers/json?all=1"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a grant names method and path only
      |
      = help: write `allow = "… /containers/json"` in a `[[rule]]` with `query.KEY = …` below it
    "#);
    insta::assert_snapshot!(read(r#"allow = ["* /info"]"#), @r#"
    error[bad-method]: `*` is not a method
     --> ci.toml:1:10
      |
    1 | allow = ["* /info"]
      |          ^^^^^^^^^ upper-case, comma-separated, no blanks
      |
      = help: methods have no wildcards: list them, `GET,POST /…`
    "#);
    insta::assert_snapshot!(read(r#"allow = ["GET,POST /info"]"#), @r#"
    error[unknown-operation]: Docker has no `POST /info`
     --> ci.toml:1:10
      |
    1 | allow = ["GET,POST /info"]
      |          ^^^^^^^^^^^^^^^^ no operation of the Docker API
      |
      = help: did you mean `GET /info`?
      = note: paths beyond Docker's table belong into `[unlisted]`
    "#);
    insta::assert_snapshot!(read(r#"allow = ["POST /containers/{id}/copy"]"#), @r#"
    error[unknown-operation]: ContainerCopy was removed in API 1.24
     --> ci.toml:1:10
      |
    1 | allow = ["POST /containers/{id}/copy"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no call that is let through can reach it
    "#);
    insta::assert_snapshot!(read(r#"allow = ["GET /containers/*/archive"]"#), @r#"
    error[wildcard-covers-not]: `GET /containers/*/archive` covers nothing
     --> ci.toml:1:10
      |
    1 | allow = ["GET /containers/*/archive"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^ wildcards never reach these operations
      |
      = help: write out what is meant: GET /containers/{id}/archive; names are narrowed by `{id:PATTERN}`
      = note: `*` and `**` never cover what tunnels, moves file content, creates, builds, commits or debugs
    "#);
}

#[test]
fn patterns_that_could_match_ids_are_refused() {
    insta::assert_snapshot!(read(r#"allow = ["POST /containers/db/start"]"#), @r#"
    error[use-target]: `db` could match the ids of other objects
     --> ci.toml:1:10
      |
    1 | allow = ["POST /containers/db/start"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^ Docker takes the beginning of an id here, too
      |
      = help: in a rule of its own: allow = "POST /containers/{id}/start" and target.name = "db", which means the object itself, however it is addressed
    "#);
    insta::assert_snapshot!(read(r#"allow = ["POST /containers/{id:*}/start"]"#), @r#"
    error[use-target]: `*` could match the ids of other objects
     --> ci.toml:1:10
      |
    1 | allow = ["POST /containers/{id:*}/start"]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ Docker takes the beginning of an id here, too
      |
      = help: for every object write `POST /containers/{id}/start`
    "#);
    for (grant, refused) in [
        ("POST /containers/db-1/start", false),
        ("POST /networks/{id:fe*}/connect", true),
        ("POST /exec/{id:*}/start", true),
        ("GET /volumes/db", false),
        ("DELETE /images/{name:a*}", true),
        ("DELETE /images/{name:alpine*}", false),
        ("POST /containers/fe*/*", true),
        ("POST /containers/web-*/*", false),
        ("POST /containers/*/start", false),
    ] {
        let said = read_ids(&format!("allow = [{grant:?}]\n"), &["use-target"]);
        assert_eq!(!said.is_empty(), refused, "{grant}: {said}");
    }
}

#[test]
fn conditions_that_fit_not() {
    insta::assert_snapshot!(read(r#"
[[rule]]
allow = ["POST /containers/{id}/restart", "GET /containers/json"]
query.t = 5
"#), @r#"
    error[condition-fits-not]: `query.t` does not fit every grant of its rule
     --> ci.toml:4:7
      |
    3 | allow = ["POST /containers/{id}/restart", "GET /containers/json"]
      |                                           ---------------------- does not have this key
    4 | query.t = 5
      |       ^ this condition
      |
      = help: move `GET /containers/json` to a rule of its own
    "#);
    insta::assert_snapshot!(read(r#"
[[rule]]
allow = "POST /containers/{id}/kill"
query.signl = "HUP"
"#), @r#"
    error[unknown-key]: Docker reads no query key `signl` there
     --> ci.toml:4:7
      |
    4 | query.signl = "HUP"
      |       ^^^^^ not a query key of `POST /containers/{id}/kill`
      |
      = help: did you mean `query.signal`?
    "#);
    insta::assert_snapshot!(read(r#"
[[rule]]
allow = "POST /containers/{id}/kill"
query.signal = ["HUPP", "HUP"]

[[rule]]
name = "a"
allow = "GET /containers/{id}/stats"
query.stream = "false"

[[rule]]
name = "b"
allow = "POST /containers/{id}/restart"
query.t = []

[[rule]]
name = "c"
allow = "GET /containers/json"
query.filters = "x"

[[rule]]
name = "d"
allow = "GET /containers/json"
query.filters.label = ['~(', "a***"]
"#), @r#"
    error[bad-value]: `HUPP` is not a signal
     --> ci.toml:4:17
      |
    4 | query.signal = ["HUPP", "HUP"]
      |                 ^^^^^^ neither a name such as `HUP` nor a number from 1 to 64

    error[wrong-type]: `query.stream` takes `true` or `false`, not a string
     --> ci.toml:9:16
      |
    9 | query.stream = "false"
      |                ^^^^^^^ expected `true` or `false`

    error[bad-value]: `query.t = []` can never hold
      --> ci.toml:14:11
       |
    14 | query.t = []
       |           ^^ an empty list
       |
       = help: list the values that are allowed, or delete the rule

    error[wrong-type]: `query.filters` takes a table, not a string
      --> ci.toml:19:17
       |
    19 | query.filters = "x"
       |                 ^^^ expected a table

    error[bad-pattern]: `~(` is not a pattern
      --> ci.toml:24:24
       |
    24 | query.filters.label = ['~(', "a***"]
       |                        ^^^^ this is not a regular expression: unclosed group

    error[bad-pattern]: `a***` is not a pattern
      --> ci.toml:24:30
       |
    24 | query.filters.label = ['~(', "a***"]
       |                              ^^^^^^ `***` is not a wildcard; `*` stops at `/`, `**` does not
    "#);
}

#[test]
fn rules_that_say_nothing_new() {
    insta::assert_snapshot!(read(r#"
allow = ["POST /containers/{id}/restart"]

[[rule]]
allow = "POST /containers/{id}/restart"
query.t = 5
"#), @r#"
    error[nothing-changes]: rule `POST /containers/{id}/restart` changes nothing
     --> ci.toml:4:1
      |
    2 | allow = ["POST /containers/{id}/restart"]
      |          ------------------------------- this grants the same without any condition
    3 |
    4 | [[rule]]
      | ^^^^^^^^ these conditions narrow nothing
      |
      = help: delete the grant without conditions, or this rule
      = note: rules only add: a call passes if any rule allows it
    "#);
    insta::assert_snapshot!(read_ids(
        "allow = [\"GET /info\", \"GET /info\"]\n",
        &["duplicate-grant"]
    ), @r#"
    warning[duplicate-grant]: `GET /info` is granted twice
     --> ci.toml:1:23
      |
    1 | allow = ["GET /info", "GET /info"]
      |          -----------  ^^^^^^^^^^^ again here
      |          |
      |          first here
    "#);
    insta::assert_snapshot!(read(r#"
[[rule]]
name = "look"
allow = "GET /info"

[[rule]]
name = "look"
allow = "GET /version"
"#), @r#"
    error[duplicate-rule]: two rules are called `look`
     --> ci.toml:6:1
      |
    2 | [[rule]]
      | -------- first here
    ...
    6 | [[rule]]
      | ^^^^^^^^ again here
      |
      = help: give each a name of its own: logs tell rules apart by it
    "#);
    insta::assert_snapshot!(read("allow = []\n"), @r#"
    warning[empty-allow]: `allow = []` grants nothing
     --> ci.toml:1:9
      |
    1 | allow = []
      |         ^^ an empty list
    "#);
    let or = r#"
[[rule]]
allow = "POST /containers/{id}/kill"
query.signal = "HUP"

[[rule]]
allow = "POST /containers/{id}/kill"
query.signal = "TERM"
"#;
    assert!(!read(or).contains("error"), "{}", read(or));
}

#[test]
fn settings_out_of_range() {
    insta::assert_snapshot!(read(r#"
api = "1.41 to 1.51"

[socket]
path = "run/docker.sock"
mode = "0999"
owner = "no body"
group = true
peers.uid = [-1, "root"]
peer = 1

[limits]
connections = 0
body = "1TiB"
"#), @r#"
    error[api-range]: `api` cannot be read: `1.41 to 1.51` is not a bound such as `>=1.41`
     --> ci.toml:2:7
      |
    2 | api = "1.41 to 1.51"
      |       ^^^^^^^^^^^^^^ not a range of API versions
      |
      = help: for example `api = ">=1.41, <=1.51"`

    error[socket-path]: the socket path must be absolute
     --> ci.toml:5:8
      |
    5 | path = "run/docker.sock"
      |        ^^^^^^^^^^^^^^^^^ here
      |
      = help: for example `path = "/run/quaygate/traefik/docker.sock"`

    error[bad-value]: `0999` is not a file mode
     --> ci.toml:6:8
      |
    6 | mode = "0999"
      |        ^^^^^^ octal digits, at most 0777
      |
      = help: for example `mode = "0660"`

    error[bad-value]: `no body` is not the name of a user or group
     --> ci.toml:7:9
      |
    7 | owner = "no body"
      |         ^^^^^^^^^ a name or a number

    error[wrong-type]: `group` takes a name or a number, not a boolean
     --> ci.toml:8:9
      |
    8 | group = true
      |         ^^^^ expected a name or a number

    error[bad-value]: `peers.uid` cannot be -1
     --> ci.toml:9:14
      |
    9 | peers.uid = [-1, "root"]
      |              ^^ outside of what is possible here

    error[wrong-type]: `peers.uid` takes an integer, not a string
     --> ci.toml:9:18
      |
    9 | peers.uid = [-1, "root"]
      |                  ^^^^^^ expected an integer

    error[unknown-key]: unknown key `peer` in `[socket]`
      --> ci.toml:10:1
       |
    10 | peer = 1
       | ^^^^ not a key of `[socket]`
       |
       = help: did you mean `peers`?

    error[bad-value]: `connections` must lie between 1 and 1000000
      --> ci.toml:13:15
       |
    13 | connections = 0
       |               ^ not a possible limit

    error[bad-value]: this is not a size between 1 byte and 64 MiB
      --> ci.toml:14:8
       |
    14 | body = "1TiB"
       |        ^^^^^^ not a possible size
       |
       = help: write a number of bytes, or `"512KiB"`, `"1MiB"`
    "#);
    let long = format!("[socket]\npath = \"/{}\"\n", "a".repeat(107));
    insta::assert_snapshot!(read(&long), @r#"
    error[socket-path]: the socket path is 108 bytes long
     --> ci.toml:2:8
      |
    2 | path = "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ here
      |
      = help: shorten it: the kernel takes at most 107 bytes
    "#);
    insta::assert_snapshot!(read("[socket]\npeers.uid = []\n"), @r#"
    warning[peer-list-empty]: `peers.uid = []` lets nobody connect
     --> ci.toml:2:13
      |
    2 | peers.uid = []
      |             ^^ nobody is on this list
      |
      = help: leave the key out to let in whoever the file mode lets in
    "#);
    let fits = format!("[socket]\npath = \"/{}\"\n", "a".repeat(106));
    assert_eq!(read(&fits), "");
}

#[test]
fn settings_are_decoded() {
    use crate::policy::settings::Principal;

    let text = "[socket]\npath = \"/run/x/docker.sock\"\nmode = \"0600\"\nowner = \"root\"\n\
                group = 998\npeers.uid = 0\n[limits]\nconnections = 10\nbody = \"512KiB\"\n";
    let policy = crate::policy::tests::policy(text);
    let socket = policy.socket();
    assert_eq!(
        socket.path.as_deref(),
        Some(std::path::Path::new("/run/x/docker.sock"))
    );
    assert_eq!(socket.mode, 0o600);
    assert_eq!(socket.owner, Some(Principal::Name("root".to_owned())));
    assert_eq!(socket.group, Some(Principal::Id(998)));
    assert_eq!(socket.peer_uids, Some(vec![0]));
    assert_eq!(
        (policy.limits().connections, policy.limits().body),
        (10, 512 << 10)
    );
}

#[test]
fn names_of_policies() {
    for (name, good) in [
        ("traefik", true),
        ("a.b_c-1", true),
        ("0", true),
        ("", false),
        ("Traefik", false),
        ("-a", false),
        ("a/b", false),
        (&"a".repeat(65), false),
    ] {
        let source = Source::new("x.toml", "");
        assert_eq!(Policy::parse(name, &source).is_ok(), good, "{name}");
    }
}

#[test]
fn names_of_rules() {
    insta::assert_snapshot!(read("[[rule]]\nname = \"a\\u001b[2J\"\nallow = \"GET /info\"\n"), @r#"
    error[bad-name]: `a\x1b[2J` cannot be the name of a rule
     --> ci.toml:2:8
      |
    2 | name = "a\u001b[2J"
      |        ^^^^^^^^^^^^ 1 to 64 printable characters
    "#);
}

#[test]
fn unlisted_paths_are_exact_and_unknown() {
    insta::assert_snapshot!(read(r#"
[unlisted]
allow = ["GET /containers/json", "GET /libpod/*", "GET /v1.41/x", "get /x"]
"#), @r#"
    error[unlisted-known]: `GET /containers/json` is Docker's ContainerList
     --> ci.toml:3:10
      |
    3 | allow = ["GET /containers/json", "GET /libpod/*", "GET /v1.41/x", "get /x"]
      |          ^^^^^^^^^^^^^^^^^^^^^^ in `[unlisted]`
      |
      = help: move it to `allow` at the top

    error[grant-form]: `*` has no meaning in `[unlisted]`
     --> ci.toml:3:34
      |
    3 | allow = ["GET /containers/json", "GET /libpod/*", "GET /v1.41/x", "get /x"]
      |                                  ^^^^^^^^^^^^^^^ in `[unlisted]`
      |
      = help: write out every path, byte for byte

    error[grant-form]: `get /x` cannot be a request: the method is not one that Docker knows; methods are upper-case, such as GET or POST
     --> ci.toml:3:67
      |
    3 | allow = ["GET /containers/json", "GET /libpod/*", "GET /v1.41/x", "get /x"]
      |                                                                   ^^^^^^^^ in `[unlisted]`
      |
      = help: write `METHOD /path`
    "#);
    insta::assert_snapshot!(read("[unlisted]\npaths = []\n"), @r#"
    error[missing-key]: `[unlisted]` has no `allow`
     --> ci.toml:1:1
      |
    1 | [unlisted]
      | ^^^^^^^^^^ `allow` is missing

    error[unknown-key]: unknown key `paths` in `[unlisted]`
     --> ci.toml:2:1
      |
    2 | paths = []
      | ^^^^^ not a key of `[unlisted]`
      |
      = help: the only key of `[unlisted]` is `allow`
    "#);
}

#[test]
fn tests_of_the_file_that_fail() {
    insta::assert_snapshot!(read(r#"
allow = ["GET /_ping", "GET /version"]

[[rule]]
name = "soon"
allow = "POST /containers/{id}/restart"
query.t = 5

[[test]]
name = "restart at once"
request = "POST /containers/web/restart?t=0"
expect = "allow"

[[test]]
request = "GET /version"
expect = "deny"

[[test]]
request = "POST /containers/web/restart"
expect = "deny"
reason = "no-rule"

[[test]]
request = "POST /containers/web/restart?t=5"
expect = "allow"
rule = "late"
"#), @r#"
    note[hands-out]: `POST /containers/{id}/restart` hands out: restarts any container
     --> ci.toml:6:9
      |
    6 | allow = "POST /containers/{id}/restart"
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ granted here
      |
      = help: only where `query.t = 5`

    error[test-failed]: test `restart at once`: this call should be allowed, and is refused
      --> ci.toml:11:11
       |
    11 | request = "POST /containers/web/restart?t=0"
       |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ refused: `query`
       |
       = note: ContainerRestart (POST /containers/web/restart) is refused by policy `ci`: rule `soon` (line 4) would allow it, but the request does not meet `query.t = 5`. To allow it too, add a rule with `query.t = 0`
       = note: rule `soon` (line 4): a condition on the query does not hold: `query.t = 5`

    error[test-failed]: this call should be refused, and is allowed
      --> ci.toml:15:11
       |
    15 | request = "GET /version"
       |           ^^^^^^^^^^^^^^ allowed by rule `GET /version`
       |
       = note: rule `GET /version` (line 2): applies

    error[test-failed]: this call is refused for another reason
      --> ci.toml:21:10
       |
    21 | reason = "no-rule"
       |          ^^^^^^^^^ expected `no-rule`, found `query`
       |
       = note: rule `soon` (line 4): a condition on the query does not hold: `query.t = 5`

    error[test-failed]: this call is allowed by another rule
      --> ci.toml:26:8
       |
    26 | rule = "late"
       |        ^^^^^^ expected rule `late`
       |
       = note: it is allowed by rule `soon`
       = note: rule `soon` (line 4): applies
    "#);
}

#[test]
fn tests_of_the_file_that_say_nothing() {
    insta::assert_snapshot!(read_ids(r#"
[[test]]
request = "GET /containers/jsno"
expect = "deny"

[[test]]
request = "GET /containers//json"
expect = "deny"

[[test]]
request = "GET /containers/jsno"
expect = "deny"
reason = "unknown-operation"
"#, &["test-path-unknown"]), @r#"
    warning[test-path-unknown]: this test passes only because the request is none that Docker knows
     --> ci.toml:3:11
      |
    2 | [[test]]
      | -------- this test
    3 | request = "GET /containers/jsno"
      |           ^^^^^^^^^^^^^^^^^^^^^^ Docker has no operation at this method and path
      |
      = help: correct the request, or say `reason = "unknown-operation"` if it is meant

    warning[test-path-unknown]: this test passes only because the request is none that Docker knows
     --> ci.toml:7:11
      |
    6 | [[test]]
      | -------- this test
    7 | request = "GET /containers//json"
      |           ^^^^^^^^^^^^^^^^^^^^^^^ the path holds `//`; write a single `/`, and a name between two of them
      |
      = help: correct the request, or say `reason = "path-empty-segment"` if it is meant
    "#);
}

#[test]
fn tests_of_the_file_that_cannot_be_read() {
    insta::assert_snapshot!(read(r#"
[[test]]
expect = "allow"

[[test]]
request = "GET"
expect = "maybe"

[[test]]
request = "GET /info"
expect = "deny"
reason = "no-rul"

[[test]]
request = "GET /info"
expect = "allow"
reason = "no-rule"
uid = -1
"#), @r#"
    error[missing-key]: `[[test]]` has no `request`
     --> ci.toml:2:1
      |
    2 | [[test]]
      | ^^^^^^^^ `request` is missing

    error[bad-value]: `GET` is not a request
     --> ci.toml:6:11
      |
    6 | request = "GET"
      |           ^^^^^ a method, one blank and a target
      |
      = help: for example `request = "GET /containers/json?all=1"`

    error[bad-value]: `maybe` is no answer
     --> ci.toml:7:10
      |
    7 | expect = "maybe"
      |          ^^^^^^^ either `allow` or `deny`

    error[bad-value]: `no-rul` is not a reason code
      --> ci.toml:12:10
       |
    12 | reason = "no-rul"
       |          ^^^^^^^^ no call is refused for this reason
       |
       = help: did you mean `no-rule`?

    error[bad-value]: a reason belongs to `expect = "deny"`
      --> ci.toml:17:1
       |
    17 | reason = "no-rule"
       | ^^^^^^ does not fit `expect = "allow"`

    error[bad-value]: `uid` cannot be -1
      --> ci.toml:18:7
       |
    18 | uid = -1
       |       ^^ outside of what is possible here
    "#);
}

#[test]
fn images_have_names_where_somebody_looks() {
    insta::assert_snapshot!(read(r#"
[[rule]]
name = "images"
allow = ["POST /images/create", "POST /images/load", "POST /images/{name}/tag"]
image.reference = ["alpine", "~("]
image.import = 1
image.refrence = "x"
"#), @r#"
    error[condition-fits-not]: `image.reference` does not fit every grant of its rule
     --> ci.toml:5:7
      |
    4 | allow = ["POST /images/create", "POST /images/load", "POST /images/{name}/tag"]
      |                                 ------------------- has no such image
    5 | image.reference = ["alpine", "~("]
      |       ^^^^^^^^^ this does not fit
      |
      = help: move `POST /images/load` to a rule of its own
      = note: an archive names its images inside, where nobody looks: whoever may load one may replace any tag

    error[bad-pattern]: `~(` is not a pattern
     --> ci.toml:5:30
      |
    5 | image.reference = ["alpine", "~("]
      |                              ^^^^ this is not a regular expression: unclosed group

    error[condition-fits-not]: `image.import` does not fit every grant of its rule
     --> ci.toml:6:7
      |
    4 | allow = ["POST /images/create", "POST /images/load", "POST /images/{name}/tag"]
      |                                 -------------------  ------------------------- has no such image
      |                                 |
      |                                 has no such image
    5 | image.reference = ["alpine", "~("]
    6 | image.import = 1
      |       ^^^^^^ this does not fit
      |
      = help: move `POST /images/load`, `POST /images/{name}/tag` to a rule of its own
      = note: an archive names its images inside, where nobody looks: whoever may load one may replace any tag

    error[wrong-type]: `image.import` takes a string, not an integer
     --> ci.toml:6:16
      |
    6 | image.import = 1
      |                ^ expected a string

    error[unknown-key]: unknown key `image.refrence` in `image`
     --> ci.toml:7:7
      |
    7 | image.refrence = "x"
      |       ^^^^^^^^ not a key of `image`
      |
      = help: did you mean `image.reference`?
    "#);
}

const CREATE: &str = "allow = [\"POST /containers/create\"]\n";

fn test_of(rest: &str) -> String {
    format!("{CREATE}[[test]]\nrequest = \"POST /containers/create\"\n{rest}\n")
}

#[test]
fn a_test_sends_its_body_under_its_content_type() {
    for (rest, passes) in [
        ("body = '{}'\nexpect = \"allow\"", true),
        (
            "body = '{}'\ncontent_type = \"application/json; charset=utf-8\"\nexpect = \"allow\"",
            true,
        ),
        (
            "body = '{}'\ncontent_type = \"text/plain\"\nexpect = \"deny\"\nreason = \"content-type\"",
            true,
        ),
        (
            "body = '{}'\ncontent_type = \"text/plain\"\nexpect = \"allow\"",
            false,
        ),
        (
            "body = '{}'\ncontent_type = \"multipart/form-data\"\nexpect = \"deny\"\nreason = \"content-type\"",
            true,
        ),
        (
            "body = '{\"a\":1,\"a\":2}'\nexpect = \"deny\"\nreason = \"malformed-body\"",
            true,
        ),
        (
            "body = '{\"HostConfig\":{\"Privileged\":true}}'\nexpect = \"deny\"\nreason = \"power-privileged\"",
            true,
        ),
    ] {
        let said = read_ids(&test_of(rest), &["test-failed", "bad-value"]);
        assert_eq!(said.is_empty(), passes, "{rest}\n{said}");
    }
    let form = "allow = [\"POST /containers/{id}/rename\"]\n[[test]]\n\
                request = \"POST /containers/web/rename?name=a\"\nbody = 'name=b'\n\
                content_type = \"application/x-www-form-urlencoded\"\n\
                expect = \"deny\"\nreason = \"form-body\"\n";
    assert_eq!(read_ids(form, &["test-failed", "bad-value"]), "");
}

#[test]
fn a_body_may_come_from_a_file_that_somebody_has_read() {
    let text = test_of(
        "body_file = \"bodies/root.json\"\nexpect = \"deny\"\nreason = \"power-privileged\"",
    );
    let source = Source::new("ci.toml", &text);
    assert_eq!(Policy::files(&source), ["bodies/root.json"]);
    let parse = |content| {
        let name = "bodies/root.json".to_owned();
        Policy::parse("ci", &source.clone().with(vec![Beside { name, content }]))
    };
    let root = br#"{"HostConfig":{"Privileged":true}}"#;
    assert!(parse(Ok(root.to_vec())).is_ok());
    let other = parse(Ok(b"{}".to_vec())).unwrap_err();
    let judged = other.iter().any(|finding| finding.id == "test-failed");
    assert!(judged, "the content is what is judged");
    let unread = parse(Err("no such file".to_owned())).unwrap_err();
    assert_eq!(unread[0].labels[0].1, "no such file");
}

#[test]
fn bodies_that_nobody_can_send() {
    let text = [
        "body = '{}'\nbody_file = \"x.json\"\nexpect = \"deny\"",
        "content_type = \"text/plain\"\nexpect = \"deny\"",
        "body_file = \"x.json\"\nexpect = \"deny\"",
        "body_file = \"../x.json\"\nexpect = \"deny\"",
        "body_file = \"/etc/x.json\"\nexpect = \"deny\"",
        "body_file = 1\nexpect = \"deny\"",
    ]
    .map(|rest| format!("[[test]]\nrequest = \"POST /containers/create\"\n{rest}\n\n"))
    .concat();
    assert_eq!(Policy::files(&Source::new("ci.toml", &text)), ["x.json"]);
    insta::assert_snapshot!(read(&text), @r#"
    error[bad-value]: a request has one body
     --> ci.toml:4:1
      |
    3 | body = '{}'
      | ---- this is one
    4 | body_file = "x.json"
      | ^^^^^^^^^ this is another one

    error[bad-value]: `content_type` says what a body is
     --> ci.toml:9:1
      |
    9 | content_type = "text/plain"
      | ^^^^^^^^^^^^ there is no body
      |
      = help: add `body` or `body_file`

    error[bad-value]: `x.json` cannot be read
      --> ci.toml:14:13
       |
    14 | body_file = "x.json"
       |             ^^^^^^^^ only a policy that is a file has files beside it

    error[bad-value]: `../x.json` is not a path below the policy's own directory
      --> ci.toml:19:13
       |
    19 | body_file = "../x.json"
       |             ^^^^^^^^^^^ write it relative to the policy's file, without `..`

    error[bad-value]: `/etc/x.json` is not a path below the policy's own directory
      --> ci.toml:24:13
       |
    24 | body_file = "/etc/x.json"
       |             ^^^^^^^^^^^^^ write it relative to the policy's file, without `..`

    error[wrong-type]: `body_file` takes a string, not an integer
      --> ci.toml:29:13
       |
    29 | body_file = 1
       |             ^ expected a string
    "#);
}
