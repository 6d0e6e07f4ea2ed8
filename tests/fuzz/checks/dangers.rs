//! What makes a body dangerous, written down a second time and without the gate's tables.
//!
//! Only the worst is here: what is root on the host, or in somebody else's container. A field is found as
//! an engine would find it, whatever it is called in the request, in `HostConfig` and, as engines up
//! to 26 do, at the top level. Sources: moby `api/types/container/{config,hostconfig}.go`,
//! `api/types/mount/mount.go`, `api/types/swarm`, and `runconfig/config_unix.go` of 20.10.

use super::gojson::{self, Decoded, Field, Type};

/// A danger, and what it asks for: `("capability", "SYS_ADMIN")`.
pub type Danger = (&'static str, String);

/// Everything dangerous in the body of an operation; `None`: Docker would not take the body.
pub fn dangers(operation: &str, body: &[u8]) -> Option<Vec<Danger>> {
    let fields: &'static [Field] = match operation {
        "ContainerCreate" => CREATE,
        "ContainerUpdate" => HOST_CONFIG,
        "ContainerExec" => EXEC,
        "VolumeCreate" => VOLUME,
        "NetworkCreate" => NETWORK,
        "NetworkConnect" => CONNECT,
        "ServiceCreate" | "ServiceUpdate" => SERVICE,
        _ => return Some(Vec::new()),
    };
    let node = gojson::read(body)?;
    let (decoded, top) = (
        gojson::decode(&node, fields),
        gojson::decode(&node, HOST_CONFIG),
    );
    if decoded.wrong {
        return None;
    }
    let mut found = Found {
        body: &decoded,
        dangers: Vec::new(),
    };
    match operation {
        "ContainerCreate" => {
            found.host_config("HostConfig.");
            found.body = &top;
            found.host_config("");
            found.body = &decoded;
            found.networks();
            // A key with a colon is a bind to Podman.
            for (path, _) in found.body.below("Volumes") {
                found.bind(path);
            }
        }
        "ContainerUpdate" => found.host_config(""),
        "ContainerExec" => found.flag("", "Privileged", "privileged"),
        "VolumeCreate" => {
            found.each("", "DriverOpts", "volume option");
            found.text("", "Driver", "volume driver", &["local"]);
        }
        "NetworkCreate" => {
            found.each("", "Options", "network option");
            found.text("", "Driver", "network driver", &["bridge"]);
            found.flag("", "Ingress", "network scope");
            found.flag("", "ConfigOnly", "network config");
            found.text("", "Scope", "network scope", &["local"]);
            found.text("ConfigFrom.", "Network", "network config", &[]);
        }
        "ServiceCreate" | "ServiceUpdate" => found.service(),
        _ => {
            found.text("EndpointConfig.", "NetworkID", "network", &[]);
            found.each("EndpointConfig.", "Links", "link");
        }
    }
    Some(found.dangers)
}

struct Found<'d> {
    body: &'d Decoded,
    dangers: Vec<Danger>,
}

