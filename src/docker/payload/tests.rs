//! What bodies are found to ask for.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use super::*;
use crate::docker::json::Value;

mod go;
mod recorded;

use Operation::{
    ContainerCreate, ContainerExec, ContainerUpdate, ExecStart, NetworkConnect, NetworkCreate,
    NetworkDisconnect, ServiceCreate, VolumeCreate,
};

/// What a body amounts to, in short: uses beyond Docker's defaults, then strays, then what is bad.
fn summary(operation: Operation, body: &str) -> Vec<String> {
    match Payload::parse(operation, body.as_bytes()) {
        Ok(Payload::Read(body)) => {
            let uses = body.uses.iter().filter(|one| !one.rests);
            let uses = uses.map(|one| format!("{} {} {}", one.power.key(), one.place, one.shape()));
            let strays = body
                .strays
                .iter()
                .map(|stray| format!("{:?} {}", stray.why, stray.place));
            uses.chain(strays).collect()
        }
        Ok(other) => panic!("{other:?}"),
        Err(bad) => vec![format!("bad: {bad}")],
    }
}

fn assert_all(operation: Operation, cases: &[(&str, &[&str])]) {
    for (body, expected) in cases {
        assert_eq!(summary(operation, body), *expected, "{body}");
    }
}

/// Cases inside of `HostConfig`.
fn assert_host(cases: &[(&str, &[&str])]) {
    for (inside, expected) in cases {
        let body = format!("{{\"HostConfig\":{{{inside}}}}}");
        assert_eq!(summary(ContainerCreate, &body), *expected, "{body}");
    }
}

const HOST_MOUNT: &[&str] = &["mounts HostConfig.Binds[0] /etc"];

