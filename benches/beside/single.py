"""What is measured once, beside the rounds. Each function returns a dict of figures, or {"error": why}."""
import os, re, shutil, signal, statistics, struct, subprocess, tempfile, threading, time

from .peers import PEERS, gate
from .processes import accepts, memory, tree
from .scenarios import DENY, LIST, PING, requests

SOCKETS = 50
STREAMS = 9000


def guarded(function):
    def run(*args, **kw):
        try:
            return function(*args, **kw)
        except Exception as error:  # noqa: BLE001 - a figure that cannot be had is a FAIL in the table
            return {"error": f"{type(error).__name__}: {error}"}
    return run


@guarded
def start50(rig, binary, runs=11):
    """From spawn to the last of 50 sockets accepting; no engine there."""
    base = tempfile.mkdtemp(prefix="s", dir=rig.work)
    os.mkdir(base + "/policies")
    for i in range(SOCKETS):
        with open(f"{base}/policies/p{i:02}.toml", "w") as out:
            out.write('allow = ["GET /_ping", "GET /version", "GET /containers/json", "POST /containers/{id}/restart"]\n')
    times = []
    for run in range(runs):
        sockets = f"{base}/{run}"
        paths = [f"{sockets}/p{i:02}/docker.sock" for i in range(SOCKETS)]
        null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
        argv = [binary, "run", base + "/policies", "--runtime-dir", sockets, "--state-dir", base + "/state",
                "--docker", f"unix://{base}/absent.sock", "--audit", f"{base}/{run}.jsonl"]
        t0 = time.perf_counter()
        pid = os.posix_spawn(binary, argv, os.environ, file_actions=null)
        try:
            left = list(paths)
            while left and time.perf_counter() - t0 < 10:
                if accepts(left[-1]): left.pop()
            took = time.perf_counter() - t0
            if left: raise RuntimeError(f"{len(left)} of {SOCKETS} sockets did not come up")
            times.append(took * 1e3)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return {"ms": statistics.median(times), "ms_min": min(times), "ms_max": max(times), "runs": runs}


@guarded
def streams9000(rig, binary, files):
    """9,000 open event streams on one process, twice: what is left afterwards is a leak if it grows."""
    policy = rig.work + "/streams.toml"
    with open(policy, "w") as out:
        out.write(f'allow = ["GET /_ping", "GET /events"]\n[limits]\nconnections = {STREAMS}\n')
    name, PEERS["streams"] = "streams", gate(binary, policy=policy)
    process = rig.start(name)
    time.sleep(0.2)
    figures = {"files": files, "start": memory(process.pid)}
    for turn in ("first", "second"):
        r = rig.cell(name, ["idle", "--conns", str(STREAMS), "--hold", "0.5"], "streams9000")
        if "error" in r: return r
        end = time.time() + 10
        while time.time() < end and memory(process.pid)["fds"] > figures["start"]["fds"]:
            time.sleep(0.05)
        figures[turn] = {"ready": r["ready"], "open": {k: r[k] for k in ("rss_kib", "fds")}, "after": memory(process.pid)}
    rig.end(name)
    first, second, start = figures["first"], figures["second"], figures["start"]
    figures["ready"] = min(first["ready"], second["ready"])
    figures["leak"] = second["after"]["fds"] > start["fds"] or second["after"]["rss_kib"] > first["after"]["rss_kib"] * 1.1
    return figures


def has_interpreter(path):
    """Whether an ELF file asks for a dynamic linker."""
    with open(path, "rb") as file:
        head = file.read(64)
        (offset,), (size, count) = struct.unpack_from("<Q", head, 32), struct.unpack_from("<HH", head, 54)
        for i in range(count):
            file.seek(offset + i * size)
            if struct.unpack("<I", file.read(4))[0] == 3: return True
    return False


@guarded
def binary(rig, path):
    """The size of what is shipped (`strip --strip-debug`: names stay, for the backtrace of a crash) and of it without names."""
    sizes = {}
    for key, option in (("shipped", "--strip-debug"), ("stripped", "--strip-all")):
        out = f"{rig.work}/{key}"
        subprocess.run(["strip", option, "-o", out, path], check=True, capture_output=True)
        sizes[key + "_mib"] = os.path.getsize(out) / (1 << 20)
    return {**sizes, "static": not has_interpreter(path)}


