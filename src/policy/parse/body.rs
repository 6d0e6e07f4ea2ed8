//! `container.KEY`, `exec.KEY` and their like, and `body = "unchecked"`.

use crate::diag::{Diagnostic, escape};
use crate::docker::Operation;
use crate::docker::operation::BodyKind;
use crate::docker::payload::Power;
use crate::policy::image::ImagePattern;
use crate::policy::pattern::Pattern;
use crate::policy::power::want::{BadWant, Form, Want};
use crate::policy::power::{Argv, BodyRule, Clause, Requirement, Says};
use crate::policy::rule::Grant;

use super::condition::{bad_pattern, pattern};
use super::document::{Kind, Problems, Table, Value};
use super::target;

/// One table of a rule.
struct BodyTable {
    name: &'static str,
    operations: &'static [Operation],
    keys: &'static [(&'static str, Key)],
}

/// What a key of such a table is.
#[derive(Clone, Copy)]
enum Key {
    Power(Power),
    Name,
    Image,
    Command,
    Labels,
    User,
    Require,
    Fields,
    /// Harmless either way; a key so that a policy can say so.
    Init,
}

/// The table about the body of a connect or disconnect, and its key for the container in there.
const CONNECT: &str = "connect";
const CONTAINER: &str = "container";

/// What runs in a container and in a service alike.
macro_rules! container_keys {
    ($($more:expr),* $(,)?) => {
        &[
            ("name", Key::Name),
            ("image", Key::Image),
            ("labels", Key::Labels),
            ("command", Key::Command),
            ("user", Key::User),
            ("privileged", Key::Power(Power::Privileged)),
            ("unmask_paths", Key::Power(Power::UnmaskPaths)),
            ("oom", Key::Power(Power::Oom)),
            ("gpus", Key::Power(Power::Gpus)),
            ("mounts", Key::Power(Power::Mounts)),
            ("network", Key::Power(Power::Network)),
            ("publish", Key::Power(Power::Publish)),
            ("capabilities", Key::Power(Power::Capabilities)),
            ("devices", Key::Power(Power::Devices)),
            ("device_rules", Key::Power(Power::DeviceRules)),
            ("volumes_from", Key::Power(Power::VolumesFrom)),
            ("pid", Key::Power(Power::Pid)),
            ("ipc", Key::Power(Power::Ipc)),
            ("uts", Key::Power(Power::Uts)),
            ("userns", Key::Power(Power::Userns)),
            ("cgroupns", Key::Power(Power::Cgroupns)),
            ("cgroup_parent", Key::Power(Power::CgroupParent)),
            ("security_opt", Key::Power(Power::SecurityOpt)),
            ("sysctls", Key::Power(Power::Sysctls)),
            ("runtime", Key::Power(Power::Runtime)),
            ("groups", Key::Power(Power::Groups)),
            ("links", Key::Power(Power::Links)),
            ("log_driver", Key::Power(Power::LogDriver)),
            ("storage", Key::Power(Power::Storage)),
            ("ulimits", Key::Power(Power::Ulimits)),
            ("resources", Key::Power(Power::Resources)),
            ("dns", Key::Power(Power::Dns)),
            ("mac_address", Key::Power(Power::MacAddress)),
            ("init", Key::Init),
            ("annotations", Key::Power(Power::Annotations)),
            ("endpoint", Key::Power(Power::Endpoint)),
            ("require", Key::Require),
            ("fields", Key::Fields),
            $($more),*
        ]
    };
}

