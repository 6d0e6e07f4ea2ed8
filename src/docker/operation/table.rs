//! The table: every operation of the Engine API, one row each, grouped by the first path segment.
//!
//! Sources: moby `api/swagger.yaml` 1.56 for names, and the code of the routers at 20.10, 28.5 and
//! 1.56 for what is really routed and really read (`daemon/server/router`, formerly
//! `api/server/router`). Columns:
//!
//! name · method · path · API version (`1.4-1.24`: removed in 1.24) · effect · stream · body · risk ·
//! what a plain grant amounts to · the query keys that the code reads.
//!
//! A key's `since` is the API version below which Docker ignores it. A key is a `power` when it
//! hands out more than its operation: the list holds the harmless values, the text says what any
//! other value gives away. Keys that only choose *which* object or *how much* are not powers; a rule
//! narrows them by a condition.
//!
//! Booleans are dockerd's, see `query::truthy`. A few keys that choose details (`verbose`, `status`,
//! `insertDefaults`, `rotate…`) are read by Go's `strconv.ParseBool` instead, which answers 400 to most
//! other words; the only word that both accept and read differently is `f`, true here and false there.

use super::query_key::{Blank, filters, flag, int, json, path, signal, text};
use super::{BodyKind, Effect, Method, Risk, Row, Stream, Template};
use crate::docker::ApiVersion;

macro_rules! operations {
    ($($family:literal => { $(
        $name:ident $method:ident $path:literal $versions:literal
        $effect:ident $stream:ident $body:ident $risk:ident
        $reason:literal [$($key:expr),* $(,)?];
    )* })*) => {
        /// One operation of the Engine API, by Docker's own operation id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are Docker's own; the table says the rest")]
        pub enum Operation { $($($name,)*)* }

        impl Operation {
            /// All operations, in the order of the table.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)*)*];

            /// The operations whose path begins with `/{segment}`.
            pub(in crate::docker) fn family(segment: &str) -> &'static [Self] {
                match segment {
                    $($family => &[$(Self::$name,)*],)*
                    _ => &[],
                }
            }

            /// Its row.
            pub(super) fn row(self) -> &'static Row {
                match self { $($(Self::$name => const { &Row {
                    name: stringify!($name),
                    method: Method::$method,
                    template: Template::new($path),
                    since: versions($versions).0,
                    removed: versions($versions).1,
                    effect: Effect::$effect,
                    stream: Stream::$stream,
                    body: BodyKind::$body,
                    risk: Risk::$risk,
                    reason: $reason,
                    query: &[$($key),*],
                } },)*)* }
            }
        }
    };
}