@guarded
def pure(rig, command, timeout=240):
    """`cargo bench --bench micro`: nanoseconds by name, from divan's tree."""
    rig.say("pure parts:", command)
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=timeout)
    figures = read_divan(done.stdout)
    if not figures:
        raise RuntimeError(f"`{command}` printed no figures: {done.stderr.strip()[-200:]}")
    return figures


UNITS = {"ns": 1, "µs": 1e3, "us": 1e3, "ms": 1e6, "s": 1e9}


def read_divan(text):
    """`name` or `name/argument` -> median in ns. A row: name, fastest │ slowest │ median │ mean │ …"""
    figures, parent = {}, ""
    for line in text.splitlines():
        row = re.match(r"^([│ ]*)[├╰]─ (\S+)(.*)$", line)
        if not row: continue
        depth, name, rest = len(row[1]), row[2], row[3].split("│")
        if depth == 0: parent = name
        value = re.match(r"\s*([\d.]+)\s*(ns|µs|us|ms|s)\b", rest[2]) if len(rest) > 2 else None
        if value:
            figures[name if depth == 0 else f"{parent}/{name}"] = float(value[1]) * UNITS[value[2]]
    return figures


@guarded
def syscalls(rig, names, secs):
    """System calls per request, counted by strace while load runs."""
    if not shutil.which("strace"):
        return {"error": "strace is not installed"}
    loads = {"2 KiB list, 64 connections": (requests(secs, 64, LIST), False), "2 KiB list, one connection": (requests(secs, 1, LIST), False),
             "ping, 64 connections": (requests(secs, 64, PING), False), "denial, 64 connections": (requests(secs, 64, DENY, "--expect", "403"), True),
             "connection per request": (requests(secs, 10, PING, "--close"), False)}
    return {what: {n: count_calls(rig, n, argv) for n in names if not (denies and n == "l4")} for what, (argv, denies) in loads.items()}


@guarded
def count_calls(rig, name, argv):
    process = rig.start(name)
    out = f"{rig.work}/{name}.strace"
    pids = tree(process.pid)
    attach = [word for pid in pids for word in ("-p", str(pid))]
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-c", "-o", out, *attach], stderr=subprocess.PIPE, text=True)
    try:
        end = time.time() + 5
        while "TracerPid:\t0" in open(f"/proc/{pids[-1]}/status").read():
            if tracer.poll() is not None or time.time() > end:
                raise RuntimeError("strace cannot attach: " + (tracer.stderr.read() if tracer.poll() is not None else ""))
            time.sleep(0.02)
        time.sleep(0.2)
        argv = [x if argv[i - 1] != "--warmup" else "0" for i, x in enumerate(argv)]
        r = rig.load(process, argv, None, 30, False)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(5)
        rig.end(name)
    if "error" in r: return r
    calls = {}
    for line in open(out):
        f = line.split()
        if len(f) >= 5 and f[0].replace(".", "").isdigit() and f[-1] != "total":
            calls[f[-1]] = calls.get(f[-1], 0) + int(f[3]) / max(1, r["requests"])
    return {k: v for k, v in sorted(calls.items(), key=lambda kv: -kv[1]) if v >= 0.01}


PARTS = {"wire": "`wire`: heads, framing, relaying", "proxy": "`proxy`: the journey of a call", "docker": "`docker`: what is asked", "policy": "`policy`, `judge`, `facts`: the decision",
         "audit": "`audit`", "runtime": "tokio, with what is compiled into its tasks", "scan": "memchr and httparse", "std": "the standard library and others", "libc": "the C library: copies, memory, system calls' wrappers", "kernel": "the kernel"}


def part_of(symbol, dso):
    """The part that a sample belongs to, by the crate and module of its function."""
    if "kernel" in dso or dso.endswith(".ko"): return "kernel"
    path = symbol.lstrip("<&").removeprefix("dyn ")
    if "::" not in path: return "libc"
    crate, module = path.split("::")[0], path.split("::")[1].split("<")[0]
    if crate == "quaygate": return {"judge": "policy", "facts": "policy"}.get(module, module if module in PARTS else "proxy")
    return {"tokio": "runtime", "mio": "runtime", "memchr": "scan", "httparse": "scan"}.get(crate, "std")


