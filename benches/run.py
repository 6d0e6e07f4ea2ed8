#!/usr/bin/env python3
"""Side-by-side rig for Docker socket proxies over Unix sockets. See README.md."""
import argparse, datetime, json, os, subprocess, sys, time

sys.dont_write_bytecode = True

from beside import contract, curves, page, single, tables
from beside.peers import HERE, LOAD, PEERS, SETS, command, gate
from beside.processes import memory, raise_open_files
from beside.rig import ALL_CPUS, Rig
from beside.scenarios import CURVES, QUICK, SINGLE, scenarios
from beside.single import middle

TOP = os.path.dirname(HERE)
# Where the proxy runs, and where stub and generator do.
CORES = {"": None, "apart": ({1}, {0}), "one": ({0}, {0})}
PAGE, README = TOP + "/docs/performance.md", TOP + "/README.md"


def arguments():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--gate", metavar="BINARY", help="quaygate: adds it as `quaygate`, and what only it is asked")
    ap.add_argument("--candidate", action="append", default=[], metavar="'[name=]CMD … {listen} {upstream}'", help="another proxy; {listen} and {upstream} become Unix socket paths, {dir} a scratch folder; may be repeated")
    ap.add_argument("--micro", metavar="CMD", help="prints the figures of the pure parts (divan)")
    ap.add_argument("--peers", default="default", help="comma list, or: " + ", ".join(SETS) + "; +name adds to the default")
    ap.add_argument("--scenarios", default="", help="comma list (--list names them)")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--full", action="store_true")
    ap.add_argument("--rounds", type=int, help="5; quick 1")
    ap.add_argument("--secs", type=float, help="of load per cell: 1.0; quick 0.35")
    ap.add_argument("--gib", type=float, help="per transfer: 1; quick 0.5")
    ap.add_argument("--budget", type=float, help="seconds; no new cell starts after it (600; quick 85)")
    ap.add_argument("--json", help="write raw and median results here")
    ap.add_argument("--md", help="write the tables here too")
    ap.add_argument("--svg", metavar="DIR", help="write the curves here")
    ap.add_argument("--write", action="store_true", help="put everything into docs/performance.md and its pictures")
    ap.add_argument("--list", action="store_true", help="name peers and scenarios")
    a = ap.parse_args()
    for key, quick, full in (("rounds", 1, 5), ("secs", .35, 1.0), ("gib", .5, 1.0), ("budget", 85, 600)):
        if getattr(a, key) is None: setattr(a, key, quick if a.quick else full)
    return a


def names_of(a):
    names = []
    for word in a.peers.split(","):
        if word.startswith("+"): names = names or list(SETS["default"]); names.append(word[1:])
        else: names += SETS.get(word, [word] if word else [])
    candidates = []
    if a.gate:
        PEERS["quaygate"], PEERS["quaygate-all"] = gate(a.gate), gate(a.gate, "--audit-allowed", "all")
        candidates.append("quaygate")
    for i, line in enumerate(a.candidate):
        head, name = line.split(" ", 1)[0], f"candidate{i + 1 if i else ''}"
        if "=" in head and "/" not in head.split("=")[0]: name, line = line.split("=", 1)
        PEERS[name] = command(line)
        candidates.append(name)
    return list(dict.fromkeys(candidates + names))


def measure_rounds(rig, names, wanted, rounds):
    """Interleaved: A B C, then C B A, …; in each, one scenario after the other."""
    raw = {}
    keep = lambda name, scenario, r: raw.setdefault(name, {}).setdefault(scenario, []).append(r)
    for turn in range(rounds):
        for scenario, s in wanted.items():
            if turn >= s.rounds: continue
            who = list(names)
            if scenario in ("list_c64", "pin_c64") and "quaygate" in names: who.insert(who.index("quaygate") + 1, "quaygate-all")
            pinned = CORES[s.cores] if len(ALL_CPUS) > 1 else None
            for piece in range(s.slices):
                for name in (who if (turn + piece) % 2 == 0 else who[::-1]):
                    if s.denies and name in ("direct", "l4"): continue
                    if rig.late(): return raw
                    if s.kind == "idle":
                        keep(name, scenario, measure_idle(rig, name, s, scenario))
                    else:
                        keep(name, scenario, rig.cell(name, s.argv, f"r{turn + 1} {scenario}", pinned))
    return raw


def measure_idle(rig, name, s, what):
    """A fresh process: memory at rest, then with all streams open."""
    try:
        process = rig.start(name)
        time.sleep(0.2)
        start = memory(process.pid) if process else memory(0)
        r = rig.cell(name, s.argv, what)
        return {**r, "start_rss_kib": start["rss_kib"], "start_pss_kib": start["pss_kib"]}
    except Exception as error:  # noqa: BLE001
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        rig.end(name)


