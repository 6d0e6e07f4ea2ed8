//! Whether the whole amounts to root on the host, and by which chain.

use crate::diag::{Diagnostic, Span};
use crate::docker::Operation;

use super::place;
use crate::policy::Policy;

/// Operations that together are root on the host, and how.
struct Chain {
    /// One of each of these is needed.
    links: &'static [&'static [Operation]],
    how: &'static str,
}

/// Sources: what dockerd does with the bodies, tried on engines 20.10 to 28.5.
const CHAINS: [Chain; 10] = [
    Chain {
        links: &[
            &[Operation::ContainerCreate],
            &[Operation::ContainerStart, Operation::ContainerRestart],
        ],
        how: "create a privileged container with the host's `/` mounted, then start it",
    },
    Chain {
        links: &[&[Operation::ContainerExec], &[Operation::ExecStart]],
        how: "prepare a privileged command in any running container, then start it",
    },
    Chain {
        links: &[&[Operation::PutContainerArchive]],
        how: "write a program into a container that runs it, or into a mounted host directory",
    },
    Chain {
        links: &[
            &[Operation::PluginPull, Operation::PluginCreate],
            &[Operation::PluginEnable],
        ],
        how: "install a plugin, which runs as root on the host, and enable it",
    },
    Chain {
        links: &[&[Operation::PluginUpgrade]],
        how: "replace a plugin, which runs as root on the host",
    },
    Chain {
        links: &[&[Operation::ImageBuild]],
        how: "build steps run as root, on any network and from any address that is asked for",
    },
    Chain {
        links: &[&[Operation::Session, Operation::Grpc]],
        how: "the tunnel to the builder cannot be looked into; it can ask for any privilege",
    },
    Chain {
        links: &[&[Operation::ServiceCreate, Operation::ServiceUpdate]],
        how: "run a service with the host's `/` mounted, on any node of the swarm",
    },
    Chain {
        links: &[&[
            Operation::SwarmInit,
            Operation::SwarmJoin,
            Operation::SwarmUpdate,
        ]],
        how: "hand the host to another cluster, whose managers can run anything on it",
    },
    Chain {
        links: &[&[Operation::NodeUpdate]],
        how: "make a node a manager; managers can run anything on every host",
    },
];

/// One warning with every chain that the policy holds.
pub(super) fn root(policy: &Policy) -> Option<Diagnostic> {
    let mut chains = Vec::new();
    let mut places: Vec<Span> = Vec::new();
    for chain in &CHAINS {
        let Some(reached) = reached(policy, chain) else {
            continue;
        };
        let names: Vec<&str> = reached.iter().map(|operation| operation.name()).collect();
        chains.push(format!("{}: {}", names.join(" + "), chain.how));
        places.extend(
            reached
                .iter()
                .filter_map(|o| place(policy, &policy.effect(*o))),
        );
    }
    if chains.is_empty() {
        return None;
    }
    places.sort_by_key(|place| place.start);
    places.dedup();
    let mut warning = Diagnostic::warning(
        "host-root",
        "whoever may use this socket can become root on the host",
    );
    for place in places {
        warning = warning.at(place, "part of it");
    }
    Some(chains.into_iter().fold(warning, Diagnostic::note))
}

/// The reachable operations of a chain, one per link; `None` if a link is missing.
fn reached(policy: &Policy, chain: &Chain) -> Option<Vec<Operation>> {
    let reachable = |operation: &&Operation| policy.effect(**operation).access.is_reachable();
    let links = chain.links.iter();
    links
        .map(|link| link.iter().find(reachable).copied())
        .collect()
}