impl Found<'_> {
    fn add(&mut self, kind: &'static str, what: impl Into<String>) {
        self.dangers.push((kind, what.into()));
    }

    fn flag(&mut self, at: &str, field: &str, kind: &'static str) {
        if !self.body.get(&format!("{at}{field}")).is_empty() {
            self.add(kind, "");
        }
    }

    fn text(&mut self, at: &str, field: &str, kind: &'static str, harmless: &[&str]) {
        let text = self.body.get(&format!("{at}{field}"));
        if !text.is_empty() && !harmless.contains(&text) {
            self.add(kind, text);
        }
    }

    fn each(&mut self, at: &str, field: &str, kind: &'static str) {
        let path = format!("{at}{field}");
        let all: Vec<_> = self
            .body
            .below(&path)
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        for (key, value) in all {
            let listed = key.bytes().all(|byte| byte.is_ascii_digit());
            self.add(
                kind,
                if listed {
                    value.to_owned()
                } else {
                    format!("{key}={value}")
                },
            );
        }
    }

    fn host_config(&mut self, at: &str) {
        self.flag(at, "Privileged", "privileged");
        self.flag(at, "OomKillDisable", "no oom");
        for (field, kind) in [
            ("CapAdd", "capability"),
            ("DeviceCgroupRules", "device rule"),
            ("VolumesFrom", "volumes from"),
            ("Links", "link"),
            ("Sysctls", "sysctl"),
            ("StorageOpt", "storage option"),
            ("GroupAdd", "group"),
            ("Annotations", "annotation"),
        ] {
            self.each(at, field, kind);
        }
        for (field, kind, harmless) in [
            ("PidMode", "pid", &["private"][..]),
            ("IpcMode", "ipc", &["private", "shareable", "none"]),
            ("UTSMode", "uts", &["private"]),
            ("UsernsMode", "userns", &[]),
            ("CgroupnsMode", "cgroupns", &["private"]),
            ("Cgroup", "cgroup", &[]),
            ("CgroupParent", "cgroup parent", &[]),
            ("Runtime", "runtime", &["runc"]),
            ("VolumeDriver", "volume driver", &["local"]),
            ("NetworkMode", "network", &["default", "bridge", "none"]),
        ] {
            self.text(at, field, kind, harmless);
        }
        let body = self.body;
        for (_, text) in body.below(&format!("{at}SecurityOpt")) {
            if !matches!(
                text,
                "no-new-privileges" | "no-new-privileges=true" | "no-new-privileges:true"
            ) {
                self.add("security option", text);
            }
        }
        for (_, text) in body.below(&format!("{at}Binds")) {
            self.bind(text);
        }
        for (path, options) in body.below(&format!("{at}Tmpfs")) {
            self.add("tmpfs", format!("{path}:{options}"));
        }
        for list in ["Devices", "DeviceRequests", "Mounts"] {
            self.objects(at, list);
        }
        self.unmasked(at);
    }

    /// `SOURCE:TARGET[:OPTIONS]`; a lone path is a volume without a name.
    fn bind(&mut self, text: &str) {
        let mut parts = text.split(':');
        let (source, target, options) =
            (parts.next(), parts.next(), parts.next().unwrap_or_default());
        if let (Some(source), Some(_)) = (source, target) {
            self.mount(source, options);
        }
    }

    fn mount(&mut self, source: &str, options: &str) {
        let read_only = options.split(',').any(|option| option == "ro");
        let kind = if source.starts_with('/') {
            "host path"
        } else {
            "volume"
        };
        self.add(
            kind,
            format!("{source}{}", if read_only { ":ro" } else { "" }),
        );
        for option in options.split(',') {
            if matches!(
                option,
                "z" | "Z" | "shared" | "rshared" | "slave" | "rslave" | "U" | "O"
            ) {
                self.add("mount option", option);
            }
        }
    }

    /// Lists of objects: an element is dangerous by being there.
    fn objects(&mut self, at: &str, list: &str) {
        let body = self.body;
        for index in 0.. {
            let element = format!("{at}{list}.{index}");
            if body.get(&element).is_empty() {
                break;
            }
            let get = |field: &str| body.get(&format!("{element}.{field}"));
            match list {
                "Devices" => self.add("device", get("PathOnHost")),
                "DeviceRequests" => self.add("device", get("Driver")),
                _ => {
                    let options = if get("ReadOnly").is_empty() { "" } else { "ro" };
                    match (get("Type"), get("Source")) {
                        ("tmpfs", _) => self.add("tmpfs", get("Target")),
                        ("volume", "") => {}
                        ("bind" | "volume", source) => self.mount(source, options),
                        (other, source) => self.add("mount", format!("{other} {source}")),
                    }
                    if !matches!(get("BindOptions.Propagation"), "" | "rprivate" | "private") {
                        self.add("mount option", get("BindOptions.Propagation"));
                    }
                    let driver = format!("{element}.VolumeOptions.DriverConfig.");
                    self.text(&driver, "Name", "volume driver", &["local"]);
                    self.each(&driver, "Options", "volume option");
                }
            }
        }
    }

    /// What a swarm runs on its nodes.
    fn service(&mut self) {
        self.text("TaskTemplate.", "Runtime", "runtime", &["container"]);
        for plugin in ["PluginSpec", "NetworkAttachmentSpec"] {
            self.flag("TaskTemplate.", plugin, "another runtime");
        }
        let container = "TaskTemplate.ContainerSpec.";
        self.objects(container, "Mounts");
        self.each(container, "CapabilityAdd", "capability");
        self.each(container, "Sysctls", "sysctl");
        let body = self.body;
        for networks in ["Networks", "TaskTemplate.Networks"] {
            for (path, value) in body.below(networks) {
                if path.ends_with(".Target") {
                    self.add("network", value);
                }
            }
        }
    }

    /// A list in the place of Docker's own uncovers what it leaves out.
    fn unmasked(&mut self, at: &str) {
        for (field, must) in [
            ("MaskedPaths", "/proc/kcore"),
            ("ReadonlyPaths", "/proc/sys"),
        ] {
            let path = format!("{at}{field}");
            let given = !self.body.get(&path).is_empty();
            if given && !self.body.below(&path).any(|(_, covered)| covered == must) {
                self.add("unmasked", field);
            }
        }
    }

    fn networks(&mut self) {
        let body = self.body;
        for (path, value) in body.below("NetworkingConfig.EndpointsConfig") {
            let (name, field) = path.split_once('.').unwrap_or((path, ""));
            if field.is_empty() && !matches!(name, "default" | "bridge" | "none") {
                self.add("network", name);
            }
            if field == "NetworkID" {
                self.add("network", value);
            }
            if field.starts_with("Links.") {
                self.add("link", value);
            }
        }
    }
}