@guarded
def profile(rig, name, secs):
    """The share of each part in the proxy's CPU time, by perf's samples while load runs."""
    if not shutil.which("perf"):
        return {"error": "perf is not installed"}
    found = {}
    for what, argv in {"2 KiB list, 64 connections": requests(secs + 1.5, 64, LIST), "denial, 64 connections": requests(secs + 1.5, 64, DENY, "--expect", "403")}.items():
        process, data = rig.start(name), rig.work + "/perf.data"
        load = threading.Thread(target=rig.load, args=(process, argv, None, 30, False))
        load.start()
        time.sleep(0.5)
        try:
            subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-o", data, "-p", str(process.pid), "--", "sleep", str(secs)],
                           check=True, capture_output=True, text=True, timeout=30)
        finally:
            load.join()
            rig.end(name)
        text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,dso"], check=True, capture_output=True, text=True, timeout=60).stdout
        counts = dict.fromkeys(PARTS, 0)
        for row in re.findall(r"^\s*[0-9a-f]+ (.*) \((.*)\)$", text, re.M):
            counts[part_of(*row)] += 1
        if not sum(counts.values()): raise RuntimeError("perf took no samples")
        found[what] = {part: 100 * n / sum(counts.values()) for part, n in counts.items()}
    return found


@guarded
def threads(rig, binary, secs, rounds):
    """The gate on one core and on two, with one thread and with two."""
    cpus = os.cpu_count()
    if cpus < 2: return {"error": "needs two CPUs"}
    places = {"one core": ({1}, {0}), "two cores": ({0, 1}, {0, 1})}
    loads = {"2 KiB list, 64 connections": requests(secs, 64, LIST), "2 KiB list, one connection": requests(secs, 1, LIST),
             "connection per request, 10": requests(secs, 10, PING, "--close"),
             "four downloads": ["download", "--path", f"/v1.41/images/b{1 << 27}/get", "--conns", "4"]}
    for n in (1, 2): PEERS[f"threads-{n}"] = gate(binary, "--threads", str(n))
    seen = {}
    for turn in range(rounds):
        for what, argv in loads.items():
            for place, pinned in places.items():
                for n in ((1, 2) if turn % 2 == 0 else (2, 1)):
                    if not rig.late():
                        r = rig.cell(f"threads-{n}", argv, place, pinned=pinned)
                        seen.setdefault(what, {}).setdefault(f"{place}, --threads {n}", []).append(r)
    for n in (1, 2): rig.end(f"threads-{n}")
    return {what: {where: middle(rs) for where, rs in by.items()} for what, by in seen.items()}


TARGETS = {"none": 'allow = ["GET /containers/{id}/json"]\n', "label": '[[rule]]\nallow = "GET /containers/{id}/json"\ntarget.label = "app=web"\n'}
BY_NAME, BY_ID = "/v1.41/containers/web/json", "/v1.41/containers/" + "0123456789abcdef" * 4 + "/json"


@guarded
def targets(rig, binary, secs, rounds):
    """What it costs that a rule is about certain objects: nothing asked, remembered, asked."""
    for name, text in TARGETS.items():
        policy = f"{rig.work}/target-{name}.toml"
        with open(policy, "w") as out:
            out.write(text)
        PEERS["target-" + name] = gate(binary, policy=policy)
        rig.start("target-" + name)
    # The gate begins to listen to the engine's events, without which it remembers nothing.
    time.sleep(1)
    loads = {"a rule without a target": ("target-none", BY_NAME), "`target.label`, full id: remembered": ("target-label", BY_ID),
             "`target.label`, name: asked": ("target-label", BY_NAME)}
    seen = {}
    for turn in range(rounds):
        for what, (name, path) in (loads.items() if turn % 2 == 0 else list(loads.items())[::-1]):
            for conns in (1, 64):
                if rig.late(): break
                r = rig.cell(name, requests(secs, conns, path), f"targets {conns}")
                seen.setdefault(what, {}).setdefault(f"{conns} connection" + ("s" if conns > 1 else ""), []).append(r)
    for name in TARGETS: rig.end("target-" + name)
    return {what: {conns: middle(rs) for conns, rs in by.items()} for what, by in seen.items()}


def middle(results):
    """Medians of what several runs measured; the error if none did."""
    good = [r for r in results if "error" not in r]
    if not good: return {"error": results[-1]["error"]}
    m = {"runs": len(good)}
    for k in good[0]:
        v = [r.get(k) for r in good]
        m[k] = statistics.median(v) if all(isinstance(x, (int, float)) for x in v) else v[-1]
    for k in ("errors", "bad_status"):
        if k in m: m[k] = sum(r[k] for r in good)
    if "rps" in m: m["rps_min"], m["rps_max"] = min(r["rps"] for r in good), max(r["rps"] for r in good)
    return m
