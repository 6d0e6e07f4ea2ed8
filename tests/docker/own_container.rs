//! A gate in a container of the engine that it guards: its clients stop, enter and remove others, and not the
//! gate.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::stage::{Container, curl, docker, engine, wait_until};

/// Whatever can be done to any container, without a word about which one.
const PLAIN: &str = r#"
allow = [
  "GET /_ping", "GET,POST /containers/{id}/*", "DELETE /containers/{id}", "POST /containers/{id}/exec",
  "POST /containers/{id}/attach", "GET /containers/{id}/attach/ws", "GET,PUT /containers/{id}/archive", "GET /containers/{id}/export",
  "POST /networks/{id}/connect", "POST /networks/{id}/disconnect",
]

[[rule]]
allow = ["POST /containers/{id}/update", "POST /commit"]
body = "unchecked"
"#;

/// The gate, and the directory of its sockets and policies.
struct Inside {
    container: Container,
    dir: TempDir,
    id: String,
}

impl Inside {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("qgo").tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        for name in ["run", "policies"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("policies/plain.toml"), PLAIN).unwrap();
        let mounts = [
            format!("{}:/quaygate:ro", env!("CARGO_BIN_EXE_quaygate")),
            format!("{}:/var/run/docker.sock", engine().display()),
            format!("{}:/run/quaygate", at("run")),
            format!("{}:/policies:ro", at("policies")),
        ];
        let mounts = mounts.iter().flat_map(|mount| ["-v", mount]);
        let mounts: Vec<&str> = mounts.collect();
        let container = Container::running("gate", &mounts, &["/quaygate", "run", "/policies"]);
        let id = inspect(&container.0, "{{.Id}}");
        let gate = Self { container, dir, id };
        // The answer is there once the gate is, and it asks for its name before it serves anybody.
        wait_until("the gate answers", || {
            gate.call("plain", "GET", "/_ping").starts_with("200")
        });
        gate
    }

    /// The beginning of the id, as people use it.
    fn short(&self) -> &str {
        self.id.get(..12).unwrap()
    }

    fn socket(&self, policy: &str) -> PathBuf {
        self.dir.path().join("run").join(policy).join("docker.sock")
    }

    /// Status and body.
    fn call(&self, policy: &str, method: &str, target: &str) -> String {
        let url = format!("http://docker{target}");
        let mut arguments = vec!["-X", method, "-w", "%{stderr}%{http_code} "];
        if method == "PUT" || target.ends_with("/exec") || target.ends_with("/update") {
            arguments.extend(["-H", "Content-Type: application/json", "-d", "{}"]);
        }
        arguments.push(&url);
        self.curl(policy, &arguments)
    }

    /// A connect or disconnect.
    fn network(&self, verb: &str, container: &str) -> String {
        let url = format!("http://docker/networks/bridge/{verb}");
        let body = format!("{{\"Container\":\"{container}\"}}");
        let code = ["-w", "%{stderr}%{http_code} "];
        let body = ["-H", "Content-Type: application/json", "-d", &body, &url];
        self.curl("plain", &[&code[..], &body].concat())
    }

    fn curl(&self, policy: &str, arguments: &[&str]) -> String {
        let done = curl(&self.socket(policy), arguments);
        done.err + &done.out
    }

    /// What would be different had somebody laid hands on it.
    fn state(&self) -> String {
        let all = "{{.Name}} {{.State.Status}} {{.State.StartedAt}} {{.RestartCount}} {{.HostConfig.CpuShares}} {{.ExecIDs}} \
            {{range .NetworkSettings.Networks}}{{.EndpointID}}{{end}}";
        inspect(&self.id, all)
    }
}