/// Every table, with the operations it fits.
static TABLES: [BodyTable; 7] = [
    BodyTable {
        name: "container",
        operations: &[Operation::ContainerCreate],
        keys: container_keys![],
    },
    BodyTable {
        name: "exec",
        operations: &[Operation::ContainerExec],
        keys: &[
            ("command", Key::Command),
            ("privileged", Key::Power(Power::Privileged)),
            ("user", Key::Power(Power::User)),
            ("env", Key::Power(Power::Env)),
            ("workdir", Key::Power(Power::Workdir)),
            ("fields", Key::Fields),
        ],
    },
    BodyTable {
        name: "update",
        operations: &[Operation::ContainerUpdate],
        keys: &[
            ("devices", Key::Power(Power::Devices)),
            ("device_rules", Key::Power(Power::DeviceRules)),
            ("fields", Key::Fields),
        ],
    },
    BodyTable {
        name: "network",
        operations: &[Operation::NetworkCreate],
        keys: &[
            ("name", Key::Name),
            ("labels", Key::Labels),
            ("driver", Key::Power(Power::NetworkDriver)),
            ("options", Key::Power(Power::NetworkOptions)),
            ("subnets", Key::Power(Power::Subnets)),
            ("config", Key::Power(Power::Config)),
            ("scope", Key::Power(Power::Scope)),
            ("fields", Key::Fields),
        ],
    },
    BodyTable {
        name: CONNECT,
        operations: &[Operation::NetworkConnect, Operation::NetworkDisconnect],
        keys: &[
            ("endpoint", Key::Power(Power::Endpoint)),
            ("fields", Key::Fields),
        ],
    },
    BodyTable {
        name: "volume",
        // A create of a container or service makes volumes, too.
        operations: &[
            Operation::VolumeCreate,
            Operation::ContainerCreate,
            Operation::ServiceCreate,
            Operation::ServiceUpdate,
        ],
        keys: &[
            ("name", Key::Name),
            ("labels", Key::Labels),
            ("driver", Key::Power(Power::VolumeDriver)),
            ("options", Key::Power(Power::VolumeOptions)),
            ("fields", Key::Fields),
        ],
    },
    BodyTable {
        name: "service",
        operations: &[Operation::ServiceCreate, Operation::ServiceUpdate],
        keys: container_keys![
            ("mode", Key::Power(Power::Mode)),
            ("placement", Key::Power(Power::Placement)),
        ],
    },
];

/// The key that names a power of an operation: `container.mounts`.
pub(in crate::policy) fn body_key(operation: Operation, power: Power) -> Option<String> {
    TABLES
        .iter()
        .filter(|table| table.operations.contains(&operation))
        .find_map(|table| {
            let mut keys = table.keys.iter();
            let (key, _) = keys.find(|(_, key)| matches!(key, Key::Power(p) if *p == power))?;
            Some(format!("{}.{key}", table.name))
        })
}

/// Takes every such key of a rule.
pub(super) fn body(
    rule: &mut Table<'_>,
    grants: &[Grant],
    problems: &mut Problems<'_>,
) -> Option<BodyRule> {
    let mut found = BodyRule::default();
    let before = problems.found.len();
    if let Some(value) = rule.take("body") {
        found.unchecked = unchecked(&value, grants, problems);
    }
    for table in &TABLES {
        let Some(value) = rule.take(table.name) else {
            continue;
        };
        if found.unchecked {
            problems.report(
                Diagnostic::error("bad-value", "an unchecked body is not judged")
                    .at(value.key_span.clone(), "this says how to judge it")
                    .help("delete `body = \"unchecked\"`, or this"),
            );
        }
        if fits(&value, table.operations, grants, problems) {
            table.decode(&value, grants, &mut found, problems);
        }
    }
    found.clauses.sort_by_key(|clause| clause.span.start);
    // A key that says nothing (`privileged = false`) leaves the rule plain; one that cannot be read
    // does not, or other findings would echo it.
    let said = !found.clauses.is_empty() || !found.connected.is_empty();
    let said = said || found.unchecked || problems.found.len() > before;
    said.then_some(found)
}

