//! An engine with things in it that a power would reach, and a look at everything it has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::raw::{ask, post};
use crate::stage::{OwnEngine, docker, import_small_image, wait_until};

/// The image that everything runs, and the same under another name.
const IMAGE: &str = "qg-powers:latest";
const OTHER: &str = "qg-other:latest";

/// What a container can only read with a power.
const MARK: &str = "qg-mark-of-the-host";

const BOX: &str = "qg-scene-box";
const OTHER_BOX: &str = "qg-scene-other";

/// A container that has not been started.
const OFF: &str = "qg-scene-off";

const VOLUME: &str = "qg-scene-volume";
const NET: &str = "qg-scene-net";
const OTHER_NET: &str = "qg-scene-othernet";

/// The engine and what is in it.
pub(super) struct Scenery {
    _own: OwnEngine,
    engine: PathBuf,
    host: TempDir,
    fill: Vec<(&'static str, String)>,
    /// The engine's own API version: the minor number.
    pub(super) api: u16,
}

impl Scenery {
    pub(super) fn set() -> Self {
        let own = OwnEngine::start();
        let engine = own.socket();
        let applets = [
            "sh", "cat", "echo", "grep", "id", "ip", "ls", "readlink", "sleep", "true",
        ];
        import_small_image(&engine, IMAGE, &applets);
        docker(&engine, &["tag", IMAGE, OTHER]).ok();
        let host = tempfile::Builder::new().prefix("qgh").tempdir().unwrap();
        fs::write(host.path().join("marker"), MARK).unwrap();
        let version = ask(&engine, "GET", "/version").json();
        let api = version["ApiVersion"].as_str().unwrap();
        let api = api.split_once('.').unwrap().1.parse().unwrap();
        let mut scenery = Self {
            _own: own,
            engine,
            host,
            fill: Vec::new(),
            api,
        };
        eprintln!("powers: engine {}, API 1.{api}", version["Version"]);
        scenery.furnish();
        scenery
    }

    fn furnish(&mut self) {
        let named = |name: &str| format!(r#"{{"Name": "{name}"}}"#);
        let volume = self.made("/volumes/create", &named(VOLUME));
        let mountpoint = Path::new(volume["Mountpoint"].as_str().unwrap());
        fs::write(mountpoint.join("marker"), MARK).unwrap();
        let network = |name: &str| {
            let made = self.made("/networks/create", &named(name));
            made["Id"].as_str().unwrap().to_owned()
        };
        let (net_id, other_net_id) = (network(NET), network(OTHER_NET));
        for name in [BOX, OTHER_BOX] {
            let wait = "echo >/dev/shm/marker; trap exit TERM; while true; do sleep 1; done";
            let body = format!(
                r#"{{"Image": "{IMAGE}", "Cmd": ["sh", "-c", "{wait}"], "Env": ["MARK={MARK}"],
                    "HostConfig": {{"IpcMode": "shareable", "Binds": ["{VOLUME}:/v"]}}}}"#
            );
            self.made(&format!("/containers/create?name={name}"), &body);
            docker(&self.engine, &["start", name]).ok();
            wait_until("the container has left its mark", || {
                docker(&self.engine, &["exec", name, "cat", "/dev/shm/marker"]).code == 0
            });
        }
        let off = format!(r#"{{"Image": "{IMAGE}", "Cmd": ["true"]}}"#);
        self.made(&format!("/containers/create?name={OFF}"), &off);
        // The engine was started by this process, and stands in the same namespaces.
        let namespace = |kind: &str| {
            let link = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
            link.to_str().unwrap().to_owned()
        };
        self.fill = vec![
            ("{IMAGE}", IMAGE.to_owned()),
            ("{OTHER}", OTHER.to_owned()),
            ("{MARK}", MARK.to_owned()),
            ("{BOX}", BOX.to_owned()),
            ("{OTHERBOX}", OTHER_BOX.to_owned()),
            ("{OFF}", OFF.to_owned()),
            ("{VOLUME}", VOLUME.to_owned()),
            ("{NET}", NET.to_owned()),
            ("{NETID}", net_id),
            ("{OTHERNET}", OTHER_NET.to_owned()),
            ("{OTHERNETID}", other_net_id),
            ("{HOST}", self.host.path().to_str().unwrap().to_owned()),
            ("{PID}", namespace("pid")),
            ("{IPC}", namespace("ipc")),
            ("{UTS}", namespace("uts")),
            ("{CGROUP}", namespace("cgroup")),
        ];
    }

    fn made(&self, target: &str, body: &str) -> Value {
        let answer = post(&self.engine, target, body);
        assert!(answer.status < 300, "{target}: {answer:?}");
        answer.json()
    }

    /// The engine itself, no gate before it.
    pub(super) fn engine(&self) -> &Path {
        &self.engine
    }

    /// A text of the catalogue with what stands in braces filled in.
    pub(super) fn filled(&self, text: &str) -> String {
        let fill = |text: String, (brace, value): &(&str, String)| text.replace(brace, value);
        self.fill.iter().fold(text.to_owned(), fill)
    }

    /// Every container, volume, network and image, and everything about the containers here that a
    /// request could have changed. Asked of the engine itself.
    pub(super) fn seen(&self) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        for (list, key) in LISTS {
            seen.extend(
                self.names(list, key)
                    .into_iter()
                    .map(|name| format!("{list}: {name}")),
            );
        }
        let inspected = self.inspect(&format!("/containers/{BOX}/json"));
        // In no order that the engine would keep.
        let execs = inspected["ExecIDs"].as_array().into_iter().flatten();
        seen.extend(execs.map(|id| format!("exec: {id}")));
        let networks = inspected["NetworkSettings"]["Networks"].as_object();
        let networks = networks.into_iter().flat_map(|networks| networks.keys());
        seen.extend(networks.map(|name| format!("joined: {name}")));
        let off = self.inspect(&format!("/containers/{OFF}/json"));
        seen.insert(format!("box: {}", inspected["HostConfig"]));
        seen.insert(format!(
            "off: {} {}",
            off["State"]["StartedAt"], off["HostConfig"]
        ));
        seen
    }

    pub(super) fn inspect(&self, target: &str) -> Value {
        let answer = ask(&self.engine, "GET", target);
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        answer.json()
    }

    /// Removes what a case has made, as far as it would be in the way of the next.
    pub(super) fn clear(&self, table: &str, name: &str) {
        match table {
            "container" => {
                ask(
                    &self.engine,
                    "DELETE",
                    &format!("/containers/{name}?force=1&v=1"),
                );
            }
            "network" => {
                ask(&self.engine, "DELETE", &format!("/networks/{name}"));
            }
            "connect" => {
                let body = format!(r#"{{"Container": "{BOX}", "Force": true}}"#);
                post(&self.engine, &format!("/networks/{NET}/disconnect"), &body);
            }
            _ => {}
        }
    }

    fn names(&self, list: &str, key: &str) -> BTreeSet<String> {
        let found = self.inspect(list);
        let found = found.get("Volumes").unwrap_or(&found);
        let items = found.as_array().into_iter().flatten();
        let name = |item: &Value| match &item[key] {
            Value::Array(names) => names[0]
                .as_str()
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
            name => name.as_str().unwrap_or_default().to_owned(),
        };
        items.map(name).collect()
    }
}

/// Everything that an engine makes on request.
const LISTS: [(&str, &str); 4] = [
    ("/containers/json?all=1", "Names"),
    ("/volumes", "Name"),
    ("/networks", "Name"),
    ("/images/json", "Id"),
];