operations! {
    "containers" => {
        ContainerList            Get    "/containers/json"                          "1.0"  Read   Plain None   LeaksSecrets
            "labels, command lines, mounts and networks of every container"
            [flag("all"), int("limit"), flag("size"), filters(), text("since"), text("before")];
        ContainerCreate          Post   "/containers/create"                        "1.0"  Change Plain Json   ChangesState
            "makes containers of any image, command and environment, without power over the host"
            [text("name"), text("platform").since("1.41")];
        ContainerInspect         Get    "/containers/{id}/json"                     "1.0"  Read   Plain None   LeaksSecrets
            "environment (passwords), labels, mounts and host paths of any container"
            [flag("size")];
        ContainerTop             Get    "/containers/{id}/top"                      "1.3"  Read   Plain None   LeaksSecrets
            "process command lines often hold secrets" [
                text("ps_args").default("-ef").power(&["", "-ef", "aux"],
                    "becomes the arguments of `ps`, run as root on the host; some print environments"),
            ];
        ContainerLogs            Get    "/containers/{id}/logs"                     "1.11" Read   Down  None   LeaksSecrets
            "whatever applications write to their logs" [
                flag("follow"), flag("stdout"), flag("stderr"), text("since"),
                text("until"), flag("timestamps"), text("tail").default("all"),
                flag("details"), text("format").since("1.54"),
            ];
        ContainerChanges         Get    "/containers/{id}/changes"                  "1.0"  Read   Plain None   SafeRead
            "names of changed files only" [];
        ContainerExport          Get    "/containers/{id}/export"                   "1.0"  Read   Down  None   LeaksSecrets
            "the whole file system of any container" [];
        ContainerStats           Get    "/containers/{id}/stats"                    "1.17" Read   Down  None   SafeRead
            "resource counters" [flag("stream").default("true"), flag("one-shot").since("1.41")];
        ContainerResize          Post   "/containers/{id}/resize"                   "1.16" Change Plain None   ChangesState
            "the size of a terminal, nothing else" [int("h"), int("w")];
        ContainerStart           Post   "/containers/{id}/start"                    "1.0"  Change Plain None   ChangesState
            "starts a container that exists, with whatever rights it was created with" [
                text("detachKeys"),
                text("checkpoint").power(&[""],
                    "restores a memory image instead of starting the container's command"),
                text("checkpoint-dir").power(&[""],
                    "names a directory of the host that Docker reads as root"),
            ];
        ContainerStop            Post   "/containers/{id}/stop"                     "1.0"  Change Plain None   ChangesState
            "stops any container" [signal("signal").since("1.42"), int("t")];
        ContainerRestart         Post   "/containers/{id}/restart"                  "1.0"  Change Plain None   ChangesState
            "restarts any container" [signal("signal").since("1.42"), int("t")];
        ContainerKill            Post   "/containers/{id}/kill"                     "1.0"  Change Plain None   ChangesState
            "sends any signal to the first process of any container"
            [signal("signal").default("KILL")];
        ContainerUpdate          Post   "/containers/{id}/update"                   "1.22" Change Plain Json   ChangesState
            "changes resource limits and restart policy of any container" [];
        ContainerRename          Post   "/containers/{id}/rename"                   "1.17" Change Plain None   ChangesState
            "a container can take a name that others trust" [text("name")];
        ContainerPause           Post   "/containers/{id}/pause"                    "1.12" Change Plain None   ChangesState
            "freezes any container" [];
        ContainerUnpause         Post   "/containers/{id}/unpause"                  "1.12" Change Plain None   ChangesState
            "resumes any container" [];
        ContainerAttach          Post   "/containers/{id}/attach"                   "1.0"  Change TCP   None   ChangesState
            "reads the output of any container and types into its first process" [
                text("detachKeys"), flag("logs"), flag("stream"), flag("stdin"), flag("stdout"),
                flag("stderr"),
            ];
        // `stdin`, `stdout` and `stderr` are not listed: below API 1.42 Docker takes all three as true,
        // whatever is written (moby `container_routes.go`, `wsContainersAttach`), so no condition on
        // them would hold.
        ContainerAttachWebsocket Get    "/containers/{id}/attach/ws"                "1.0"  Change WEBSOCKET None   ChangesState
            "a GET, yet it types into the first process of any container"
            [text("detachKeys"), flag("logs"), flag("stream")];
        ContainerWait            Post   "/containers/{id}/wait"                     "1.0"  Read   Down  None   SafeRead
            "blocks until a container stops, tells its exit code"
            [text("condition").default("not-running").since("1.30")];
        ContainerDelete          Delete "/containers/{id}"                          "1.0"  Change Plain None   ChangesState
            "deletes containers; `force` kills them, `v` deletes their anonymous volumes"
            [flag("v"), flag("force"), flag("link")];
        ContainerArchiveInfo     Head   "/containers/{id}/archive"                  "1.20" Read   Plain None   SafeRead
            "whether a path exists in a container, its size and link target" [path("path")];
        ContainerArchive         Get    "/containers/{id}/archive"                  "1.20" Read   Down  None   LeaksSecrets
            "any file of any container, mounted host files included" [path("path")];
        PutContainerArchive      Put    "/containers/{id}/archive"                  "1.20" Change Up    Stream HostRoot
            "writes any file into any container, mounted host directories included: code runs there"
            [path("path"), flag("noOverwriteDirNonDir"), flag("copyUIDGID")];
        ContainerPrune           Post   "/containers/prune"                         "1.25" Change Plain None   ChangesState
            "deletes every stopped container" [filters()];
        ContainerExec            Post   "/containers/{id}/exec"                     "1.15" Change Plain Json   HostRoot
            "prepares any command in any container, in those with power over the host too" [];
        ContainerCopy            Post   "/containers/{id}/copy"                     "1.4-1.24" Change Plain Json   LeaksSecrets
            "any file of any container; only engines that still speak API 1.23 have it" [];
        CheckpointList           Get    "/containers/{id}/checkpoints"              "1.25" Read   Plain None   SafeRead
            "names of checkpoints" [
                text("dir").power(&[""],
                    "names a directory of the host that Docker reads as root"),
            ];
        CheckpointCreate         Post   "/containers/{id}/checkpoints"              "1.25" Change Plain Json   HostRoot
            "writes the memory of a container into any directory of the host" [];
        CheckpointDelete         Delete "/containers/{id}/checkpoints/{checkpoint}" "1.25" Change Plain None   ChangesState
            "deletes checkpoints" [
                text("dir").power(&[""],
                    "names a directory of the host in which Docker deletes as root"),
            ];
    }
    "exec" => {
        ExecStart   Post   "/exec/{id}/start"  "1.15" Change TCP   Json   ChangesState
            "runs a prepared command and types into it" [];
        ExecResize  Post   "/exec/{id}/resize" "1.15" Change Plain None   ChangesState
            "the size of a terminal, nothing else" [int("h"), int("w")];
        ExecInspect Get    "/exec/{id}/json"   "1.16" Read   Plain None   LeaksSecrets
            "the command line of an exec" [];
    }
    "commit" => {
        ImageCommit Post   "/commit" "1.0"  Change Plain Json   ChangesState
            "copies the file system of any container, secrets included, into an image of any name" [
                text("container"), text("repo"), text("tag"), text("comment"), text("author"),
                flag("pause").default("true").blank(Blank::Disputed), text("changes").every(),
            ];
    }
    "images" => {
        ImageList         Get    "/images/json"                "1.7"  Read   Plain None   SafeRead
            "names and labels of images" [
                flag("all"), filters(), text("filter"), flag("shared-size").since("1.42"),
                flag("digests"), flag("manifests").since("1.47"), flag("identity").since("1.54"),
            ];
        ImageCreate       Post   "/images/create"              "1.0"  Change Both  Stream ChangesState
            "pulls or imports: network access from the host, disk use, replaces any tag" [
                text("fromImage"),
                text("fromSrc").power(&[""],
                    "imports a file system as an image, from the body (`-`) or from any address Docker can reach"),
                text("repo"), text("tag"), text("message"), text("changes").every(),
                text("platform").since("1.32"),
            ];
        ImageInspect      Get    "/images/{name}/json"         "1.0"  Read   Plain None   LeaksSecrets
            "environment and labels of images can hold build secrets"
            [flag("manifests").since("1.48"), json("platform").since("1.49")];
        ImageAttestations Get    "/images/{name}/attestations" "1.55" Read   Plain None   SafeRead
            "provenance documents; they can name build arguments"
            [json("platform").every(), text("type").every(), flag("statement")];
        ImageHistory      Get    "/images/{name}/history"      "1.0"  Read   Plain None   LeaksSecrets
            "build command lines with the values of build arguments"
            [json("platform").since("1.48")];
        ImagePush         Post   "/images/{name}/push"         "1.0"  Change Down  None   LeaksSecrets
            "sends any image to any registry" [text("tag"), json("platform").since("1.46")];
        ImageTag          Post   "/images/{name}/tag"          "1.0"  Change Plain None   ChangesState
            "a replaced tag decides what runs later under that name" [text("repo"), text("tag")];
        ImageDelete       Delete "/images/{name}"              "1.0"  Change Plain None   ChangesState
            "deletes images"
            [flag("force"), flag("noprune"), json("platforms").every().since("1.50")];
        ImageSearch       Get    "/images/search"              "1.0"  Read   Plain None   SafeRead
            "Docker asks a registry, also one that the caller names"
            [text("term"), int("limit"), filters()];
        ImagePrune        Post   "/images/prune"               "1.25" Change Plain None   ChangesState
            "deletes unused images" [filters()];
        ImageGet          Get    "/images/{name}/get"          "1.7"  Read   Down  None   LeaksSecrets
            "the content of an image" [json("platform").every().since("1.48")];
        ImageGetAll       Get    "/images/get"                 "1.15" Read   Down  None   LeaksSecrets
            "the content of any images"
            [text("names").every(), json("platform").every().since("1.48")];
        ImageLoad         Post   "/images/load"                "1.7"  Change Up    Stream ChangesState
            "replaces any tag with content of the caller"
            [flag("quiet").default("true"), json("platform").every().since("1.48")];
    }
    "distribution" => {
        DistributionInspect Get    "/distribution/{name}/json" "1.30" Read   Plain None   SafeRead
            "Docker asks a registry that the caller names" [];
    }
    "build" => {
        ImageBuild  Post   "/build"        "1.0"  Change Both  Stream ChangesState
            "build steps run any command in containers, and results take over any tag" [
                text("dockerfile").default("Dockerfile"), text("t").every(), flag("q"),
                flag("nocache"), json("cachefrom"), flag("pull"),
                flag("rm").default("true").blank(Blank::Absent), flag("forcerm"), int("memory"),
                int("memswap"), int("cpushares"), text("cpusetcpus"), text("cpusetmems"),
                int("cpuperiod"), int("cpuquota"), json("buildargs"), int("shmsize"),
                flag("squash"), json("labels"), json("ulimits"), text("platform").since("1.32"),
                text("target"), text("version").default("1"), text("session"), text("buildid"),
                text("isolation"),
                text("remote").power(&[""],
                    "Docker fetches the context from this address, with the host's own network position"),
                text("networkmode").default("default").power(&["", "default", "none"],
                    "build steps join this network: `host` and `container:…` reach what the host reaches"),
                text("securityopt").every().power(&[""],
                    "loosens the sandbox of build steps"),
                text("extrahosts").every().power(&[""],
                    "redirects names inside build steps"),
                text("cgroupparent").power(&[""],
                    "moves build steps out of their limits"),
                json("outputs").since("1.40").power(&[""],
                    "sends the result somewhere else than the image store"),
            ];
        BuildPrune  Post   "/build/prune"  "1.31" Change Plain None   ChangesState
            "deletes the build cache" [
                flag("all"), filters(), int("keep-storage"), int("reserved-space").since("1.48"),
                int("max-used-space").since("1.48"), int("min-free-space").since("1.48"),
            ];
        BuildCancel Post   "/build/cancel" "1.38" Change Plain None   ChangesState
            "stops a build by its id" [text("id")];
    }
    "session" => {
        Session Post   "/session" "1.31" Change H2C   None   HostRoot
            "an opaque tunnel through which a build gets files, secrets and keys" [];
    }
    "grpc" => {
        Grpc Post   "/grpc" "1.39" Change H2C   None   HostRoot
            "an opaque tunnel to all of BuildKit; nothing in it can be judged" [];
    }
    "volumes" => {
        VolumeList    Get    "/volumes"        "1.21" Read   Plain None   LeaksSecrets
            "host paths, and driver options, which can hold passwords" [filters()];
        VolumeCreate  Post   "/volumes/create" "1.21" Change Plain Json   ChangesState
            "makes volumes of Docker's own driver, without options" [];
        VolumeInspect Get    "/volumes/{name}" "1.21" Read   Plain None   LeaksSecrets
            "host path, and driver options, which can hold passwords" [];
        VolumeUpdate  Put    "/volumes/{name}" "1.42" Change Plain Json   ChangesState
            "changes cluster volumes" [int("version")];
        VolumeDelete  Delete "/volumes/{name}" "1.21" Change Plain None   ChangesState
            "deletes data for good" [flag("force")];
        VolumePrune   Post   "/volumes/prune"  "1.25" Change Plain None   ChangesState
            "deletes the data of unused volumes for good" [filters()];
    }
    "networks" => {
        NetworkList       Get    "/networks"                 "1.21" Read   Plain None   SafeRead
            "names, addresses and members of networks" [filters()];
        NetworkInspect    Get    "/networks/{id}"            "1.21" Read   Plain None   SafeRead
            "addresses and members of a network" [flag("verbose"), text("scope")];
        NetworkDelete     Delete "/networks/{id}"            "1.21" Change Plain None   ChangesState
            "deletes networks" [];
        NetworkCreate     Post   "/networks/create"          "1.21" Change Plain Json   ChangesState
            "makes networks of the bridge driver, without options" [];
        NetworkConnect    Post   "/networks/{id}/connect"    "1.21" Change Plain Json   ChangesState
            "joins any container to any network, which ends isolation" [];
        NetworkDisconnect Post   "/networks/{id}/disconnect" "1.21" Change Plain Json   ChangesState
            "cuts any container off" [];
        NetworkPrune      Post   "/networks/prune"           "1.25" Change Plain None   ChangesState
            "deletes unused networks" [filters()];
    }
    "_ping" => {
        SystemPing     Get    "/_ping" "1.11" Read   Plain None   SafeRead
            "liveness and API version" [];
        SystemPingHead Head   "/_ping" "1.40" Read   Plain None   SafeRead
            "liveness and API version" [];
    }
    "version" => {
        SystemVersion Get    "/version" "1.0"  Read   Plain None   SafeRead
            "versions" [];
    }
    "info" => {
        SystemInfo Get    "/info" "1.0"  Read   Plain None   SafeRead
            "facts about the host; proxy settings can hold a password" [];
    }
    "events" => {
        SystemEvents Get    "/events" "1.3"  Read   Down  None   LeaksSecrets
            "names and labels of everything, command lines of every exec"
            [text("since"), text("until"), filters()];
    }
    "system" => {
        SystemDataUsage Get    "/system/df" "1.25" Read   Plain None   SafeRead
            "names, labels and sizes; expensive, because Docker walks the disk"
            [text("type").every().since("1.42"), flag("verbose").since("1.52")];
    }
    "auth" => {
        SystemAuth Post   "/auth" "1.0"  Change Plain Json   LeaksSecrets
            "checks passwords, and sends them to any registry address" [];
    }
    "swarm" => {
        SwarmInspect   Get    "/swarm"           "1.24" Read   Plain None   LeaksSecrets
            "join tokens, with which another machine takes part in the cluster" [];
        SwarmInit      Post   "/swarm/init"      "1.24" Change Plain Json   HostRoot
            "hands this host to a cluster" [];
        SwarmJoin      Post   "/swarm/join"      "1.24" Change Plain Json   HostRoot
            "hands this host to the manager of another cluster" [];
        SwarmLeave     Post   "/swarm/leave"     "1.24" Change Plain None   ChangesState
            "takes this host out of its cluster" [flag("force")];
        SwarmUpdate    Post   "/swarm/update"    "1.24" Change Plain Json   HostRoot
            "changes the cluster, its tokens and its certificate authority" [
                int("version"), flag("rotateWorkerToken"), flag("rotateManagerToken"),
                flag("rotateManagerUnlockKey"),
            ];
        SwarmUnlockkey Get    "/swarm/unlockkey" "1.25" Read   Plain None   LeaksSecrets
            "the key of the cluster store" [];
        SwarmUnlock    Post   "/swarm/unlock"    "1.25" Change Plain Json   HostRoot
            "unlocks the managers of the cluster" [];
    }
    "nodes" => {
        NodeList    Get    "/nodes"             "1.24" Read   Plain None   SafeRead
            "names, addresses and roles of the cluster" [filters()];
        NodeInspect Get    "/nodes/{id}"        "1.24" Read   Plain None   SafeRead
            "name, address and role of a node" [];
        NodeDelete  Delete "/nodes/{id}"        "1.24" Change Plain None   ChangesState
            "removes nodes from the cluster" [flag("force")];
        NodeUpdate  Post   "/nodes/{id}/update" "1.24" Change Plain Json   HostRoot
            "can promote a node to manager, and managers control every host" [int("version")];
    }
    "services" => {
        ServiceList    Get    "/services"             "1.24" Read   Plain None   LeaksSecrets
            "specifications of services, environment included"
            [filters(), flag("status").since("1.41")];
        ServiceCreate  Post   "/services/create"      "1.24" Change Plain Json   ChangesState
            "runs services of any image, command and environment, without power over the hosts" [];
        ServiceInspect Get    "/services/{id}"        "1.24" Read   Plain None   LeaksSecrets
            "specification of a service, environment included" [flag("insertDefaults")];
        ServiceDelete  Delete "/services/{id}"        "1.24" Change Plain None   ChangesState
            "deletes services" [];
        ServiceUpdate  Post   "/services/{id}/update" "1.24" Change Plain Json   ChangesState
            "turns any service into any other, without power over the hosts"
            [int("version"), text("registryAuthFrom").default("spec"), text("rollback")];
        ServiceLogs    Get    "/services/{id}/logs"   "1.25" Read   Down  None   LeaksSecrets
            "whatever services write to their logs" [
                flag("details"), flag("follow"), flag("stdout"), flag("stderr"), text("since"),
                flag("timestamps"), text("tail").default("all"),
            ];
    }
    "tasks" => {
        TaskList    Get    "/tasks"           "1.24" Read   Plain None   LeaksSecrets
            "container specifications, environment included" [filters()];
        TaskInspect Get    "/tasks/{id}"      "1.24" Read   Plain None   LeaksSecrets
            "container specification, environment included" [];
        TaskLogs    Get    "/tasks/{id}/logs" "1.29" Read   Down  None   LeaksSecrets
            "whatever tasks write to their logs" [
                flag("details"), flag("follow"), flag("stdout"), flag("stderr"), text("since"),
                flag("timestamps"), text("tail").default("all"),
            ];
    }
    "secrets" => {
        SecretList    Get    "/secrets"             "1.25" Read   Plain None   SafeRead
            "names and labels; values are never returned" [filters()];
        SecretCreate  Post   "/secrets/create"      "1.25" Change Plain Json   ChangesState
            "adds a secret" [];
        SecretInspect Get    "/secrets/{id}"        "1.25" Read   Plain None   SafeRead
            "name and labels; the value is never returned" [];
        SecretDelete  Delete "/secrets/{id}"        "1.25" Change Plain None   ChangesState
            "deletes secrets" [];
        SecretUpdate  Post   "/secrets/{id}/update" "1.26" Change Plain Json   ChangesState
            "changes the labels of a secret" [int("version")];
    }
    "configs" => {
        ConfigList    Get    "/configs"             "1.30" Read   Plain None   LeaksSecrets
            "the content of every config" [filters()];
        ConfigCreate  Post   "/configs/create"      "1.30" Change Plain Json   ChangesState
            "adds a config" [];
        ConfigInspect Get    "/configs/{id}"        "1.30" Read   Plain None   LeaksSecrets
            "the content of a config" [];
        ConfigDelete  Delete "/configs/{id}"        "1.30" Change Plain None   ChangesState
            "deletes configs" [];
        ConfigUpdate  Post   "/configs/{id}/update" "1.30" Change Plain Json   ChangesState
            "changes the labels of a config" [int("version")];
    }
    "plugins" => {
        PluginList          Get    "/plugins"                "1.24" Read   Plain None   LeaksSecrets
            "settings of plugins, their environment included" [filters()];
        GetPluginPrivileges Get    "/plugins/privileges"     "1.25" Read   Plain None   SafeRead
            "Docker asks a registry that the caller names" [text("remote")];
        PluginPull          Post   "/plugins/pull"           "1.24" Change Down  Json   HostRoot
            "plugins run as root on the host" [text("remote"), text("name")];
        PluginInspect       Get    "/plugins/{name}/json"    "1.25" Read   Plain None   LeaksSecrets
            "settings of a plugin, its environment included" [];
        PluginDelete        Delete "/plugins/{name}"         "1.24" Change Plain None   ChangesState
            "deletes plugins" [flag("force")];
        PluginEnable        Post   "/plugins/{name}/enable"  "1.24" Change Plain None   HostRoot
            "plugins run as root on the host" [int("timeout")];
        PluginDisable       Post   "/plugins/{name}/disable" "1.24" Change Plain None   ChangesState
            "stops plugins; volumes and networks that need them fail" [flag("force")];
        PluginUpgrade       Post   "/plugins/{name}/upgrade" "1.26" Change Down  Json   HostRoot
            "plugins run as root on the host" [text("remote")];
        PluginCreate        Post   "/plugins/create"         "1.25" Change Up    Stream HostRoot
            "plugins run as root on the host" [text("name")];
        PluginPush          Post   "/plugins/{name}/push"    "1.25" Change Down  None   LeaksSecrets
            "sends any plugin to any registry" [];
        PluginSet           Post   "/plugins/{name}/set"     "1.25" Change Plain Json   HostRoot
            "plugins run as root on the host, and settings decide what they do" [];
    }
    "debug" => {
        DebugVars         Get    "/debug/vars"          "1.0"  Read   Plain None   LeaksSecrets
            "command line and memory figures of the Docker daemon" [];
        DebugPprofCmdline Get    "/debug/pprof/cmdline" "1.0"  Read   Plain None   LeaksSecrets
            "command line of the Docker daemon" [];
        DebugPprofProfile Get    "/debug/pprof/profile" "1.0"  Read   Down  None   LeaksSecrets
            "what the Docker daemon is doing; costs CPU while it runs" [int("seconds")];
        DebugPprofSymbol  Get    "/debug/pprof/symbol"  "1.0"  Read   Plain None   LeaksSecrets
            "symbols of the Docker daemon" [];
        DebugPprofTrace   Get    "/debug/pprof/trace"   "1.0"  Read   Down  None   LeaksSecrets
            "what the Docker daemon is doing; costs CPU while it runs" [int("seconds")];
        DebugPprofName    Get    "/debug/pprof/{name}"  "1.0"  Read   Plain None   LeaksSecrets
            "memory and stacks of the Docker daemon" [int("seconds"), int("debug")];
    }
    "*" => {
        Options Options "/{any}" "1.0"  Read   Plain None   SafeRead
            "an empty answer for any path" [];
    }
}

/// Reads `1.4` or `1.4-1.24`; a slip stops the build.
#[expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "runs at compile time only"
)]
const fn versions(text: &'static str) -> (ApiVersion, Option<ApiVersion>) {
    let bytes = text.as_bytes();
    let mut dash = 0;
    while dash < bytes.len() && bytes[dash] != b'-' {
        dash += 1;
    }
    let (since, rest) = text.split_at(dash);
    let Some(since) = ApiVersion::parse(since) else {
        panic!("not a version")
    };
    if rest.is_empty() {
        return (since, None);
    }
    let (_, removed) = rest.split_at(1);
    let removed = ApiVersion::parse(removed);
    assert!(removed.is_some(), "not a version");
    (since, removed)
}