/// The body of a create, without the fields of `HostConfig` that 20.10 also reads at the top level.
pub const CREATE: &[Field] = &[
    ("HostConfig", Type::Pointer(HOST_CONFIG)),
    (
        "NetworkingConfig",
        Type::Pointer(&[("EndpointsConfig", Type::PointerMap(ENDPOINT))]),
    ),
    ("Image", Type::Text),
    ("User", Type::Text),
    ("Tty", Type::Bool),
    ("Env", Type::Texts),
    ("Cmd", Type::TextOrTexts),
    ("Entrypoint", Type::TextOrTexts),
    ("Volumes", Type::Set),
    ("Labels", Type::TextMap),
    (
        "Healthcheck",
        Type::Pointer(&[("Test", Type::Texts), ("Interval", Type::Int)]),
    ),
];

/// A `HostConfig`, and what an update sends.
pub const HOST_CONFIG: &[Field] = &[
    ("Binds", Type::Texts),
    ("Privileged", Type::Bool),
    ("OomKillDisable", Type::BoolPointer),
    ("CapAdd", Type::TextOrTexts),
    ("CapDrop", Type::TextOrTexts),
    ("DeviceCgroupRules", Type::Texts),
    ("VolumesFrom", Type::Texts),
    ("VolumeDriver", Type::Text),
    ("Links", Type::Texts),
    ("Sysctls", Type::TextMap),
    ("StorageOpt", Type::TextMap),
    ("GroupAdd", Type::Texts),
    ("Annotations", Type::TextMap),
    ("PidMode", Type::Text),
    ("IpcMode", Type::Text),
    ("UTSMode", Type::Text),
    ("UsernsMode", Type::Text),
    ("CgroupnsMode", Type::Text),
    ("Cgroup", Type::Text),
    ("CgroupParent", Type::Text),
    ("Runtime", Type::Text),
    ("NetworkMode", Type::Text),
    ("SecurityOpt", Type::Texts),
    ("Tmpfs", Type::TextMap),
    ("MaskedPaths", Type::Texts),
    ("ReadonlyPaths", Type::Texts),
    ("Memory", Type::Int),
    ("ShmSize", Type::Int),
    (
        "RestartPolicy",
        Type::Struct(&[("Name", Type::Text), ("MaximumRetryCount", Type::Int)]),
    ),
    (
        "PortBindings",
        Type::StructsMap(&[("HostIp", Type::Text), ("HostPort", Type::Text)]),
    ),
    ("Devices", Type::Structs(DEVICE)),
    (
        "DeviceRequests",
        Type::Structs(&[
            ("Driver", Type::Text),
            ("Count", Type::Int),
            ("DeviceIDs", Type::Texts),
        ]),
    ),
    ("Mounts", Type::Structs(MOUNT)),
];

