"""One run: the stub, the proxies beside it, and cells of load through them. A cell that fails is a value, not an end."""
import json, os, shutil, subprocess, sys, tempfile, threading, time

from .peers import LOAD, PEERS, RIG
from .processes import Process, cpu_seconds, kernel_ticks, memory, pin, stolen

ALL_CPUS = set(range(os.cpu_count()))


class Rig:
    def __init__(self, budget):
        self.t0, self.budget, self.cut = time.time(), budget, False
        self.work = tempfile.mkdtemp(prefix="dsb")
        self.procs = {}
        self.up = self.work + "/up.sock"
        self.stub = None

    def __enter__(self):
        self.stub = Process("stub", [RIG + "/stub", "--listen", self.up], self.up, self.work)
        return self

    def __exit__(self, *_):
        for process in [*self.procs.values(), self.stub]:
            if process:
                process.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def elapsed(self):
        return time.time() - self.t0

    def late(self):
        """No new cell starts after the budget."""
        self.cut = self.cut or self.elapsed() > self.budget
        return self.cut

    def say(self, *words):
        print(f"[{self.elapsed():6.1f}s]", *words, file=sys.stderr, flush=True)

    def folder(self, name):
        path = f"{self.work}/{name}"
        os.makedirs(path, exist_ok=True)
        return path

    def start(self, name, peer=None, cpus=None):
        """A proxy under this name; one that is there is replaced. None for no proxy. On `cpus` from its first moment, if
        they are given, so that it finds as many as it has."""
        peer = peer or PEERS[name]
        key = where(name, cpus)
        self.end(key)
        if peer is None:
            return None
        folder = self.folder(key)
        listen = folder + "/p.sock"
        self.procs[key] = Process(key, peer(folder, listen, self.up), listen, self.work, cpus)
        return self.procs[key]

    def end(self, name):
        """Ends the proxy of this name, wherever it runs."""
        for key in [key for key in self.procs if key == name or key.startswith(name + "-on-")]:
            self.procs.pop(key).stop()

    def cell(self, name, argv, what="", pinned=None, timeout=40, sample=False):
        """Load through one proxy. `pinned`: (CPUs of the proxy, CPUs of stub and generator)."""
        cpus = pinned[0] if pinned and name in PEERS else None
        process = self.procs.get(where(name, cpus))
        try:
            if PEERS.get(name, ()) is not None and not (process and process.alive()):
                process = self.start(name, cpus=cpus)
            if pinned:
                pin(self.stub.pid, pinned[1])
                if process: pin(process.pid, pinned[0])
            result = self.load(process, argv, pinned and pinned[1], timeout, sample)
            if process and not process.alive():
                result = {"error": "the proxy died"}
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
            result = {"error": f"{type(error).__name__}: {error}"}
        finally:
            if pinned:
                pin(self.stub.pid, ALL_CPUS)
                if process and not cpus: pin(process.pid, ALL_CPUS)
        self.say(f"{what:14} {name:16} " + brief(result))
        return result

    def load(self, process, argv, cpus, timeout, sample):
        pid = process.pid if process else 0
        before, ticks = (cpu_seconds(pid), cpu_seconds(self.stub.pid)), kernel_ticks(pid)
        steal, extra, result = stolen(), {}, None
        own = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        generator = subprocess.Popen([LOAD, argv[0], "--sock", process.sock if process else self.up, *argv[1:]],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=own)
        killer = threading.Timer(timeout, generator.kill)
        killer.start()
        try:
            for line in generator.stdout:
                said = json.loads(line)
                mark = said.get("mark")
                if mark == "start":
                    if sample: extra.update(memory(pid))
                    ticks = kernel_ticks(pid)
                    before = (cpu_seconds(pid), cpu_seconds(self.stub.pid))
                elif mark == "rtt_done":
                    now = cpu_seconds(pid)
                    extra["cpu_us_per_rtt"] = (now - before[0]) * 1e6 / max(1, said["count"])
                    before = (now, before[1])
                elif mark == "ready":
                    time.sleep(0.2)
                    extra.update(memory(pid))
                    extra.update(ready=said["ready"], open_secs=said["open_secs"])
                else:
                    result = said
        finally:
            killer.cancel()
        generator.wait()
        used = (cpu_seconds(pid) - before[0], cpu_seconds(self.stub.pid) - before[1])
        user, kernel = (now - then for now, then in zip(kernel_ticks(pid), ticks))
        if result is None:
            return {"error": "no result (too slow or crashed): " + generator.stderr.read()[-200:]}
        if "error" in result:
            return result
        now = stolen()
        result.update(extra, steal_pct=round(100 * (now[0] - steal[0]) / max(1, now[1] - steal[1]), 1))
        if "requests" in result:
            result["cpu_us_per_req"] = used[0] * 1e6 / max(1, result["requests"])
            result["kernel_pct"] = 100 * kernel / max(1, user + kernel)
            result["stub_us_per_req"] = used[1] * 1e6 / max(1, result["requests"])
        if "bytes" in result:
            result["cpu_s_per_gib"] = used[0] / max(1, result["bytes"]) * (1 << 30)
        return result


def where(name, cpus):
    return f"{name}-on-{'-'.join(map(str, sorted(cpus)))}" if cpus else name


def brief(r):
    if "error" in r:
        return "FAIL " + " ".join(r["error"].split())[:120]
    if "rps" in r:
        wrong = f" ERR {r['errors']} BAD {r['bad_status']} {r['first_error']}" if r["errors"] or r["bad_status"] else ""
        return f"{r['rps']:9.0f} rps p50 {r['p50_us']:8.1f} p99 {r['p99_us']:8.1f} cpu {r['cpu_us_per_req']:6.2f} us/req steal {r['steal_pct']}%{wrong}"
    if "mb_per_s" in r:
        return f"{r['mb_per_s']:8.0f} MB/s cpu {r['cpu_s_per_gib']:.3f} s/GiB"
    if "rtts" in r:
        return f"rtt p50 {r['p50_us']:.1f} p99 {r['p99_us']} us, echo {r['echo_mb_per_s']} MB/s, half-close {r['half_close_eof']} got {r['echo_got']}/{r['echo_sent']}"
    return json.dumps(r)[:150]