fn unchecked(value: &Value<'_>, grants: &[Grant], problems: &mut Problems<'_>) -> bool {
    let Some(text) = value.text(problems) else {
        return false;
    };
    if text != "unchecked" {
        problems.report(
            Diagnostic::error("bad-value", format!("`body` cannot be `{}`", escape(text)))
                .at(value.span.clone(), "the only value is `unchecked`")
                .help("say what is allowed by `container.KEY` and its like"),
        );
        return false;
    }
    let json = |operation: Operation| operation.body() == BodyKind::Json;
    let misfits = misfits(grants, json);
    if !misfits.is_empty() {
        problems.report(fits_not(value, &misfits, "reads no JSON body"));
    }
    true
}

pub(super) fn misfits(grants: &[Grant], fit: impl Fn(Operation) -> bool) -> Vec<&Grant> {
    let misfit = |grant: &&Grant| !grant.targets.iter().all(|target| fit(target.operation));
    grants.iter().filter(misfit).collect()
}

fn fits(
    value: &Value<'_>,
    operations: &[Operation],
    grants: &[Grant],
    problems: &mut Problems<'_>,
) -> bool {
    let misfits = misfits(grants, |operation| operations.contains(&operation));
    if !misfits.is_empty() {
        problems.report(fits_not(value, &misfits, "has no such body"));
    }
    misfits.is_empty()
}

pub(super) fn fits_not(value: &Value<'_>, misfits: &[&Grant], label: &str) -> Diagnostic {
    let message = format!(
        "`{}` does not fit every grant of its rule",
        escape(&value.key)
    );
    let names = misfits
        .iter()
        .map(|grant| format!("`{}`", escape(&grant.text)));
    let names: Vec<_> = names.collect();
    let mut diagnostic = Diagnostic::error("condition-fits-not", message)
        .at(value.key_span.clone(), "this does not fit")
        .help(format!("move {} to a rule of its own", names.join(", ")));
    for grant in misfits {
        diagnostic = diagnostic.at(grant.span.clone(), label);
    }
    diagnostic
}

impl BodyTable {
    fn decode(
        &self,
        value: &Value<'_>,
        grants: &[Grant],
        found: &mut BodyRule,
        problems: &mut Problems<'_>,
    ) {
        let Some(table) = value.table(problems) else {
            return;
        };
        let mut table = table.prefixed(self.name);
        // What a container's volumes may be is a matter of driver and options alone.
        let own = misfits(grants, |operation| operation == Operation::VolumeCreate).is_empty();
        let offers =
            |key: &str| own || self.name != "volume" || matches!(key, "driver" | "options");
        for (name, key) in self.keys.iter().filter(|(name, _)| offers(name)) {
            let Some(value) = table.take(name) else {
                continue;
            };
            let says = says(*key, &value, problems);
            let clause = says.map(|says| clause(&value, says, problems));
            found.clauses.extend(clause);
        }
        let keys = self.keys.iter().map(|(name, _)| *name);
        let mut keys: Vec<&str> = keys.filter(|name| offers(name)).collect();
        if self.name == CONNECT {
            keys.push(CONTAINER);
            let value = table.take(CONTAINER);
            found.connected = value.map_or_else(Vec::new, |v| target::connected(&v, problems));
        }
        table.finish(&keys, &[], problems);
    }
}

fn clause(value: &Value<'_>, says: Says, problems: &Problems<'_>) -> Clause {
    Clause {
        says,
        text: value.written(problems.source),
        span: value.key_span.clone(),
    }
}

