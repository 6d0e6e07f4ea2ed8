//! Two teams on one engine: whatever filters a client writes, it sees nothing of the other team.

use crate::stage::{Container, Done, Gate, IMAGE, curl, docker, engine, name};

const GRANTS: &str = r#"
allow = [
  "GET,HEAD /_ping", "GET /version", "GET /events",
  "GET /containers/json", "GET /containers/{id}/json", "GET /containers/{id}/logs", "POST /containers/{id}/kill",
  "POST /containers/prune", "DELETE /containers/{id}",
  "GET /networks", "GET /networks/{id}", "POST /networks/{id}/connect", "POST /networks/prune",
  "GET /volumes", "GET /volumes/{name}", "DELETE /volumes/{name}", "POST /volumes/prune",
]
"#;

/// What one team has on the engine.
struct Team {
    name: String,
    container: Container,
    stopped: Container,
    network: String,
    volume: String,
}

impl Team {
    fn make(what: &str) -> Self {
        let team = name(what);
        let label = format!("team={team}");
        let (network, volume) = (format!("{team}-net"), format!("{team}-vol"));
        for kind in [["network", &network], ["volume", &volume]] {
            docker(engine(), &[kind[0], "create", "--label", &label, kind[1]]).ok();
        }
        let container = Container::running(
            what,
            &[
                "--label",
                &label,
                "--network",
                &network,
                "-v",
                &format!("{volume}:/data"),
            ],
            &["sh", "-c", "echo of this team; exec sleep 600"],
        );
        let stopped = Container(name(what));
        docker(
            engine(),
            &[
                "create", "--name", &stopped.0, "--label", &label, IMAGE, "true",
            ],
        )
        .ok();
        Self {
            name: team,
            container,
            stopped,
            network,
            volume,
        }
    }

    fn policy(&self) -> String {
        format!("{GRANTS}\n[visible]\nlabel = \"team={}\"\n", self.name)
    }

    fn id(&self) -> String {
        let id = docker(
            engine(),
            &["inspect", "--format", "{{.Id}}", &self.container.0],
        );
        id.ok().trim().to_owned()
    }

    /// All its names and ids.
    fn words(&self) -> Vec<String> {
        let names = [
            &self.name,
            &self.container.0,
            &self.stopped.0,
            &self.network,
            &self.volume,
        ];
        let mut words: Vec<String> = names.into_iter().cloned().collect();
        words.push(self.id());
        words
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        docker(engine(), &["rm", "-f", &self.container.0, &self.stopped.0]);
        docker(engine(), &["network", "rm", &self.network]);
        docker(engine(), &["volume", "rm", &self.volume]);
    }
}

fn get(gate: &Gate, target: &str) -> Done {
    curl(
        &gate.socket(),
        &["-g", "-w", " %{http_code}", &format!("http://d{target}")],
    )
}

/// What clients may write to see more. `%s` is the other team, `%c` its container, `%i` that one's id.
const HOSTILE: [&str; 15] = [
    "",
    r#"filters={"label":[]}"#,
    r#"filters={"label":{}}"#,
    r#"filters={"label":{"team=%s":false}}"#,
    r#"filters={"label":["team=%s"]}"#,
    r#"filters={"label":{"team=%s":true,"x":false}}"#,
    "filters={}&filters={}",
    r#"filters={"label":["a"],"label":[]}"#,
    r#"filters={"label":["team"]}&%66ilters={}"#,
    r#"filters={"label":["team"],"label!":["x"]}"#,
    r#"filters={"name":["%c"]}"#,
    r#"filters={"name":[".*"]}"#,
    r#"filters={"id":[""]}"#,
    r#"filters={"id":["%i"]}"#,
    r#"filters={"since":["%c"]}"#,
];