fn inspect(container: &str, format: &str) -> String {
    let told = docker(engine(), &["inspect", "--format", format, container]);
    told.ok().trim().to_owned()
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_gate_in_a_container_is_not_reached_by_rules_about_any_container() {
    let gate = Inside::start();
    let name = &gate.container.0;
    let link = format!("{name}:alias");
    let other = Container::running("linked", &["--link", &link], &["sleep", "600"]);
    let before = gate.state();

    for length in 1..=gate.id.len() {
        let id = gate.id.get(..length).unwrap();
        let answer = gate.call("plain", "POST", &format!("/containers/{id}/kill"));
        assert!(answer.starts_with("403"), "{id}: {answer}");
    }
    for (method, rest) in [
        ("POST", "/stop"),
        ("POST", "/kill"),
        ("POST", "/restart"),
        ("POST", "/pause"),
        ("POST", "/exec"),
        ("POST", "/rename?name=taken"),
        ("POST", "/update"),
        ("POST", "/wait"),
        ("POST", "/attach?stream=1&stdin=1"),
        ("GET", "/attach/ws?stream=1"),
        ("GET", "/archive?path=/policies"),
        ("PUT", "/archive?path=/"),
        ("GET", "/export"),
        ("DELETE", "?force=1"),
    ] {
        for spelled in [name.as_str(), &gate.id, gate.short()] {
            let answer = gate.call("plain", method, &format!("/containers/{spelled}{rest}"));
            assert!(answer.starts_with("403"), "{method} {rest}: {answer}");
            assert!(
                answer.contains(&format!("target.name = \\\"{name}")),
                "{answer}"
            );
        }
        for slashed in [format!("%2F{name}"), format!("{}/alias", other.0)] {
            let answer = gate.call("plain", method, &format!("/containers/{slashed}{rest}"));
            assert!(
                answer.starts_with("400"),
                "{method} {slashed}{rest}: {answer}"
            );
        }
    }
    for spelled in [
        name.clone(),
        format!("/{name}"),
        format!("{}/alias", other.0),
    ] {
        let answer = gate.call("plain", "POST", &format!("/commit?container={spelled}"));
        assert!(answer.starts_with("403"), "{spelled}: {answer}");
    }
    assert_eq!(gate.state(), before);
    let look = gate.call("plain", "GET", &format!("/containers/{name}/json"));
    assert!(look.starts_with("200"), "{look}");

    let answer = gate.call(
        "plain",
        "POST",
        &format!("/containers/{}/stop?t=0", other.0),
    );
    assert!(answer.starts_with("204"), "{answer}");
    assert_eq!(inspect(&other.0, "{{.State.Status}}"), "exited");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_gate_in_a_container_is_not_cut_off_and_not_put_on_another_network() {
    let gate = Inside::start();
    let name = &gate.container.0;
    let other = Container::running("neighbour", &[], &["sleep", "600"]);
    let before = gate.state();
    for spelled in [name.clone(), format!("/{name}"), gate.short().to_owned()] {
        for verb in ["connect", "disconnect"] {
            let answer = gate.network(verb, &spelled);
            assert!(answer.starts_with("403"), "{verb} {spelled}: {answer}");
            assert!(answer.contains("connect.container.name"), "{answer}");
        }
    }
    assert_eq!(gate.state(), before);
    let answer = gate.network("disconnect", &other.0);
    assert!(answer.starts_with("200"), "{answer}");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_gate_whose_container_is_renamed_hears_of_it() {
    let gate = Inside::start();
    let name = format!("{}-renamed", gate.container.0);
    docker(engine(), &["rename", &gate.container.0, &name]).ok();
    let _gone = Container(name.clone());
    let before = gate.state();

    // Harmless as long as the gate has not heard of it.
    let archive = format!("/containers/{name}/archive?path=/bin/true");
    wait_until("the gate knows its new name", || {
        gate.call("plain", "GET", &archive)
            .contains(&format!("target.name = \\\"{name}"))
    });
    let killed = gate.call("plain", "POST", &format!("/containers/{name}/kill"));
    assert!(killed.starts_with("403"), "{killed}");
    let killed = gate.call(
        "plain",
        "POST",
        &format!("/containers/{}/kill", gate.container.0),
    );
    assert!(killed.starts_with("404"), "{killed}");
    assert_eq!(gate.state(), before);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_rule_that_spells_the_name_of_the_gates_container_reaches_it() {
    let gate = Inside::start();
    let name = &gate.container.0;
    let spells = |target: &str| {
        format!(
            "[[rule]]\nallow = \"GET /containers/{{id}}/archive\"\ntarget.name = \"{target}\"\n"
        )
    };
    let policies: &Path = &gate.dir.path().join("policies");
    fs::write(policies.join("named.toml"), spells(name)).unwrap();
    fs::write(policies.join("starred.toml"), spells("qg-gate-*")).unwrap();
    docker(engine(), &["restart", "--time", "20", name]).ok();
    wait_until("the gate answers again", || {
        gate.call("plain", "GET", "/_ping").starts_with("200")
    });

    let archive = format!("/containers/{}/archive?path=/bin/true", gate.short());
    let refused = gate.call("starred", "GET", &archive);
    assert!(refused.starts_with("403"), "{refused}");
    let read = gate.call("named", "GET", &archive);
    assert!(read.starts_with("200"), "{read}");
}