def measure_single(rig, a, wanted, names, files):
    """What is looked at once; of it, what is wanted and can be had."""
    proxies = [n for n in names if n != "direct"]
    few = [n for n in proxies if n in ("quaygate", "l4", "haproxy-tuned1")] or proxies
    secs = min(a.secs, .7)
    todo = {
        "binary": lambda: single.binary(rig, a.gate) if a.gate else None,
        "start50": lambda: single.start50(rig, a.gate) if a.gate else None,
        "streams9000": lambda: single.streams9000(rig, a.gate, files) if a.gate else None,
        "pure": lambda: single.pure(rig, a.micro) if a.micro else None,
        "syscalls": lambda: single.syscalls(rig, few, min(a.secs, .5)),
        "profile": lambda: single.profile(rig, names[0], a.secs) if names and names[0] not in ("direct", "l4") else None,
        "threads": lambda: single.threads(rig, a.gate, secs, 1 if a.quick else min(3, a.rounds)) if a.gate else None,
        "targets": lambda: single.targets(rig, a.gate, secs, min(3, a.rounds)) if a.gate else None,
        "by_connections": lambda: curves.by_connections(rig, proxies, secs, min(2, a.rounds)),
        "by_load": lambda: curves.by_load(rig, proxies, secs, min(3, a.rounds)),
    }
    found = {}
    for name, measure in todo.items():
        if name not in wanted or rig.late(): continue
        rig.say(name)
        figures = measure()
        if figures is not None: found[name] = figures
    return found


def main():
    a = arguments()
    every = scenarios(a.secs, a.gib)
    if a.list:
        print("peers:", *PEERS, "\nscenarios:", *every, *SINGLE, *CURVES)
        return 0
    files, names = raise_open_files(), names_of(a)
    known = [*every, *SINGLE, *CURVES]
    wanted = [s for s in a.scenarios.split(",") if s] or (QUICK if a.quick else known)
    unknown = [s for s in wanted if s not in known] + [n for n in names if n not in PEERS]
    if unknown:
        print("run.py: unknown:", *unknown, file=sys.stderr)
        return 2
    if not os.path.exists(LOAD):
        subprocess.check_call(["cargo", "build", "--release", "--locked", "--manifest-path", HERE + "/rig/Cargo.toml", "--target-dir", HERE + "/rig/target"])
    dead = {}
    with Rig(a.budget) as rig:
        for name in list(names):
            try:
                rig.start(name)
            except Exception as error:  # noqa: BLE001
                dead[name] = str(error)
                names.remove(name)
                print(f"run.py: {name}: {error}", file=sys.stderr)
        raw = measure_rounds(rig, names, {s: every[s] for s in every if s in wanted}, a.rounds)
        for name in list(rig.procs): rig.end(name)
        once = measure_single(rig, a, wanted, names, files)
        took, cut = rig.elapsed(), rig.cut
    return report(a, names, wanted, dead, raw, once, took, cut)


def report(a, names, wanted, dead, raw, once, took, cut):
    median = {n: {s: middle(rs) for s, rs in by.items()} for n, by in raw.items()}
    subject = "quaygate" if a.gate or not a.candidate else names[0]
    figures = contract.Figures(median, once, subject, dead)
    rows = list(dict.fromkeys(names + list(median)))
    rounds = f"{a.rounds} interleaved round" + ("s" if a.rounds != 1 else "")
    how = f"Medians of {rounds}, {a.secs:g} s of load per cell; {took:.0f} s in all" + ("; **cut short by the budget**" if cut else "")
    day = datetime.date.today().isoformat()
    asked = contract.lines(figures)
    all_of_it = tables.rounds(median, rows, wanted) + "".join(f"\n{n} did not start: {why}\n" for n, why in dead.items())
    text = f"{how}\n{all_of_it}{tables.single(once)}\n### What was promised\n\n{asked}"
    pictures = curves.pictures(once)
    print(text)
    if a.md: open(a.md, "w").write(text)
    if a.json:
        with open(a.json, "w") as out:
            json.dump({"contract": contract.data(figures), "median": median, "single": once, "raw": raw, "dead": dead, "cut_by_budget": cut,
                       "machine": page.machine(), "day": day, "argv": sys.argv[1:]}, out, indent=1)
    if a.svg:
        os.makedirs(a.svg, exist_ok=True)
        for name, svg in pictures.items(): open(f"{a.svg}/{name}", "w").write(svg)
    if a.write:
        part = lambda key, write: write(once[key]) if key in once else "Not measured in this run."
        page.write(PAGE, {"contract": f"{how}, {day}.\n\n{asked}", "machine": page.machine_lines(), "tables": all_of_it,
                          "threads": part("threads", tables.by_setting), "targets": part("targets", tables.by_setting), "pure": part("pure", tables.nanoseconds),
                          "kernel": tables.in_kernel(median, rows), "syscalls": part("syscalls", tables.syscalls), "profile": part("profile", tables.profile)}, pictures)
        cpu = page.machine()["CPU"]
        page.refill(README, {"beside": f"Audit log on; {rounds} on {cpu}; where it is not a size, HAProxy is 1:\n\n{tables.beside(median, subject)}"})
        print(f"run.py: wrote docs/performance.md, {len(pictures)} pictures and the table of README.md", file=sys.stderr)
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
