//! The powers that a body can ask for, one for each idea, whichever fields of Docker it takes.

/// One power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table below says what each of them is")]
pub enum Power {
    Privileged,
    UnmaskPaths,
    Oom,
    Gpus,
    Mounts,
    Network,
    Publish,
    Capabilities,
    Devices,
    DeviceRules,
    VolumesFrom,
    Pid,
    Ipc,
    Uts,
    Userns,
    Cgroupns,
    CgroupParent,
    SecurityOpt,
    Sysctls,
    Runtime,
    Groups,
    Links,
    LogDriver,
    Storage,
    Ulimits,
    Resources,
    Dns,
    MacAddress,
    Annotations,
    User,
    Env,
    Workdir,
    NetworkDriver,
    NetworkOptions,
    Subnets,
    Config,
    Scope,
    Endpoint,
    VolumeDriver,
    VolumeOptions,
    Mode,
    Placement,
}

/// One row of the table of powers.
struct Row {
    power: Power,
    key: &'static str,
    code: &'static str,
    meaning: &'static str,
}

const fn row(power: Power, key: &'static str, code: &'static str, meaning: &'static str) -> Row {
    Row {
        power,
        key,
        code,
        meaning,
    }
}

/// Power · key in a policy · reason code · what it hands out.
#[rustfmt::skip]
static TABLE: [Row; 42] = [
    row(Power::Privileged,     "privileged",     "power-privileged",      "gives every capability and every device, unconfined: root on the host"),
    row(Power::UnmaskPaths,    "unmask_paths",   "power-unmask-paths",    "opens parts of /proc and /sys that Docker hides or makes read-only"),
    row(Power::Oom,            "oom",            "power-oom",             "keeps the kernel from ending the container when memory runs out"),
    row(Power::Gpus,           "gpus",           "power-gpus",            "uses the host's graphics devices"),
    row(Power::Mounts,         "mounts",         "power-mounts",          "mounts what lies outside of the container"),
    row(Power::Network,        "network",        "power-network",         "joins a network"),
    row(Power::Publish,        "publish",        "power-publish",         "listens on ports of the host"),
    row(Power::Capabilities,   "capabilities",   "power-capabilities",    "adds kernel capabilities"),
    row(Power::Devices,        "devices",        "power-devices",         "uses devices of the host"),
    row(Power::DeviceRules,    "device_rules",   "power-device-rules",    "lets the container make and use devices"),
    row(Power::VolumesFrom,    "volumes_from",   "power-volumes-from",    "takes over the mounts of another container"),
    row(Power::Pid,            "pid",            "power-pid",             "shares processes with the host or another container"),
    row(Power::Ipc,            "ipc",            "power-ipc",             "shares memory with the host or another container"),
    row(Power::Uts,            "uts",            "power-uts",             "can change the host's name"),
    row(Power::Userns,         "userns",         "power-userns",          "leaves the user namespace"),
    row(Power::Cgroupns,       "cgroupns",       "power-cgroupns",        "sees the host's control groups"),
    row(Power::CgroupParent,   "cgroup_parent",  "power-cgroup-parent",   "chooses its place among the host's control groups"),
    row(Power::SecurityOpt,    "security_opt",   "power-security-opt",    "changes how the kernel confines the container"),
    row(Power::Sysctls,        "sysctls",        "power-sysctls",         "sets kernel parameters"),
    row(Power::Runtime,        "runtime",        "power-runtime",         "chooses the program that runs the container"),
    row(Power::Groups,         "groups",         "power-groups",          "adds groups to the container's processes"),
    row(Power::Links,          "links",          "power-links",           "links to another container and reads its environment"),
    row(Power::LogDriver,      "log_driver",     "power-log-driver",      "chooses where Docker sends the container's output"),
    row(Power::Storage,        "storage",        "power-storage",         "sets options of the storage driver"),
    row(Power::Ulimits,        "ulimits",        "power-ulimits",         "sets limits of the kernel per process"),
    row(Power::Resources,      "resources",      "power-resources",       "asks for more than the default share of the host"),
    row(Power::Dns,            "dns",            "power-dns",             "chooses its name servers"),
    row(Power::MacAddress,     "mac_address",    "power-mac-address",     "chooses its hardware address"),
    row(Power::Annotations,    "annotations",    "power-annotations",     "passes annotations to the runtime"),
    row(Power::User,           "user",           "power-user",            "runs as a user other than the container's own"),
    row(Power::Env,            "env",            "power-env",             "sets environment variables"),
    row(Power::Workdir,        "workdir",        "power-workdir",         "chooses the working directory"),
    row(Power::NetworkDriver,  "driver",         "power-network-driver",  "chooses the driver of a network"),
    row(Power::NetworkOptions, "options",        "power-network-options", "sets options of a network or its address management"),
    row(Power::Subnets,        "subnets",        "power-subnets",         "chooses the addresses of a network"),
    row(Power::Config,         "config",         "power-config",          "makes or uses the configuration of another network"),
    row(Power::Scope,          "scope",          "power-scope",           "makes a network of the whole swarm"),
    row(Power::Endpoint,       "endpoint",       "power-endpoint",        "sets options of an endpoint"),
    row(Power::VolumeDriver,   "driver",         "power-volume-driver",   "chooses the driver of a volume"),
    row(Power::VolumeOptions,  "options",        "power-volume-options",  "sets options of a volume, which can make it any directory or disk of the host"),
    row(Power::Mode,           "mode",           "power-mode",            "runs on every node, or as a job"),
    row(Power::Placement,      "placement",      "power-placement",       "chooses the nodes it runs on"),
];

impl Power {
    /// Every power.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.power)
    }

    /// Its key in a policy: `cgroup_parent`.
    pub fn key(self) -> &'static str {
        self.row().key
    }

    /// Its reason code: `power-cgroup-parent`.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// What it hands out, in plain words.
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// Whether what stands after the `=` may be a secret.
    pub fn hides_values(self) -> bool {
        matches!(
            self,
            Self::Env
                | Self::NetworkOptions
                | Self::VolumeOptions
                | Self::Endpoint
                | Self::Annotations
        )
    }

    fn row(self) -> &'static Row {
        let row = TABLE.iter().find(|row| row.power == self);
        // INVARIANT: every power has a row; held by `every_power_has_a_row_of_its_own`.
        row.unwrap_or(&TABLE[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::as_conversions,
        reason = "the number of a variant without fields"
    )]
    fn every_power_has_a_row_of_its_own() {
        let codes: std::collections::BTreeSet<_> = Power::all().map(Power::code).collect();
        assert_eq!(codes.len(), TABLE.len());
        for (row, number) in TABLE.iter().zip(0_usize..) {
            assert_eq!(row.power as usize, number, "{:?}", row.power);
            assert_eq!(row.power.code(), row.code);
        }
        assert_eq!(Power::Placement as usize + 1, TABLE.len());
    }
}