/// Seconds since 1970, this many from now.
fn in_seconds(more: u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs() + more
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn whatever_filters_a_client_writes_it_sees_nothing_of_the_other_team() {
    let (blue, red) = (Team::make("blue"), Team::make("red"));
    let gate = Gate::before(engine(), &blue.policy());
    let at = gate.socket();
    let foreign = red.words();
    let innocent = |what: &str, said: &str| {
        for word in &foreign {
            assert!(!said.contains(word), "{what} tells {word}: {said}");
        }
    };
    for (arguments, ours) in [
        (
            &["ps", "-a", "--no-trunc"][..],
            [&blue.container.0, &blue.stopped.0],
        ),
        (&["network", "ls"], [&blue.network; 2]),
        (&["volume", "ls"], [&blue.volume; 2]),
    ] {
        let said = docker(&at, arguments).ok();
        assert!(
            ours.iter().all(|ours| said.contains(*ours)),
            "{arguments:?}: {said}"
        );
        innocent(&arguments.join(" "), &said);
    }
    let events = format!("/events?since=1&until={}", in_seconds(0));
    for list in [
        "/containers/json?all=1",
        "/v1.41/networks?x=",
        "/volumes?x=",
        &events,
    ] {
        for hostile in HOSTILE {
            let hostile = hostile
                .replace("%s", &red.name)
                .replace("%c", &red.stopped.0);
            let target = format!("{list}&{}", hostile.replace("%i", foreign.last().unwrap()));
            let said = get(&gate, &target).ok();
            // What a client wrote comes back in a refusal only.
            if said.ends_with(" 200") {
                innocent(&target, &said);
            }
            let oracle = hostile.contains("since") && list.starts_with("/containers");
            assert!(!oracle || said.ends_with(" 403"), "{said}");
        }
    }
    // The twin: events do show what happens to its own.
    docker(engine(), &["kill", "-s", "CONT", &red.container.0]).ok();
    docker(&at, &["kill", "-s", "CONT", &blue.container.0]).ok();
    let events = get(&gate, &format!("/events?since=1&until={}", in_seconds(1))).ok();
    assert!(
        events.contains(&blue.container.0) && events.contains("kill"),
        "{events}"
    );
    innocent("events", &events);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn an_object_of_the_other_team_is_as_absent_as_one_that_is_nowhere() {
    let (blue, red) = (Team::make("blue"), Team::make("red"));
    let gate = Gate::before(engine(), &blue.policy());
    let id = red.id();
    let prefix = id.get(..12).unwrap();
    let (container, stopped) = (&*red.container.0, &*red.stopped.0);
    for (template, spelled, words) in [
        (
            "GET /containers/NAME/json",
            container,
            "No such container: ",
        ),
        ("GET /containers/NAME/json", &id, "No such container: "),
        (
            "GET /containers/NAME/logs?stdout=1",
            prefix,
            "No such container: ",
        ),
        (
            "POST /containers/NAME/kill",
            container,
            "No such container: ",
        ),
        (
            "DELETE /containers/NAME?force=1",
            stopped,
            "No such container: ",
        ),
        ("GET /networks/NAME", &red.network, " not found"),
        ("GET /volumes/NAME", &red.volume, "no such volume"),
        ("DELETE /volumes/NAME", &red.volume, "no such volume"),
    ] {
        let (method, path) = template.split_once(' ').unwrap();
        let ask = |socket: &std::path::Path, name: &str| {
            let target = format!("http://d{}", path.replace("NAME", name));
            let said = curl(socket, &["-i", "-X", method, &target]).ok();
            said.replace(name, "NAME")
        };
        // As long as the other, for the length of the answer.
        let nowhere = "z".repeat(spelled.len());
        let hidden = ask(&gate.socket(), spelled);
        assert_eq!(
            hidden,
            ask(&gate.socket(), &nowhere),
            "{template}: {spelled}"
        );
        let is_404 = hidden.starts_with("HTTP/1.1 404");
        assert!(is_404 && hidden.contains(words), "{hidden}");
        // Docker says the same, of an inspect, where it really has none.
        if method == "GET" && !path.contains("/logs") {
            let own = ask(engine(), &nowhere);
            let body = |answer: &str| answer.lines().last().unwrap().trim().to_owned();
            assert_eq!(body(&hidden), body(&own));
        }
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn nobody_connects_a_container_of_the_other_team_or_to_its_network() {
    let (blue, red) = (Team::make("blue"), Team::make("red"));
    let gate = Gate::before(engine(), &blue.policy());
    let connect = |network: &str, container: &str| {
        docker(&gate.socket(), &["network", "connect", network, container])
    };
    let refused = connect(&blue.network, &red.stopped.0).err;
    assert!(refused.contains("No such container"), "{refused}");
    let refused = connect(&red.network, &blue.stopped.0).err;
    assert!(refused.contains("not found"), "{refused}");
    let names = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    let networks = |of: &Container| docker(engine(), &["inspect", "--format", names, &of.0]).ok();
    assert!(!networks(&red.stopped).contains(&blue.network));
    assert!(!networks(&blue.stopped).contains(&red.network));

    connect(&blue.network, &blue.stopped.0).ok();
    assert!(networks(&blue.stopped).contains(&blue.network));
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_prune_removes_nothing_of_the_other_team() {
    let (blue, red) = (Team::make("blue"), Team::make("red"));
    let gate = Gate::before(engine(), &blue.policy());
    for arguments in [
        &["container", "prune", "-f"][..],
        &["volume", "prune", "-f"],
        &["network", "prune", "-f"],
    ] {
        docker(&gate.socket(), arguments).ok();
    }
    let said = docker(&gate.socket(), &["ps", "-a", "--format", "{{.Names}}"]).ok();
    assert_eq!(said.trim(), blue.container.0, "its own stopped one is gone");
    docker(engine(), &["inspect", &red.stopped.0]).ok();
    docker(&gate.socket(), &["logs", &blue.container.0]).ok();
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn own_shows_what_was_created_through_the_socket() {
    let red = Team::make("red");
    let policy = r#"
allow = [
  "GET,HEAD /_ping", "GET /containers/json", "GET /containers/{id}/json", "POST /containers/create", "DELETE /containers/{id}",
  "GET /networks", "POST /networks/create", "DELETE /networks/{id}", "GET /events", "GET /volumes",
]
[visible]
own = true
"#;
    let gate = Gate::before(engine(), policy);
    let at = gate.socket();
    let list = |at: &std::path::Path| docker(at, &["ps", "-a", "--format", "{{.Names}}"]).ok();
    assert_eq!(list(&at), "", "nothing yet");
    assert_eq!(docker(&at, &["network", "ls", "-q"]).ok(), "");
    let (mine, net) = (Container(name("mine")), name("mine-net"));
    docker(&at, &["create", "--name", &mine.0, IMAGE, "true"]).ok();
    docker(&at, &["network", "create", &net]).ok();
    assert_eq!(list(&at).trim(), mine.0);
    let networks = docker(&at, &["network", "ls", "--format", "{{.Name}}"]).ok();
    assert_eq!(networks.trim(), net);
    let foreign = docker(&at, &["ps", "-a", "--filter", &format!("id={}", red.id())]).ok();
    assert!(!foreign.contains(&red.container.0), "{foreign}");
    assert!(
        docker(&at, &["rm", "-f", &red.container.0])
            .err
            .contains("No such container")
    );
    for target in ["/events?until=1", "/volumes"] {
        assert!(get(&gate, target).ok().ends_with(" 403"), "{target}");
    }
    let gate = gate.restart();
    assert_eq!(list(&gate.socket()).trim(), mine.0, "it survives");
    docker(&gate.socket(), &["network", "rm", &net]).ok();
    docker(&gate.socket(), &["rm", &mine.0]).ok();
    assert_eq!(list(&gate.socket()), "");
}