/// What a key says; `None` if nothing, or nothing that can be read.
fn says(key: Key, value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Says> {
    // `X = false` and `X = []` mean "not named".
    let empty = matches!(value.kind(), Kind::List(list) if list.is_empty());
    if matches!(value.kind(), Kind::Boolean(false)) || (empty && !matches!(key, Key::Command)) {
        return None;
    }
    match key {
        Key::Power(power) => power_wants(power, value, problems).map(|w| Says::Power(power, w)),
        Key::Name => texts(value, problems).map(Says::Name),
        Key::Labels => texts(value, problems).map(Says::Labels),
        Key::User => texts(value, problems).map(Says::User),
        Key::Fields => texts(value, problems).map(Says::Fields),
        Key::Image => each(value, problems, |value, problems| {
            let text = value.text(problems)?;
            pattern(value, text, ImagePattern::parse(text), problems)
        })
        .map(Says::Image),
        Key::Command => commands(value, problems).map(Says::Command),
        Key::Require => each(value, problems, requirement).map(Says::Require),
        Key::Init => {
            if !matches!(value.kind(), Kind::Boolean(_)) {
                problems.report(value.wrong("`true` or `false`"));
            }
            None
        }
    }
}

/// Every element, or `None` if one of them cannot be read; all mistakes are reported.
pub(super) fn each<T>(
    value: &Value<'_>,
    problems: &mut Problems<'_>,
    read: impl Fn(&Value<'_>, &mut Problems<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let elements = value.one_or_list();
    let read: Vec<Option<T>> = elements.iter().map(|e| read(e, problems)).collect();
    read.into_iter().collect()
}

pub(super) fn texts(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Vec<Pattern>> {
    each(value, problems, |value, problems| {
        let text = value.text(problems)?;
        pattern(value, text, Pattern::parse(text), problems)
    })
}

fn power_wants(power: Power, value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Vec<Want>> {
    let form = Form::of(power);
    if matches!(value.kind(), Kind::Boolean(true)) {
        if form.takes_true() {
            return Some(vec![Want::Any]);
        }
        problems.report(value.wrong("a list of patterns"));
        return None;
    }
    if form == Form::Bool {
        problems.report(value.wrong("`true` or `false`"));
        return None;
    }
    each(value, problems, |value, problems| {
        want(power, value, problems)
    })
}

fn want(power: Power, value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Want> {
    let text = value.text(problems)?;
    let (label, help) = match Want::parse(power, text) {
        Ok(want) => return Some(want),
        Err(BadWant::Pattern(bad)) => {
            problems.report(bad_pattern(value.span.clone(), text, &bad));
            return None;
        }
        Err(BadWant::Form(form)) => (format!("expected {form}"), None),
        Err(BadWant::Hex) => (
            "this could be the beginning of an id of something else".to_owned(),
            Some("use a name with a `-`, a `_` or a letter after `f`, or `*` for every one"),
        ),
    };
    let message = format!("`{}` cannot hold `{}`", escape(&value.key), escape(text));
    problems.report(
        Diagnostic::error("bad-value", message)
            .at(value.span.clone(), label)
            .help_opt(help.map(str::to_owned)),
    );
    None
}

/// A list of argv lists, or one of them.
fn commands(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Vec<Argv>> {
    let elements = value.list(problems)?;
    let nested = |element: &Value<'_>| matches!(element.kind(), Kind::List(_));
    if elements.is_empty() {
        return None;
    }
    if !elements.iter().all(nested) {
        let message = format!("`{}` is a list of commands", escape(&value.key));
        problems.report(
            Diagnostic::error("wrong-type", message)
                .at(
                    value.span.clone(),
                    "each command is a list of its arguments",
                )
                .help("write `[[\"ls\", \"-l\"], [\"cat\", \"**\"]]`"),
        );
        return None;
    }
    each(value, problems, |element, problems| {
        let mut arguments = texts(element, problems)?;
        let open = arguments.last().is_some_and(Pattern::is_any);
        if open {
            arguments.pop();
        }
        Some(Argv { arguments, open })
    })
}

fn requirement(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Requirement> {
    let text = value.text(problems)?;
    let mut words = Requirement::ALL.iter();
    let found = words.find(|(word, _)| *word == text);
    if found.is_none() {
        let words: Vec<_> = Requirement::ALL
            .iter()
            .map(|(word, _)| format!("`{word}`"))
            .collect();
        problems.report(
            Diagnostic::error(
                "bad-value",
                format!("`{}` cannot be required", escape(text)),
            )
            .at(value.span.clone(), "not a word of `require`")
            .help(format!("the words are {}", words.join(", "))),
        );
    }
    found.map(|(_, requirement)| *requirement)
}