const DEVICE: &[Field] = &[
    ("PathOnHost", Type::Text),
    ("PathInContainer", Type::Text),
    ("CgroupPermissions", Type::Text),
];

const MOUNT: &[Field] = &[
    ("Type", Type::Text),
    ("Source", Type::Text),
    ("Target", Type::Text),
    ("ReadOnly", Type::Bool),
    (
        "BindOptions",
        Type::Pointer(&[("Propagation", Type::Text), ("NonRecursive", Type::Bool)]),
    ),
    (
        "VolumeOptions",
        Type::Pointer(&[
            ("NoCopy", Type::Bool),
            ("Labels", Type::TextMap),
            (
                "DriverConfig",
                Type::Pointer(&[("Name", Type::Text), ("Options", Type::TextMap)]),
            ),
        ]),
    ),
    ("TmpfsOptions", Type::Pointer(&[("SizeBytes", Type::Int)])),
];

const ENDPOINT: &[Field] = &[
    ("NetworkID", Type::Text),
    ("Links", Type::Texts),
    ("Aliases", Type::Texts),
    ("DriverOpts", Type::TextMap),
    ("IPAMConfig", Type::Pointer(&[("IPv4Address", Type::Text)])),
];

const EXEC: &[Field] = &[
    ("User", Type::Text),
    ("Privileged", Type::Bool),
    ("Env", Type::Texts),
    ("WorkingDir", Type::Text),
    ("Cmd", Type::Texts),
];

const VOLUME: &[Field] = &[
    ("Name", Type::Text),
    ("Driver", Type::Text),
    ("DriverOpts", Type::TextMap),
];

const NETWORK: &[Field] = &[
    ("Name", Type::Text),
    ("Driver", Type::Text),
    ("Options", Type::TextMap),
    ("Scope", Type::Text),
    ("Ingress", Type::Bool),
    ("ConfigOnly", Type::Bool),
    ("ConfigFrom", Type::Pointer(&[("Network", Type::Text)])),
];

const CONNECT: &[Field] = &[
    ("Container", Type::Text),
    ("EndpointConfig", Type::Pointer(ENDPOINT)),
];

const ATTACHMENT: &[Field] = &[("Target", Type::Text), ("Aliases", Type::Texts)];

/// moby `api/types/swarm/{service,task,container}.go`.
const SERVICE: &[Field] = &[
    ("Name", Type::Text),
    ("Networks", Type::Structs(ATTACHMENT)),
    (
        "TaskTemplate",
        Type::Struct(&[
            ("Runtime", Type::Text),
            ("PluginSpec", Type::Pointer(&[("Remote", Type::Text)])),
            ("NetworkAttachmentSpec", Type::Pointer(&[])),
            ("Networks", Type::Structs(ATTACHMENT)),
            (
                "ContainerSpec",
                Type::Pointer(&[
                    ("Image", Type::Text),
                    ("Mounts", Type::Structs(MOUNT)),
                    ("CapabilityAdd", Type::Texts),
                    ("Sysctls", Type::TextMap),
                ]),
            ),
        ]),
    ),
];
