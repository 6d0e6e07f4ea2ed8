//! moby's routes, in the order in which they are registered.
//!
//! moby 20.10 `api/server/router/*/*.go`, in the order of `cmd/dockerd/daemon.go`, `initRouter`;
//! routes of later engines are added where they cannot change the meaning of older ones.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// One route.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) path: Regex,
}

/// Registered in this order; the first that fits wins.
const TABLE: &str = "
GET    /containers/{name:.*}/checkpoints          CheckpointList
POST   /containers/{name:.*}/checkpoints          CheckpointCreate
DELETE /containers/{name}/checkpoints/{checkpoint} CheckpointDelete
HEAD   /containers/{name:.*}/archive              ContainerArchiveInfo
GET    /containers/json                           ContainerList
GET    /containers/{name:.*}/export               ContainerExport
GET    /containers/{name:.*}/changes              ContainerChanges
GET    /containers/{name:.*}/json                 ContainerInspect
GET    /containers/{name:.*}/top                  ContainerTop
GET    /containers/{name:.*}/logs                 ContainerLogs
GET    /containers/{name:.*}/stats                ContainerStats
GET    /containers/{name:.*}/attach/ws            ContainerAttachWebsocket
GET    /exec/{id:.*}/json                         ExecInspect
GET    /containers/{name:.*}/archive              ContainerArchive
POST   /containers/create                         ContainerCreate
POST   /containers/{name:.*}/kill                 ContainerKill
POST   /containers/{name:.*}/pause                ContainerPause
POST   /containers/{name:.*}/unpause              ContainerUnpause
POST   /containers/{name:.*}/restart              ContainerRestart
POST   /containers/{name:.*}/start                ContainerStart
POST   /containers/{name:.*}/stop                 ContainerStop
POST   /containers/{name:.*}/wait                 ContainerWait
POST   /containers/{name:.*}/resize               ContainerResize
POST   /containers/{name:.*}/attach               ContainerAttach
POST   /containers/{name:.*}/copy                 ContainerCopy
POST   /containers/{name:.*}/exec                 ContainerExec
POST   /exec/{name:.*}/start                      ExecStart
POST   /exec/{name:.*}/resize                     ExecResize
POST   /containers/{name:.*}/rename               ContainerRename
POST   /containers/{name:.*}/update               ContainerUpdate
POST   /containers/prune                          ContainerPrune
POST   /commit                                    ImageCommit
PUT    /containers/{name:.*}/archive              PutContainerArchive
DELETE /containers/{name:.*}                      ContainerDelete
GET    /images/json                               ImageList
GET    /images/search                             ImageSearch
GET    /images/get                                ImageGetAll
GET    /images/{name:.*}/get                      ImageGet
GET    /images/{name:.*}/history                  ImageHistory
GET    /images/{name:.*}/json                     ImageInspect
GET    /images/{name:.*}/attestations             ImageAttestations
POST   /images/load                               ImageLoad
POST   /images/create                             ImageCreate
POST   /images/{name:.*}/push                     ImagePush
POST   /images/{name:.*}/tag                      ImageTag
POST   /images/prune                              ImagePrune
DELETE /images/{name:.*}                          ImageDelete
OPTIONS /{anyroute:.*}                            Options
GET    /_ping                                     SystemPing
HEAD   /_ping                                     SystemPingHead
GET    /events                                    SystemEvents
GET    /info                                      SystemInfo
GET    /version                                   SystemVersion
GET    /system/df                                 SystemDataUsage
POST   /auth                                      SystemAuth
GET    /volumes                                   VolumeList
GET    /volumes/{name:.*}                         VolumeInspect
POST   /volumes/create                            VolumeCreate
POST   /volumes/prune                             VolumePrune
PUT    /volumes/{name:.*}                         VolumeUpdate
DELETE /volumes/{name:.*}                         VolumeDelete
POST   /build                                     ImageBuild
POST   /build/prune                               BuildPrune
POST   /build/cancel                              BuildCancel
POST   /session                                   Session
POST   /swarm/init                                SwarmInit
POST   /swarm/join                                SwarmJoin
POST   /swarm/leave                               SwarmLeave
GET    /swarm                                     SwarmInspect
GET    /swarm/unlockkey                           SwarmUnlockkey
POST   /swarm/update                              SwarmUpdate
POST   /swarm/unlock                              SwarmUnlock
GET    /services                                  ServiceList
GET    /services/{id}                             ServiceInspect
POST   /services/create                           ServiceCreate
POST   /services/{id}/update                      ServiceUpdate
DELETE /services/{id}                             ServiceDelete
GET    /services/{id}/logs                        ServiceLogs
GET    /nodes                                     NodeList
GET    /nodes/{id}                                NodeInspect
DELETE /nodes/{id}                                NodeDelete
POST   /nodes/{id}/update                         NodeUpdate
GET    /tasks                                     TaskList
GET    /tasks/{id}                                TaskInspect
GET    /tasks/{id}/logs                           TaskLogs
GET    /secrets                                   SecretList
POST   /secrets/create                            SecretCreate
DELETE /secrets/{id}                              SecretDelete
GET    /secrets/{id}                              SecretInspect
POST   /secrets/{id}/update                       SecretUpdate
GET    /configs                                   ConfigList
POST   /configs/create                            ConfigCreate
DELETE /configs/{id}                              ConfigDelete
GET    /configs/{id}                              ConfigInspect
POST   /configs/{id}/update                       ConfigUpdate
GET    /plugins                                   PluginList
GET    /plugins/{name:.*}/json                    PluginInspect
GET    /plugins/privileges                        GetPluginPrivileges
DELETE /plugins/{name:.*}                         PluginDelete
POST   /plugins/{name:.*}/enable                  PluginEnable
POST   /plugins/{name:.*}/disable                 PluginDisable
POST   /plugins/pull                              PluginPull
POST   /plugins/{name:.*}/push                    PluginPush
POST   /plugins/{name:.*}/upgrade                 PluginUpgrade
POST   /plugins/{name:.*}/set                     PluginSet
POST   /plugins/create                            PluginCreate
GET    /distribution/{name:.*}/json               DistributionInspect
POST   /grpc                                      Grpc
GET    /networks                                  NetworkList
GET    /networks/                                 NetworkListSlash
GET    /networks/{id:.+}                          NetworkInspect
POST   /networks/create                           NetworkCreate
POST   /networks/{id:.*}/connect                  NetworkConnect
POST   /networks/{id:.*}/disconnect               NetworkDisconnect
POST   /networks/prune                            NetworkPrune
DELETE /networks/{id:.*}                          NetworkDelete
*      /debug/vars                                DebugVars
*      /debug/pprof/                              DebugPprof
*      /debug/pprof/cmdline                       DebugPprofCmdline
*      /debug/pprof/profile                       DebugPprofProfile
*      /debug/pprof/symbol                        DebugPprofSymbol
*      /debug/pprof/trace                         DebugPprofTrace
*      /debug/pprof/{name}                        DebugPprofName
";

/// The routes, ready to match.
pub(crate) static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let rows = TABLE.lines().filter(|line| !line.is_empty());
    rows.map(|row| {
        let words: Vec<_> = row.split_whitespace().collect();
        let [method, path, operation] = words[..] else {
            panic!("{row}")
        };
        Route {
            method,
            operation,
            path: expression(path, method != "*"),
        }
    })
    .collect()
});

/// gorilla/mux `newRouteRegexp`: a variable without a pattern is one segment; matching is on the
/// decoded path. moby registers every path with and without `/v{version:[0-9.]+}`, the debug ones
/// only without.
fn expression(path: &str, versioned: bool) -> Regex {
    let mut text = String::from(if versioned {
        "^(?:/v([0-9.]+))?"
    } else {
        "^()"
    });
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (variable, after) = after.split_once('}').unwrap();
        let pattern = match variable.split_once(':') {
            Some((_, ".*")) => "(?-u:[^\\n])*",
            Some((_, ".+")) => "(?-u:[^\\n])+",
            _ => "(?-u:[^/])+",
        };
        text.push_str(&regex::escape(before));
        text.push_str(pattern);
        rest = after;
    }
    text.push_str(&regex::escape(rest));
    text.push('$');
    Regex::new(&text).unwrap()
}
