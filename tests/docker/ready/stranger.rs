//! A container that is none of a service's business, and whether it was left alone.

use std::path::Path;

use serde_json::json;

use super::ask;
use crate::stage::{Container, docker, engine};

/// It, and what could be seen of it at first.
pub(super) struct Stranger {
    container: Container,
    before: String,
}

impl Stranger {
    pub(super) fn running(arguments: &[&str]) -> Self {
        let container = Container::running("stranger", arguments, &["sleep", "600"]);
        let before = seen(&container.0);
        Self { container, before }
    }

    pub(super) fn name(&self) -> &str {
        &self.container.0
    }

    /// It runs as it did, under its name, on its networks, with the files that it had.
    #[track_caller]
    pub(super) fn is_as_it_was(&self) {
        assert_eq!(seen(&self.container.0), self.before);
    }

    /// Whatever is tried with it, by its name, its id and the beginning of that, is refused, or answered as
    /// if it were not there, and leaves it as it was; `but` are calls that the policy grants for every container.
    #[track_caller]
    pub(super) fn is_out_of_reach(&self, socket: &Path, but: &[&str]) {
        let id = docker(engine(), &["inspect", "-f", "{{.Id}}", self.name()]).ok();
        let exec = json!({"Cmd": ["sh", "-c", "echo >/entered"], "AttachStdout": true});
        let limits = json!({"Memory": 67_108_864});
        for spelled in [self.name(), id.trim(), &id[..12]] {
            for (method, rest, body) in [
                ("GET", "/json", None),
                ("GET", "/logs?stdout=1", None),
                ("GET", "/archive?path=/etc/passwd", None),
                ("PUT", "/archive?path=/", None),
                ("POST", "/attach?stream=1&stdin=1", None),
                ("POST", "/exec", Some(&exec)),
                ("POST", "/restart?t=0", None),
                ("POST", "/stop?t=0", None),
                ("POST", "/start", None),
                ("POST", "/kill", None),
                ("POST", "/pause", None),
                ("POST", "/rename?name=qg-renamed", None),
                ("POST", "/update", Some(&limits)),
                ("DELETE", "?force=1&v=1", None),
            ] {
                if but.contains(&rest) {
                    continue;
                }
                let path = format!("/containers/{spelled}{rest}");
                let (status, said) = ask(socket, method, &path, body);
                let absent = format!("No such container: {spelled}");
                let refused =
                    status == 403 || (status == 404 && said["message"] == absent.as_str());
                assert!(refused, "{method} {path}: {status} {said}");
            }
        }
        self.is_as_it_was();
    }
}

/// What can be seen of a container, and which files in it are others than its image's.
fn seen(container: &str) -> String {
    const FORMAT: &str = "{{.Id}} {{.Name}} {{.State.Status}} {{.State.StartedAt}} {{.State.Pid}} \
                          {{.HostConfig.Memory}} {{json .NetworkSettings.Networks}}";
    let inspected = docker(engine(), &["inspect", "-f", FORMAT, container]).ok();
    inspected + &docker(engine(), &["diff", container]).ok()
}