#[test]
fn mounts_are_one_power_whichever_field_asks() {
    assert_host(&[
        (r#""Binds":["/etc:/x"]"#, HOST_MOUNT),
        (
            r#""Binds":["/etc:/x:ro"]"#,
            &["mounts HostConfig.Binds[0] /etc:ro"],
        ),
        (
            r#""Binds":["/etc:/x:ro,z,rshared"]"#,
            &["mounts HostConfig.Binds[0] /etc:ro:z,rshared"],
        ),
        (r#""Binds":["/etc:/x:rw,rprivate,nocopy"]"#, HOST_MOUNT),
        (
            r#""Binds":["vol1:/x","\u002fetc:/x"]"#,
            &[
                "mounts HostConfig.Binds[0] volume:vol1",
                "mounts HostConfig.Binds[1] /etc",
            ],
        ),
        (r#""Binds":["/data"]"#, &[]),
        (r#""Binds":[]"#, &[]),
        (r#""Binds":null"#, &[]),
        (
            r#""Mounts":[{"Type":"bind","Source":"/etc","Target":"/x","ReadOnly":true}]"#,
            &["mounts HostConfig.Mounts[0] /etc:ro"],
        ),
        (
            r#""Mounts":[{"Type":"bind","Source":"/etc","ReadOnly":true,"BindOptions":{"Propagation":"rslave","ReadOnlyNonRecursive":true,"CreateMountpoint":true}}]"#,
            &["mounts HostConfig.Mounts[0] /etc:rslave"],
        ),
        (
            r#""Mounts":[{"Type":"volume","Source":"v","Target":"/x","VolumeOptions":{}}]"#,
            &["mounts HostConfig.Mounts[0] volume:v"],
        ),
        (r#""Mounts":[{"Type":"volume","Target":"/x"}]"#, &[]),
        (
            r#""Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"overlay","o":"lowerdir=/etc:/tmp"}}}}]"#,
            &[
                "options HostConfig.Mounts[0].VolumeOptions.DriverConfig.Options.type type=…",
                "options HostConfig.Mounts[0].VolumeOptions.DriverConfig.Options.o o=…",
            ],
        ),
        (
            r#""Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{"Name":"nfs"}}}]"#,
            &["driver HostConfig.Mounts[0].VolumeOptions.DriverConfig.Name nfs"],
        ),
        (
            r#""Mounts":[{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"SizeBytes":1,"Options":[["noexec"]]}}]"#,
            &["mounts HostConfig.Mounts[0] tmpfs"],
        ),
        (
            r#""Mounts":[{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"Options":[["mpol","bind:0"]]}}]"#,
            &["mounts HostConfig.Mounts[0] tmpfs:any"],
        ),
        (
            r#""Mounts":[{"Type":"image","Source":"alpine","Target":"/x"}]"#,
            &["mounts HostConfig.Mounts[0] image:alpine"],
        ),
        (
            r#""Mounts":[{"Type":"cluster","Source":"c","Target":"/x","ClusterOptions":{}}]"#,
            &["mounts HostConfig.Mounts[0] cluster:c"],
        ),
        (
            r#""Tmpfs":{"/t":"rw,size=1m,noexec","/u":"","/v":"exec"}"#,
            &[
                "mounts HostConfig.Tmpfs./t tmpfs",
                "mounts HostConfig.Tmpfs./u tmpfs",
                "mounts HostConfig.Tmpfs./v tmpfs:any",
            ],
        ),
        (
            r#""VolumesFrom":["web:ro"]"#,
            &["volumes_from HostConfig.VolumesFrom[0] web:ro"],
        ),
        (
            r#""VolumeDriver":"nfs""#,
            &["driver HostConfig.VolumeDriver nfs"],
        ),
        (r#""VolumeDriver":"local""#, &[]),
    ]);
    assert_all(
        ContainerCreate,
        &[
            (r#"{"Volumes":{"/data":{},"/x":null}}"#, &[]),
            // An anonymous volume to Docker, a bind of `/` to Podman.
            (
                r#"{"Volumes":{"/:/host":{}}}"#,
                &["mounts Volumes./:/host /"],
            ),
        ],
    );
}

#[test]
fn mounts_that_could_be_read_in_two_ways_are_bad() {
    for inside in [
        r#""Binds":["etc/x:/x"]"#,
        r#""Binds":["./x:/x"]"#,
        r#""Binds":["../x:/x"]"#,
        r#""Binds":["~/x:/x"]"#,
        r#""Binds":[":/x"]"#,
        r#""Binds":["data"]"#,
        r#""Binds":[""]"#,
        r#""Binds":["/etc:x"]"#,
        r#""Binds":["/etc:ro"]"#,
        r#""Binds":["/etc:/x:ro:z"]"#,
        r#""Binds":["/etc:/x:ro,rw"]"#,
        r#""Binds":[null]"#,
        r#""Binds":["é:/x"]"#,
        r#""Mounts":[{"Source":"/etc","Target":"/x"}]"#,
        r#""Mounts":[{"Type":"Bind","Source":"/etc","Target":"/x"}]"#,
        r#""Mounts":[{"Type":"bind","Source":"etc","Target":"/x"}]"#,
        r#""Mounts":[{"Type":"bind","Target":"/x"}]"#,
        r#""Mounts":[{"Type":"volume","Source":"/etc","Target":"/x"}]"#,
        r#""Mounts":[{"Type":"npipe","Source":"x","Target":"/x"}]"#,
        r#""Mounts":[null]"#,
    ] {
        let body = format!("{{\"HostConfig\":{{{inside}}}}}");
        let found = summary(ContainerCreate, &body);
        assert!(
            found.len() == 1 && found[0].starts_with("bad: HostConfig."),
            "{body} {found:?}"
        );
    }
}

#[test]
fn namespaces_and_networks_are_judged_by_what_docker_would_take() {
    assert_host(&[
        (r#""NetworkMode":"default""#, &[]),
        (r#""NetworkMode":"""#, &[]),
        (r#""NetworkMode":"bridge""#, &[]),
        (r#""NetworkMode":"none""#, &[]),
        (
            r#""NetworkMode":"host""#,
            &["network HostConfig.NetworkMode host"],
        ),
        (
            r#""NetworkMode":"container:web""#,
            &["network HostConfig.NetworkMode container:web"],
        ),
        (
            r#""NetworkMode":"proj_n""#,
            &["network HostConfig.NetworkMode proj_n"],
        ),
        (r#""PidMode":"host""#, &["pid HostConfig.PidMode host"]),
        (r#""PidMode":"""#, &[]),
        (r#""IpcMode":"host""#, &["ipc HostConfig.IpcMode host"]),
        (r#""IpcMode":"shareable""#, &[]),
        (r#""IpcMode":"none""#, &[]),
        (r#""UTSMode":"host""#, &["uts HostConfig.UTSMode host"]),
        (
            r#""UsernsMode":"host""#,
            &["userns HostConfig.UsernsMode host"],
        ),
        (
            r#""CgroupnsMode":"host""#,
            &["cgroupns HostConfig.CgroupnsMode host"],
        ),
        (r#""CgroupnsMode":"private""#, &[]),
        (
            r#""CgroupParent":"/x""#,
            &["cgroup_parent HostConfig.CgroupParent /x"],
        ),
        (r#""Runtime":"runc""#, &[]),
        (r#""Runtime":"kata""#, &["runtime HostConfig.Runtime kata"]),
        (r#""Links":["db:db"]"#, &["links HostConfig.Links[0] db:db"]),
    ]);
    assert_all(
        ContainerCreate,
        &[
            (
                r#"{"NetworkingConfig":{"EndpointsConfig":{"default":{"Links":[],"DriverOpts":{},"NetworkID":"","Aliases":["x"],"MacAddress":"02:42:ac:11:00:02","GwPriority":1,"IPAMConfig":{"IPv4Address":"1.2.3.4"}},"bridge":null}}}"#,
                &[],
            ),
            (
                r#"{"NetworkingConfig":{"EndpointsConfig":{"proj_n":{"Links":["a:b"],"DriverOpts":{"k":"v"}}}}}"#,
                &[
                    "links NetworkingConfig.EndpointsConfig.proj_n.Links[0] a:b",
                    "endpoint NetworkingConfig.EndpointsConfig.proj_n.DriverOpts.k k=…",
                    "network NetworkingConfig.EndpointsConfig.proj_n proj_n",
                ],
            ),
            (
                r#"{"NetworkingConfig":{"EndpointsConfig":{"bridge":{"NetworkID":"abc"}}}}"#,
                &["Closed NetworkingConfig.EndpointsConfig.*.NetworkID"],
            ),
            (
                r#"{"HostConfig":{"NetworkMode":"none"},"NetworkingConfig":{"EndpointsConfig":{"bridge":{}}}}"#,
                &["network NetworkingConfig.EndpointsConfig.bridge bridge"],
            ),
            (
                r#"{"NetworkingConfig":{"EndpointsConfig":{"bridge":{}}},"HostConfig":{"NetworkMode":"none"}}"#,
                &["network NetworkingConfig.EndpointsConfig.bridge bridge"],
            ),
            (
                r#"{"HostConfig":{"NetworkMode":"none"},"NetworkingConfig":{"EndpointsConfig":{"none":{},"default":{}}}}"#,
                &[],
            ),
        ],
    );
}

#[test]
fn what_concerns_the_kernel_is_a_power_of_its_own() {
    assert_host(&[
        (
            r#""Privileged":true"#,
            &[
                "privileged HostConfig.Privileged gives every capability and every device, unconfined: root on the host",
            ],
        ),
        (r#""Privileged":false"#, &[]),
        (
            r#""CapAdd":["cap_net_admin","ALL"]"#,
            &[
                "capabilities HostConfig.CapAdd[0] NET_ADMIN",
                "capabilities HostConfig.CapAdd[1] ALL",
            ],
        ),
        (
            r#""Capabilities":["SYS_ADMIN"]"#,
            &["capabilities HostConfig.Capabilities[0] SYS_ADMIN"],
        ),
        (r#""CapDrop":["ALL"]"#, &[]),
        (
            r#""Devices":[{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"}]"#,
            &["devices HostConfig.Devices[0] /dev/fuse"],
        ),
        (
            r#""DeviceCgroupRules":["c 1:3 rwm"]"#,
            &["device_rules HostConfig.DeviceCgroupRules[0] c 1:3 rwm"],
        ),
        (
            r#""DeviceRequests":[{"Count":-1,"Capabilities":[["gpu"]]}]"#,
            &["gpus HostConfig.DeviceRequests[0] uses the host's graphics devices"],
        ),
        (
            r#""DeviceRequests":[{"Driver":"cdi","DeviceIDs":["vendor.com/disk=all"]}]"#,
            &["devices HostConfig.DeviceRequests[0] cdi:vendor.com/disk=all"],
        ),
        (
            r#""DeviceRequests":[{"Capabilities":[["gpu"],["disk"]]}]"#,
            &["devices HostConfig.DeviceRequests[0] :"],
        ),
        (
            r#""SecurityOpt":["no-new-privileges","no-new-privileges:true","no-new-privileges=true"]"#,
            &[],
        ),
        (
            r#""SecurityOpt":["seccomp:unconfined","label=type:x","apparmor=unconfined","disable","no-new-privileges=false"]"#,
            &[
                "security_opt HostConfig.SecurityOpt[0] seccomp=unconfined",
                "security_opt HostConfig.SecurityOpt[1] label=type:x",
                "security_opt HostConfig.SecurityOpt[2] apparmor=unconfined",
                "security_opt HostConfig.SecurityOpt[3] disable=",
                "security_opt HostConfig.SecurityOpt[4] no-new-privileges=false",
            ],
        ),
        (
            r#""Sysctls":{"net.ipv4.ip_forward":"1"}"#,
            &["sysctls HostConfig.Sysctls.net.ipv4.ip_forward net.ipv4.ip_forward=1"],
        ),
        (
            r#""GroupAdd":["docker"]"#,
            &["groups HostConfig.GroupAdd[0] docker"],
        ),
        (
            r#""MaskedPaths":[]"#,
            &[
                "unmask_paths HostConfig.MaskedPaths opens parts of /proc and /sys that Docker hides or makes read-only",
            ],
        ),
        (
            r#""ReadonlyPaths":["/proc/bus"]"#,
            &[
                "unmask_paths HostConfig.ReadonlyPaths opens parts of /proc and /sys that Docker hides or makes read-only",
            ],
        ),
        (
            r#""MaskedPaths":null,"ReadonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger","/proc/new"]"#,
            &[],
        ),
        (
            r#""OomKillDisable":true"#,
            &[
                "oom HostConfig.OomKillDisable keeps the kernel from ending the container when memory runs out",
            ],
        ),
        (
            r#""Annotations":{"a":"b"}"#,
            &["annotations HostConfig.Annotations.a a=…"],
        ),
        (
            r#""StorageOpt":{"size":"1G"}"#,
            &["storage HostConfig.StorageOpt.size size=1G"],
        ),
        (
            r#""Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}]"#,
            &["ulimits HostConfig.Ulimits[0] nofile=1:2"],
        ),
        (
            r#""LogConfig":{"Type":"syslog"}"#,
            &["log_driver HostConfig.LogConfig syslog"],
        ),
        (
            r#""LogConfig":{"Type":"json-file","Config":{"max-size":"1m"}}"#,
            &[],
        ),
        (
            r#""LogConfig":{"Type":"json-file","Config":{"new-option":"1m"}}"#,
            &["log_driver HostConfig.LogConfig json-file"],
        ),
    ]);
}

#[test]
fn more_than_the_default_share_is_a_power() {
    assert_host(&[
        (r#""ShmSize":67108864"#, &[]),
        (
            r#""ShmSize":67108865"#,
            &["resources HostConfig.ShmSize ShmSize"],
        ),
        (r#""OomScoreAdj":1"#, &[]),
        (
            r#""OomScoreAdj":-1"#,
            &["resources HostConfig.OomScoreAdj OomScoreAdj"],
        ),
        (
            r#""CpuRealtimeRuntime":1"#,
            &["resources HostConfig.CpuRealtimeRuntime CpuRealtimeRuntime"],
        ),
        (
            r#""BlkioWeightDevice":[{"Path":"/dev/sda","Weight":1}]"#,
            &["resources HostConfig.BlkioWeightDevice BlkioDevice"],
        ),
        (
            r#""PidsLimit":-1,"Memory":-5,"NanoCPUs":3,"MemorySwappiness":-1"#,
            &[],
        ),
    ]);
}

#[test]
fn ports_of_the_host_are_a_power() {
    assert_host(&[
        (r#""PortBindings":{"80/tcp":null,"81/tcp":[]}"#, &[]),
        (
            r#""PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},{"HostPort":""}],"53/udp":[{"HostPort":"50-60"}]}"#,
            &[
                "publish HostConfig.PortBindings.80/tcp[0] 127.0.0.1:8080/tcp",
                "publish HostConfig.PortBindings.80/tcp[1] *:0/tcp",
                "publish HostConfig.PortBindings.53/udp[0] *:50-60/udp",
            ],
        ),
        (
            r#""PublishAllPorts":true"#,
            &["publish HostConfig.PublishAllPorts *:0/tcp"],
        ),
        (
            r#""PortBindings":{"80/tcp":[{"HostPort":"0x50"}]}"#,
            &[
                "bad: HostConfig.PortBindings.80/tcp[0] cannot be read: a host port is a number, a range, or empty",
            ],
        ),
        (
            r#""PortBindings":{"80/tcp":[{"HostPort":8080}]}"#,
            &["bad: HostConfig.PortBindings.80/tcp[0].HostPort must be a string, not a number"],
        ),
    ]);
}

#[test]
fn what_is_in_no_table_is_named() {
    assert_all(
        ContainerCreate,
        &[
            (r#"{"NewThing":1}"#, &["Unknown NewThing"]),
            (r#"{"NewThing":null,"hostconfig":null}"#, &[]),
            (
                r#"{"hostconfig":{"PRIVILEGED":true}}"#,
                &["Spelling(\"HostConfig\") hostconfig"],
            ),
            (
                r#"{"HostConfig":{"privileged":true}}"#,
                &["Spelling(\"Privileged\") HostConfig.privileged"],
            ),
            (
                r#"{"HostConfig":{"Bind\u017f":["/:/h"]}}"#,
                &["Spelling(\"Binds\") HostConfig.Bindſ"],
            ),
            (
                r#"{"HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/x","New":1}]}}"#,
                &[
                    "mounts HostConfig.Mounts[0] tmpfs",
                    "Unknown HostConfig.Mounts[].New",
                ],
            ),
            (
                r#"{"HostConfig":{"ContainerIDFile":"/x","InitPath":"/sbin/x","Cgroup":"container:x"}}"#,
                &[
                    "Closed HostConfig.ContainerIDFile",
                    "Closed HostConfig.InitPath",
                    "Closed HostConfig.Cgroup",
                ],
            ),
            (
                r#"{"name":"x","authConfig":{"a":1},"PortSpecs":["1"]}"#,
                &[],
            ),
        ],
    );
}

#[test]
fn host_config_fields_at_the_top_level_are_refused_unless_empty() {
    assert_all(
        ContainerCreate,
        &[
            (r#"{"Privileged":true}"#, &["TopLevel Privileged"]),
            (r#"{"Binds":["/:/h"]}"#, &["TopLevel Binds"]),
            (r#"{"binds":[]}"#, &["TopLevel binds"]),
            (r#"{"VolumesFrom":[],"Privileged":false,"Memory":0}"#, &[]),
            (r#"{"Memory":5}"#, &["TopLevel Memory"]),
        ],
    );
}

#[test]
fn a_field_of_another_kind_is_bad() {
    for (body, expected) in [
        ("[]", "bad: the body is not a JSON object"),
        ("null", "bad: the body is not a JSON object"),
        ("{} {}", "bad: something follows the JSON value at byte 3"),
        (
            r#"{"Image":"a","Image":"b"}"#,
            "bad: a key is written twice (`Image`) at byte 0",
        ),
        (
            r#"{"Cmd":"ls"}"#,
            "bad: Cmd must be a list of strings, not a string",
        ),
        (
            r#"{"HostConfig":{"CapAdd":"ALL"}}"#,
            "bad: HostConfig.CapAdd must be a list of strings, not a string",
        ),
        (
            r#"{"HostConfig":[]}"#,
            "bad: HostConfig must be an object, not a list",
        ),
        (
            r#"{"HostConfig":{"Memory":1.5}}"#,
            "bad: HostConfig.Memory must be an integer, not a number",
        ),
        (
            r#"{"HostConfig":{"Privileged":"true"}}"#,
            "bad: HostConfig.Privileged must be a boolean, not a string",
        ),
        (
            r#"{"HostConfig":{"Isolation":"hyperv"}}"#,
            "bad: HostConfig.Isolation cannot be read: only `default` is isolation that Linux has",
        ),
    ] {
        assert_eq!(summary(ContainerCreate, body), [expected], "{body}");
    }
}

#[test]
fn execs() {
    assert_all(
        ContainerExec,
        &[
            (
                r#"{"Cmd":["ls"],"User":"","Env":null,"WorkingDir":"","detachKeys":"","Container":"web","Detach":true}"#,
                &[],
            ),
            (
                r#"{"Privileged":true,"User":"00:0","Env":["A=secret"],"WorkingDir":"/x"}"#,
                &[
                    "privileged Privileged gives every capability and every device, unconfined: root on the host",
                    "user User 0:0",
                    "env Env[0] A=…",
                    "workdir WorkingDir /x",
                ],
            ),
            (r#"{"New":true}"#, &["Unknown New"]),
        ],
    );
    assert_all(
        ExecStart,
        &[
            ("", &[]),
            ("{}", &[]),
            (
                r#"{"Detach":false,"Tty":true,"ConsoleSize":[24,80],"hijack":true,"stdin":true}"#,
                &[],
            ),
            (r#"{"Privileged":true}"#, &["Unknown Privileged"]),
        ],
    );
    let detached = Payload::parse(ExecStart, br#"{"Detach":true}"#).unwrap();
    assert!(detached.body().unwrap().profile.detaches);
}

#[test]
fn updates_may_change_limits_but_not_devices() {
    assert_all(
        ContainerUpdate,
        &[
            (
                r#"{"Memory":1,"MemorySwap":-1,"RestartPolicy":{"Name":"always","MaximumRetryCount":0},"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1}]}"#,
                &[],
            ),
            (
                r#"{"Devices":[{"PathOnHost":"/dev/sda"}],"DeviceCgroupRules":["a"]}"#,
                &[
                    "devices Devices[0] /dev/sda",
                    "device_rules DeviceCgroupRules[0] a",
                ],
            ),
            (r#"{"Privileged":true}"#, &["Unknown Privileged"]),
            (r#"{"OomKillDisable":true}"#, &["Closed OomKillDisable"]),
            (r#"{"OomKillDisable":false}"#, &[]),
        ],
    );
}

#[test]
fn networks() {
    assert_all(
        NetworkCreate,
        &[
            (
                r#"{"Name":"n","CheckDuplicate":true,"Driver":"","IPAM":{"Driver":"default","Config":[],"Options":{}},"Attachable":true,"Internal":true,"ConfigFrom":null,"Scope":"","Labels":{"a":"b"}}"#,
                &[],
            ),
            (
                r#"{"Driver":"macvlan","Options":{"parent":"eth0"},"IPAM":{"Driver":"x","Config":[{"Subnet":"10.0.0.0/8","AuxiliaryAddresses":{"a":"10.0.0.2"}}]},"ConfigOnly":true,"ConfigFrom":{"Network":"c"},"Scope":"swarm"}"#,
                &[
                    "driver Driver macvlan",
                    "options Options.parent parent=…",
                    "options IPAM.Driver ipam=…",
                    "subnets IPAM.Config[0] 10.0.0.0/8",
                    "config ConfigOnly makes or uses the configuration of another network",
                    "config ConfigFrom c",
                    "scope Scope swarm",
                ],
            ),
        ],
    );
    assert_all(
        NetworkConnect,
        &[
            (
                r#"{"Container":"c","EndpointConfig":{"Aliases":["x"],"IPAMConfig":{},"NetworkID":""}}"#,
                &[],
            ),
            (
                r#"{"Container":"c","EndpointConfig":{"Links":["a"],"DriverOpts":{"k":"v"},"NetworkID":"abc"}}"#,
                &[
                    "endpoint EndpointConfig.Links[0] a=…",
                    "endpoint EndpointConfig.DriverOpts.k k=…",
                    "Closed EndpointConfig.NetworkID",
                ],
            ),
        ],
    );
    assert_all(
        NetworkDisconnect,
        &[(r#"{"Container":"c","Force":true}"#, &[])],
    );
}

#[test]
fn a_connect_under_the_full_id_differs_in_nothing_else() {
    let id = "0f".repeat(32);
    for (body, expected) in [
        (
            r#"{"Container":"web","EndpointConfig":{"Aliases":["web"]}}"#,
            Some(r#"{"Container":"@","EndpointConfig":{"Aliases":["web"]}}"#),
        ),
        (
            "{\n\t\"Force\": true, \"Container\" :\"\\/web\"\n} ",
            Some("{\n\t\"Force\": true, \"Container\" :\"@\"\n} "),
        ),
        (r#"{"Container":""}"#, Some(r#"{"Container":"@"}"#)),
        ("{}", None),
    ] {
        let settled = connecting(body.as_bytes(), &id);
        let expected = expected.map(|text| text.replace('@', &id).into_bytes());
        assert_eq!(settled, expected, "{body}");
        for operation in [NetworkConnect, NetworkDisconnect] {
            let Some(Payload::Read(read)) = settled.as_deref().map(|b| Payload::read(operation, b))
            else {
                continue;
            };
            assert_eq!(read.profile.container.as_deref(), Some(&*id));
        }
    }
    for no_id in ["", "a\"b", "/web"] {
        assert_eq!(
            connecting(br#"{"Container":"web"}"#, no_id),
            None,
            "{no_id}"
        );
    }
}

#[test]
fn volumes() {
    assert_all(
        VolumeCreate,
        &[
            (
                r#"{"Name":"v","Driver":"local","DriverOpts":{},"Labels":{}}"#,
                &[],
            ),
            (r#"{"Name":"v","Driver":"","DriverOpts":null}"#, &[]),
            (r#"{"name":"v"}"#, &[]),
            (
                r#"{"name":"v","driver":"nfs"}"#,
                &["Spelling(\"Driver\") driver"],
            ),
            (
                r#"{"Name":"v","name":"w"}"#,
                &[
                    "bad: two keys are the same field to Docker, which ignores case (`Name`) at byte 0",
                ],
            ),
            (
                r#"{"Driver":"nfs","DriverOpts":{"type":"none","o":"bind","device":"/etc"},"ClusterVolumeSpec":{"Group":"g"}}"#,
                &[
                    "driver Driver nfs",
                    "options DriverOpts.type type=…",
                    "options DriverOpts.o o=…",
                    "options DriverOpts.device device=…",
                    "driver ClusterVolumeSpec cluster",
                ],
            ),
        ],
    );
}

#[test]
fn services() {
    assert_all(
        ServiceCreate,
        &[
            (
                r#"{"Name":"s","TaskTemplate":{"ContainerSpec":{"Image":"a","Args":["x"],"DNSConfig":{}},"Placement":{"Platforms":[{"OS":"linux"}]},"Resources":{"Limits":{"NanoCPUs":1}},"Runtime":"container"},"Mode":{"Replicated":{"Replicas":2}},"UpdateConfig":{"MaxFailureRatio":0.5},"EndpointSpec":{"Mode":"vip"}}"#,
                &[],
            ),
            (
                r#"{"TaskTemplate":{"PluginSpec":{"Name":"x"},"NetworkAttachmentSpec":{"ContainerID":"c"}}}"#,
                &[
                    "Closed TaskTemplate.PluginSpec",
                    "Closed TaskTemplate.NetworkAttachmentSpec",
                ],
            ),
            (
                r#"{"TaskTemplate":{"Runtime":"plugin"}}"#,
                &[
                    "bad: TaskTemplate.Runtime cannot be read: only `container` is a runtime that is described",
                ],
            ),
            (
                r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"bind","Source":"/","Target":"/h"}],"CapabilityAdd":["ALL"],"Secrets":[{"SecretID":"id","SecretName":"n"}],"Privileges":{"Seccomp":{"Mode":"unconfined"},"AppArmor":{"Mode":"default"},"SELinuxContext":{"Disable":true},"NoNewPrivileges":true}},"Networks":[{"Target":"net"}],"Placement":{"Constraints":["node.role==manager"]},"LogDriver":{"Name":"syslog"}},"Mode":{"Global":{}},"EndpointSpec":{"Ports":[{"TargetPort":80,"PublishedPort":8080}]}}"#,
                &[
                    "mounts TaskTemplate.ContainerSpec.Mounts[0] /",
                    "capabilities TaskTemplate.ContainerSpec.CapabilityAdd[0] ALL",
                    "mounts TaskTemplate.ContainerSpec.Secrets[0] secret:n:ro",
                    "mounts TaskTemplate.ContainerSpec.Secrets[0] secret:id:ro",
                    "security_opt TaskTemplate.ContainerSpec.Privileges.Seccomp seccomp=unconfined",
                    "security_opt TaskTemplate.ContainerSpec.Privileges.SELinuxContext label=disable:true",
                    "network TaskTemplate.Networks[0] net",
                    "placement TaskTemplate.Placement.Constraints[0] node.role==manager",
                    "log_driver TaskTemplate.LogDriver syslog",
                    "mode Mode global",
                    "publish EndpointSpec.Ports[0] *:8080/tcp",
                ],
            ),
        ],
    );
}

#[test]
fn absent_fields_are_noted_as_dockers_default() {
    let payload = Payload::parse(ContainerCreate, b"{}").unwrap();
    let body = payload.body().unwrap();

    assert!(body.uses.iter().all(|one| one.rests && one.absent));
    let network = body.uses.iter().find(|one| one.power == Power::Network);
    assert_eq!(network.unwrap().what, What::Text("bridge".into()));
    for power in [
        Power::Pid,
        Power::Ipc,
        Power::Uts,
        Power::Userns,
        Power::Cgroupns,
        Power::Runtime,
    ] {
        assert_eq!(
            body.uses.iter().filter(|one| one.power == power).count(),
            1,
            "{power:?}"
        );
    }
}

#[test]
fn the_profile_says_what_is_made() {
    let body = br#"{"Image":"alpine:3","User":"007:00","Entrypoint":["a"],"Cmd":["b","c"],
        "Healthcheck":{"Test":["CMD","x"]},"Labels":{"k":"v","e":null},"HostConfig":{"Memory":1,
        "PidsLimit":5,"NanoCpus":1,"ReadonlyRootfs":true,"SecurityOpt":["no-new-privileges"],
        "CapDrop":["cap_all"],"Init":true}}"#;
    let payload = Payload::parse(ContainerCreate, body).unwrap();
    let profile = &payload.body().unwrap().profile;

    assert_eq!(profile.image.as_deref(), Some("alpine:3"));
    assert_eq!(profile.user.as_deref(), Some("7:0"));
    assert_eq!(profile.command().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(
        profile.labels,
        [("k".into(), "v".into()), ("e".into(), "".into())]
    );
    assert!(profile.second_command && profile.limits_memory && profile.limits_pids);
    assert!(profile.limits_cpus && profile.read_only && profile.no_new_privileges);
    assert!(profile.drops_all && profile.init && !profile.detaches);
    let payload = Payload::parse(ContainerCreate, b"{}").unwrap();
    assert_eq!(payload.body().unwrap().profile, Profile::default());
}

#[test]
fn other_operations_have_no_body_or_an_opaque_one() {
    assert_eq!(
        Payload::parse(Operation::ContainerList, b"x"),
        Ok(Payload::None)
    );
    assert_eq!(
        Payload::parse(Operation::ContainerStart, b""),
        Ok(Payload::None)
    );
    assert_eq!(
        Payload::parse(Operation::SwarmInit, b"{}"),
        Ok(Payload::Opaque)
    );
    assert!(is_described(ContainerCreate) && !is_described(Operation::SwarmInit));
}

#[test]
fn what_is_noted_of_a_body_is_bounded() {
    let binds = |count| {
        format!(
            r#"{{"HostConfig":{{"Binds":[{}"v:/x"]}}}}"#,
            r#""v:/x","#.repeat(count)
        )
    };
    let fields = |count: usize| {
        let fields: Vec<_> = (0..count).map(|n| format!("\"x{n}\":1")).collect();
        format!("{{{}}}", fields.join(","))
    };
    let expected = ["bad: the body cannot be read: it asks for more than can be judged"];

    assert_eq!(summary(ContainerCreate, &binds(4095)).len(), 4096);
    assert_eq!(summary(ContainerCreate, &binds(4096)), expected);
    assert_eq!(summary(ContainerCreate, &fields(4096)).len(), 4096);
    assert_eq!(summary(ContainerCreate, &fields(4097)), expected);
}

#[test]
fn tables_have_room_and_no_two_rows_of_one_name() {
    for operation in Operation::ALL.iter().filter(|o| is_described(**o)) {
        let mut places: Vec<_> = fields(*operation).into_iter().map(|f| f.place).collect();
        let count = places.len();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), count, "{}", operation.name());
        assert!(table(*operation).unwrap().rows.len() <= 128);
    }
    assert!(host_config::HOST_CONFIG.rows.len() <= 128);
}

#[test]
fn every_object_is_read_field_by_field_or_must_be_empty() {
    fn check(table: &'static Table) {
        use table::{Class, Kind};
        for row in table.rows {
            let holds_objects = matches!(
                row.kind,
                Kind::Object | Kind::Objects | Kind::ObjectMap | Kind::ObjectsMap
            );
            // A volume of the cluster is a use of a driver as a whole.
            let whole = matches!(row.class, Class::Closed) || row.name == "ClusterVolumeSpec";
            assert_eq!(
                holds_objects && !whole,
                row.fields.is_some(),
                "{}",
                row.name
            );
            row.fields.into_iter().for_each(check);
        }
    }
    for (_, table) in &DESCRIBED {
        check(table);
    }
}

#[test]
fn every_field_of_dockers_documents_is_in_a_table() {
    let mut missing = Vec::new();
    for line in include_str!("../../../tests/data/fields.txt").lines() {
        let mut words = line.split(' ');
        let operation = Operation::find(words.next().unwrap()).unwrap();
        let place = words.next().unwrap();
        let since: u16 = words.next().unwrap().parse().unwrap();
        let place = place.replace("NanoCPUs", "NanoCpus");
        let same = |other: &str| json::same_folded(&other.replace("NanoCPUs", "NanoCpus"), &place);
        let known = fields(operation).into_iter().find(|f| same(&f.place));
        match known {
            Some(known) if known.since <= since => {}
            other => missing.push(format!("{line}: {other:?}")),
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// A value is never part of what is shown where it may be a secret.
#[test]
fn secrets_are_not_shown() {
    let body = r#"{"Env":["PASSWORD=hunter2"],"User":"x"}"#;

    assert!(!summary(ContainerExec, body).concat().contains("hunter2"));
    assert!(Value::Null.is_null());
}
