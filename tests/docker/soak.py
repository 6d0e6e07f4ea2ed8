#!/usr/bin/env python3
"""Mixed load through two gates of one process, and a verdict.

    soak.py --minutes M --gate PATH --engine DIR --logs DIR [--cpu SHARE] [--seed N]

scripts/soak calls this; docs/soak.md says what is measured and what was found. Every request of
every client is counted on the client's side: raw clients count their own, programs (the docker
CLI, curl) reach the gate through a tap that counts the heads it passes on. At the end the audit
log must account for exactly as many calls, policy by policy.

The load comes in rounds. After each round every client is gone, and descriptors and connections
to the engine must be back where they were; memory is measured at that moment.
"""
import argparse, collections, json, os, random, select, signal, socket, statistics, subprocess, sys
import tempfile, threading, time

IMAGE = "quaygate-soak:latest"
PATIENCE = 60
# On busy machines the programs of a round need a moment to be gone.
QUIET = 45

POLICIES = {
    "worker": """description = "what the soak's clients need to work with containers"
allow = [
  "GET /_ping", "GET /version", "GET /info", "GET /events",
  "GET /containers/json", "GET /containers/{id}/json", "GET /containers/{id}/logs",
  "POST /containers/create", "POST /containers/{id}/start", "POST /containers/{id}/wait",
  "POST /containers/{id}/attach", "POST /containers/{id}/resize", "POST /containers/{id}/kill",
  "POST /containers/{id}/exec", "POST /exec/{id}/start", "GET /exec/{id}/json",
  "DELETE /containers/{id}", "GET /images/json", "GET /images/{name}/json",
  "GET /images/{name}/get", "GET /images/get", "POST /images/load", "POST /build",
]
""",
    "viewer": """description = "what the soak's onlookers need"
allow = [
  "GET /_ping", "GET /version", "GET /info", "GET /events", "GET /containers/json",
  "GET /containers/{id}/json", "GET /containers/{id}/logs", "GET /images/json",
]
""",
}


class Broken(Exception):
    """A client did not see what it must see."""


# === counting ===

class Tally:
    """What clients sent, and what they saw."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = collections.Counter()
        self.statuses = collections.Counter()
        self.scenes = collections.Counter()
        self.broken = []

    def call(self, gate, count=1):
        with self.lock:
            self.calls[gate] += count

    def status(self, status):
        with self.lock:
            self.statuses[status] += 1

    def scene(self, name):
        with self.lock:
            self.scenes[name] += 1

    def fail(self, name, error):
        with self.lock:
            self.broken.append(f"{name}: {error}")


class Heads:
    """Counts the request heads in what a well-behaved client sends."""

    def __init__(self, count):
        self.count, self.held, self.left, self.mode = count, b"", 0, "head"

    def feed(self, data):
        while data:
            if self.mode == "raw":
                return
            if self.mode == "body":
                used = min(self.left, len(data))
                self.left -= used
                data = data[used:]
                if self.left == 0:
                    self.mode = self.after
                continue
            self.held += data
            if self.mode == "head":
                end = self.held.find(b"\r\n\r\n")
                if end < 0:
                    return
                head, data, self.held = self.held[:end], self.held[end + 4:], b""
                self.count()
                self.begin(head)
            elif self.mode in ("size", "crlf"):
                end = self.held.find(b"\r\n")
                if end < 0:
                    return
                line, data, self.held = self.held[:end], self.held[end + 2:], b""
                if self.mode == "crlf":
                    self.mode = "size" if self.more else "head"
                    continue
                size = int(line, 16)
                self.more = size > 0
                self.left, self.mode, self.after = (size, "body", "crlf") if size else (0, "crlf", None)

    def begin(self, head):
        fields = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            fields[name.strip().lower()] = value.strip().lower()
        if b"upgrade" in fields:
            self.mode = "raw"
        elif fields.get(b"transfer-encoding") == b"chunked":
            self.mode = "size"
        elif int(fields.get(b"content-length", b"0")):
            self.left, self.mode, self.after = int(fields[b"content-length"]), "body", "head"


class Tap:
    """A socket before a gate's, which counts what passes and changes nothing."""

    ROOM = 64 * 1024

    def __init__(self, path, target, count):
        self.path, self.target, self.count, self.open = path, target, count, 0
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(256)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            with self.lock:
                self.open += 1
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        gate = socket.socket(socket.AF_UNIX)
        try:
            gate.connect(self.target)
            self.relay(client, gate)
        finally:
            client.close()
            gate.close()
            with self.lock:
                self.open -= 1

    def relay(self, client, gate):
        heads = Heads(self.count)
        for end in (client, gate):
            end.setblocking(False)
        pending = {client: b"", gate: b""}       # bytes for that end
        other = {client: gate, gate: client}
        ended, shut, gone = set(), set(), set()  # sends no more; was told so; is no more
        poller = select.poll()
        by_fd = {client.fileno(): client, gate.fileno(): gate}
        while True:
            for end in (client, gate):
                events = 0
                if end not in ended and not pending[other[end]]:
                    events |= select.POLLIN
                if pending[end]:
                    events |= select.POLLOUT
                poller.register(end, events)
            for fd, happened in poller.poll(1000):
                end = by_fd[fd]
                if happened & (select.POLLIN | select.POLLHUP) and end not in ended and not pending[other[end]]:
                    try:
                        data = end.recv(self.ROOM)
                    except BlockingIOError:
                        continue
                    except OSError:
                        data = b""
                    if not data:
                        ended.add(end)
                    elif end is client:
                        heads.feed(data)
                    pending[other[end]] += data
                if happened & (select.POLLHUP | select.POLLERR):
                    gone.add(end)
            for end in (client, gate):
                if pending[end]:
                    try:
                        pending[end] = pending[end][end.send(pending[end]):]
                    except BlockingIOError:
                        pass
                    except OSError:
                        pending[end] = b""
                        gone.add(end)
                if not pending[end] and other[end] in ended and end not in shut:
                    shut.add(end)
                    try:
                        end.shutdown(socket.SHUT_WR)
                    except OSError:
                        gone.add(end)
            # What a vanished end had sent goes on first.
            if any(end in gone and end in ended and not pending[other[end]] for end in (client, gate)):
                return
            if len(ended) == 2 and not any(pending.values()):
                return


# === clients ===

class Answer:
    def __init__(self, status, fields, body, whole):
        self.status, self.fields, self.body, self.whole = status, fields, body, whole


class Raw:
    """A client that speaks bytes and counts its calls."""

    def __init__(self, soak, gate):
        self.soak, self.gate, self.held = soak, gate, b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(soak.sockets[gate])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, calls=0):
        """Sends bytes that hold this many complete heads which the gate will answer."""
        self.socket.sendall(data)
        self.soak.tally.call(self.gate, calls)

    def read(self):
        data = self.socket.recv(65536)
        self.held += data
        return bool(data)

    def head(self):
        """The next final head; None when the gate closed."""
        while True:
            end = self.held.find(b"\r\n\r\n")
            if end < 0:
                try:
                    if not self.read():
                        return None
                except ConnectionResetError:
                    return None
                continue
            lines, self.held = self.held[:end].split(b"\r\n"), self.held[end + 4:]
            status = int(lines[0].split()[1])
            if status != 100:
                fields = {}
                for line in lines[1:]:
                    name, _, value = line.partition(b":")
                    fields[name.strip().lower().decode()] = value.strip().decode()
                self.soak.tally.status(status)
                return status, fields

    def take(self, count):
        while len(self.held) < count:
            if not self.read():
                return None
        out, self.held = self.held[:count], self.held[count:]
        return out

    def line(self):
        while b"\r\n" not in self.held:
            if not self.read():
                return None
        out, _, self.held = self.held.partition(b"\r\n")
        return out

    def answer(self):
        got = self.head()
        if got is None:
            return None
        status, fields = got
        if fields.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                line = self.line()
                if line is None:
                    return Answer(status, fields, body, False)
                size = int(line, 16)
                data = self.take(size + 2)
                if data is None:
                    return Answer(status, fields, body, False)
                body += data[:-2]
                if size == 0:
                    return Answer(status, fields, body, True)
        if "content-length" in fields:
            body = self.take(int(fields["content-length"]))
            return Answer(status, fields, body, body is not None)
        return Answer(status, fields, b"", True)


def request(method, target, body=None, fields=""):
    framing = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{method} {target} HTTP/1.1\r\nHost: docker\r\n{framing}{fields}\r\n".encode() + (body or b"")


UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


# === the soak ===

class Soak:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.tally = Tally()
        self.logs = options.logs
        self.dir = tempfile.mkdtemp(prefix="qgs")
        self.engine_dir = options.engine
        self.engine = os.path.join(options.engine, "docker.sock")
        self.sockets = {name: f"{self.dir}/run/{name}/docker.sock" for name in POLICIES}
        self.epoch, self.engine_up = 0, True
        self.stop = threading.Event()
        self.pace = 1.0
        self.failures = []
        self.samples = []
        self.group = cpu_group()

    def say(self, text):
        line = f"{time.strftime('%H:%M:%S')} {text}"
        print(line, flush=True)

    # --- pieces

    def engine_verb(self, verb):
        script = os.path.join(os.path.dirname(__file__), "../../scripts/engine")
        done = subprocess.run([script, verb, self.engine_dir], stdin=subprocess.DEVNULL,
                              stdout=open(f"{self.logs}/engine.log", "a"), stderr=subprocess.STDOUT)
        if done.returncode:
            raise Broken(f"scripts/engine {verb} failed; see engine.log")

    def start_gate(self):
        words = []
        for name, text in POLICIES.items():
            with open(f"{self.dir}/{name}.toml", "w") as file:
                file.write(text)
            words.append(file.name)
        self.audit = f"{self.logs}/audit.jsonl"
        if os.path.exists(self.audit):
            os.remove(self.audit)
        log = open(f"{self.logs}/gate.log", "w")
        self.gate = subprocess.Popen(
            [self.options.gate, "run", *words, "--docker", f"unix://{self.engine}",
             "--runtime-dir", f"{self.dir}/run", "--audit", self.audit],
            env={}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait("the gate listens", lambda: all(map(listens, self.sockets.values())))
        self.taps = {name: Tap(f"{self.dir}/{name}.tap", path, lambda name=name: self.tally.call(name))
                     for name, path in self.sockets.items()}

    def wait(self, what, fact, patience=PATIENCE):
        end = time.monotonic() + patience
        while not fact():
            if time.monotonic() > end:
                raise Broken(f"waited {patience} s in vain: {what}")
            time.sleep(0.05)

    def environment(self, socket_path):
        return {"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{socket_path}",
                "DOCKER_CONFIG": "/nonexistent", "DOCKER_BUILDKIT": "0"}

    def cli(self, gate, *words, input=b"", check=True):
        """The docker CLI to its end, through a tap."""
        done = subprocess.run(["docker", *words], env=self.environment(self.taps[gate].path), input=input,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if check and done.returncode:
            raise Broken(f"docker {' '.join(words)}: {done.returncode} {done.stderr.decode()[-300:]}")
        return done

    def direct(self, *words, check=False):
        done = subprocess.run(["docker", *words], env=self.environment(self.engine), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if check and done.returncode:
            raise Broken(f"docker {' '.join(words)}: {done.stderr.decode()[-300:]}")
        return done.stdout.decode()

    def background(self, gate, *words, stdin=subprocess.DEVNULL, program="docker"):
        return subprocess.Popen([program, *words], env=self.environment(self.taps[gate].path), stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def kill_after(self, child, most, read=True):
        """Kills a client in mid-stream."""
        end = time.monotonic() + self.random.uniform(0.3, most)
        while time.monotonic() < end and child.poll() is None:
            if read and select.select([child.stdout], [], [], 0.1)[0]:
                os.read(child.stdout.fileno(), 65536)
            elif not read:
                time.sleep(0.1)
        child.send_signal(signal.SIGKILL)
        child.stdout.close()
        child.wait()

    def keeper(self):
        self.direct("rm", "-f", "qgs-keeper")
        self.direct("run", "-d", "--init", "--name", "qgs-keeper", IMAGE, "sh", "-c",
                    "i=0; while true; do i=$((i+1)); echo tick $i; sleep 1; done", check=True)

    def name(self):
        return f"qgs-{self.random.getrandbits(48):012x}"

    # --- scenes: programs

    def scene_ps(self):
        out = self.cli(self.random.choice(["worker", "viewer"]), "ps", "-a").stdout
        if b"qgs-keeper" not in out:
            raise Broken("ps does not show the keeper")

    def scene_run(self):
        if self.cli("worker", "run", "--rm", "--name", self.name(), IMAGE, "echo", "hi").stdout != b"hi\n":
            raise Broken("run lost its output")

    def scene_run_input(self):
        sent = os.urandom(self.random.randrange(1, 300_000))
        got = self.cli("worker", "run", "--rm", "-i", "--name", self.name(), IMAGE, "cat", input=sent).stdout
        if got != sent:
            raise Broken(f"run -i changed {len(sent)} bytes into {len(got)}")

    def scene_run_killed(self):
        child = self.background("worker", "run", "--rm", "-i", "--name", self.name(), IMAGE, "cat",
                                stdin=subprocess.PIPE)
        try:
            child.stdin.write(b"x" * 1000)
            child.stdin.flush()
        except BrokenPipeError:
            pass
        self.kill_after(child, 3)
        child.stdin = None

    def scene_exec(self):
        code = self.random.choice([0, 3, 42])
        done = self.cli("worker", "exec", "-i", "qgs-keeper", "sh", "-c", f"wc -c; exit {code}",
                        input=b"y" * 50_000, check=False)
        if (done.returncode, done.stdout.strip()) != (code, b"50000"):
            raise Broken(f"exec: {done}")

    def scene_logs_killed(self):
        self.kill_after(self.background(self.random.choice(["worker", "viewer"]), "logs", "-f", "qgs-keeper"), 4)

    def scene_events_killed(self):
        self.kill_after(self.background(self.random.choice(["worker", "viewer"]), "events"), 6)

    def scene_build(self):
        tag = self.name()
        with tempfile.TemporaryDirectory(prefix="qgsb") as context:
            with open(f"{context}/Dockerfile", "w") as file:
                file.write(f"FROM {IMAGE}\nCOPY data /data\n")
            with open(f"{context}/data", "wb") as file:
                file.write(os.urandom(300_000))
            self.cli("worker", "build", "-t", tag, context)
        self.direct("rmi", "-f", tag)

    def scene_save_load(self):
        saved = self.cli("worker", "save", IMAGE).stdout
        if b"Loaded image" not in self.cli("worker", "load", input=saved).stdout:
            raise Broken("load did not load what was saved")

    def scene_save_killed(self):
        self.kill_after(self.background("worker", "save", IMAGE), 0.5, read=False)

    def scene_load_killed(self):
        child = self.background("worker", "load", stdin=subprocess.PIPE)
        try:
            child.stdin.write(b"\0" * 200_000)
            child.stdin.flush()
        except BrokenPipeError:
            pass
        self.kill_after(child, 2, read=False)

    def scene_denied_cli(self):
        done = self.cli("viewer", "run", "--rm", IMAGE, "true", check=False)
        if done.returncode == 0 or b"ContainerCreate" not in done.stderr:
            raise Broken(f"not denied: {done}")
        if b"VolumeCreate" not in self.cli("worker", "volume", "create", "x", check=False).stderr:
            raise Broken("volume create was not denied")

    def curl(self, gate, *words, kill=None):
        child = self.background(gate, "-sS", "--unix-socket", self.taps[gate].path, *words, program="curl")
        if kill:
            self.kill_after(child, kill)
            return b""
        out = child.stdout.read()
        child.stdout.close()
        child.wait()
        return out

    def scene_curl(self):
        if b"qgs-keeper" not in self.curl("viewer", "http:/v1.41/containers/json"):
            raise Broken("curl does not see the keeper")
        if b"VolumeList" not in self.curl("viewer", "http://d/volumes"):
            raise Broken("curl was not denied")

    def scene_curl_killed(self):
        self.curl(self.random.choice(["worker", "viewer"]), "-N", "http://d/events", kill=3)

    def scene_curl_slow(self):
        self.curl("worker", "--limit-rate", "40k", f"http://d/images/{IMAGE}/get", kill=5)

    # --- scenes: bytes

    def scene_keep_alive(self):
        with Raw(self, self.random.choice(["worker", "viewer"])) as client:
            for _ in range(self.random.randrange(2, 40)):
                target = self.random.choice(["/containers/json?all=1", "/version", "/images/json", "/_ping"])
                client.send(request("GET", target), 1)
                answer = client.answer()
                if answer is None or answer.status != 200:
                    raise Broken(f"GET {target}: {answer and answer.status}")

    def scene_pipelined(self):
        count = self.random.randrange(2, 20)
        with Raw(self, "viewer") as client:
            client.send(b"".join(request("GET", "/version") for _ in range(count)))
            for _ in range(count):
                answer = client.answer()
                if answer is None:
                    raise Broken("a pipelined request has no answer")
                # After an answer that closes nothing more is read.
                self.tally.call("viewer")
                if answer.status != 200:
                    raise Broken(f"pipelined: {answer.status}")

    def scene_denials(self):
        """A flood of one kind: the audit log sums it."""
        with Raw(self, "viewer") as client:
            for _ in range(self.random.randrange(20, 300)):
                client.send(request("DELETE", "/containers/x"), 1)
                if client.answer().status != 403:
                    raise Broken("not denied")

    def scene_denied_body(self):
        with Raw(self, "viewer") as client:
            head = request("POST", "/containers/create", b"x" * self.random.choice([10, 70_000, 900_000]))
            client.send(head, 1)
            if client.answer().status != 403:
                raise Broken("not denied")

    def scene_garbage(self):
        for _ in range(5):
            with Raw(self, self.random.choice(["worker", "viewer"])) as client:
                line = bytes(self.random.randrange(0x80, 0xff) for _ in range(self.random.randrange(1, 400)))
                client.send(line + b"\r\n\r\n", 1)
                answer = client.answer()
                if answer is None or answer.status not in (400, 414, 431):
                    raise Broken(f"garbage: {answer and answer.status}")

    def scene_half_head(self):
        """Left in the middle of a head: not a call."""
        with Raw(self, "viewer") as client:
            client.send(b"GET /version HTTP/1.1\r\nHos")
            time.sleep(0.1)

    def scene_slow_head(self):
        with Raw(self, "viewer") as client:
            client.send(b"GET /version HTTP/1.1\r\nHos", 1)
            if client.answer().status != 408:
                raise Broken("a slow head was not given up")

    def scene_half_close(self):
        with Raw(self, "worker") as client:
            client.send(request("GET", "/containers/json"), 1)
            client.socket.shutdown(socket.SHUT_WR)
            answer = client.answer()
            if answer is None or answer.status != 200 or not answer.whole:
                raise Broken("no answer after a half-close")

    def scene_half_closed_stream(self):
        """Says that it sends no more, listens for a moment, then leaves."""
        with Raw(self, "viewer") as client:
            client.send(request("GET", "/events"), 1)
            client.socket.shutdown(socket.SHUT_WR)
            client.socket.settimeout(1)
            try:
                while client.read():
                    pass
            except (TimeoutError, ConnectionResetError):
                pass

    def scene_slow_reader(self):
        with Raw(self, "worker") as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send(request("GET", f"/images/{IMAGE}/get"), 1)
            end = time.monotonic() + self.random.uniform(1, 6)
            while time.monotonic() < end and client.socket.recv(2048):
                time.sleep(0.05)

    def scene_upload_cut(self):
        with Raw(self, "worker") as client:
            head = request("POST", "/images/load", fields="Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n")
            client.send(head + b"8000\r\n" + b"\0" * 0x4000, 1)
            if self.random.random() < 0.5:
                # A lie: the chunk does not end where it said.
                client.socket.sendall(b"\0" * 0x4000 + b"lie")
                client.answer()

    def create_exec(self, client, command):
        client.send(request("POST", "/containers/qgs-keeper/exec", json.dumps(
            {"AttachStdin": True, "AttachStdout": True, "Cmd": command}).encode()), 1)
        answer = client.answer()
        if answer is None or answer.status != 201:
            raise Broken(f"exec create: {answer and answer.status}")
        return json.loads(answer.body)["Id"]

    def scene_tunnel(self, end=True):
        upgrade = self.random.random() < 0.5
        with Raw(self, "worker") as client:
            id = self.create_exec(client, ["cat"])
            client.send(request("POST", f"/exec/{id}/start", b'{"Detach":false,"Tty":false}',
                                UPGRADE if upgrade else ""), 1)
            got = client.head()
            if got is None or got[0] != (101 if upgrade else 200):
                raise Broken(f"exec start: {got}")
            client.send(b"hello over there\n")
            if client.take(8 + 17) is None:
                raise Broken("the tunnel ended before the echo came")
            if end:
                client.socket.shutdown(socket.SHUT_WR)
                while client.read():
                    pass

    def scene_tunnel_killed(self):
        self.scene_tunnel(end=False)

    def scene_idle_crowd(self):
        crowd = [Raw(self, "viewer") for _ in range(40)]
        time.sleep(0.3)
        for client in crowd:
            client.socket.close()

    def scene_abandoned(self):
        """Asks and leaves at once."""
        for _ in range(5):
            with Raw(self, "worker") as client:
                client.send(request("GET", "/containers/json"), 1)

    # --- running

    LIGHT = ["curl", "keep_alive", "pipelined", "denials", "denied_body", "garbage", "half_head", "half_close",
             "half_closed_stream", "slow_reader", "upload_cut", "idle_crowd", "abandoned", "tunnel", "tunnel_killed",
             "curl_killed", "ps"]
    HEAVY = ["run", "run_input", "run_killed", "exec", "logs_killed", "events_killed", "build", "save_load",
             "save_killed", "load_killed", "denied_cli", "curl_slow", "slow_head"]

    def actor(self, names):
        names = list(names)
        self.random.shuffle(names)
        turn = 0
        while not self.stop.is_set():
            name = names[turn % len(names)]
            turn += 1
            before = (self.epoch, self.engine_up)
            try:
                getattr(self, f"scene_{name}")()
                self.tally.scene(name)
            except Exception as error:
                # What an engine that is being restarted did to a client is no fault.
                if before == (self.epoch, True) and self.engine_up:
                    self.tally.fail(name, repr(error))
                else:
                    self.tally.scene(f"{name} (disturbed)")
            self.stop.wait(self.pace * self.random.uniform(0.5, 1.5))

    def restart_engine(self, hard):
        self.engine_up = False
        self.epoch += 1
        self.say("the engine is killed and started again" if hard else "the engine is stopped and started again")
        if hard:
            os.kill(int(open(f"{self.engine_dir}/dockerd.pid").read()), signal.SIGKILL)
            time.sleep(1)
        self.engine_verb("stop")
        time.sleep(2)
        self.engine_verb("start")
        self.keeper()
        time.sleep(1)
        self.engine_up = True

    def round(self, number, seconds, restart):
        self.stop.clear()
        started, used = time.monotonic(), self.cpu()
        actors = [threading.Thread(target=self.actor, args=(names,))
                  for names in (self.LIGHT, self.LIGHT, self.HEAVY, self.HEAVY, self.LIGHT + self.HEAVY)]
        for actor in actors:
            actor.start()
        restarted = False
        while time.monotonic() < started + seconds:
            time.sleep(1)
            if restart and not restarted and time.monotonic() > started + seconds / 3:
                self.restart_engine(hard=restart == "hard")
                restarted = True
            # Keeps the load at its share of a core.
            spent = time.monotonic() - started
            if used is not None and spent > 5:
                share = (self.cpu() - used) / spent
                self.pace = min(20.0, max(0.05, self.pace * (1.1 if share > self.options.cpu else 0.9)))
        self.stop.set()
        for actor in actors:
            actor.join()
        spent = time.monotonic() - started
        share = None if used is None else (self.cpu() - used) / spent
        left = [line for line in self.direct("ps", "-aq", "--filter", "name=qgs-").split()]
        keeper = self.direct("ps", "-aq", "--filter", "name=qgs-keeper").split()
        for id in set(left) - set(keeper):
            self.direct("rm", "-f", id)
        self.quiet(number, share)

    def quiet(self, number, share):
        """Everybody is gone: so is everything that was held for them."""
        try:
            self.wait("the taps are empty", lambda: not any(tap.open for tap in self.taps.values()), QUIET)
            self.wait("the gate gave back its descriptors", lambda: self.descriptors() <= self.baseline, QUIET)
            self.wait("the engine has no connections", lambda: self.engine_connections() == 0, QUIET)
        except Broken as error:
            self.failures.append(f"round {number}: {error}; descriptors {self.descriptors()} (baseline {self.baseline}), "
                                 f"connections at the engine {self.engine_connections()}")
        sample = {
            "round": number, "at": round(time.monotonic() - self.begun), "rss_kib": memory(self.gate.pid),
            "descriptors": self.descriptors(), "threads": len(os.listdir(f"/proc/{self.gate.pid}/task")),
            "engine_connections": self.engine_connections(), "engine_goroutines": self.goroutines(),
            "calls": sum(self.tally.calls.values()), "cpu_share": share and round(share, 3),
            "gate_cpu_s": round(cpu_seconds(self.gate.pid), 2), "broken": len(self.tally.broken),
        }
        self.samples.append(sample)
        with open(f"{self.logs}/samples.jsonl", "a") as file:
            file.write(json.dumps(sample) + "\n")
        self.say(" ".join(f"{key}={value}" for key, value in sample.items()))

    def cpu(self):
        if self.group is None:
            return None
        return int(open(f"{self.group}/cpuacct.usage").read()) / 1e9

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.gate.pid}/fd"))

    def engine_connections(self):
        """Accepted connections at the engine's socket, in its own network name space."""
        pid = open(f"{self.engine_dir}/dockerd.pid").read().strip()
        lines = open(f"/proc/{pid}/net/unix").read().splitlines()
        return sum(1 for line in lines if line.endswith(f" {self.engine}") and line.split()[5] == "03")

    def goroutines(self):
        out = subprocess.run(["curl", "-s", "--max-time", "5", "--unix-socket", self.engine,
                              "http://d/debug/pprof/goroutine?debug=1"], stdout=subprocess.PIPE).stdout
        self.wait("our own question is over", lambda: self.engine_connections() == 0, 10)
        try:
            return int(out.split(b"\n")[0].split()[-1])
        except (IndexError, ValueError):
            return None

    def run(self):
        import_image(self)
        self.keeper()
        self.start_gate()
        self.begun = time.monotonic()
        # One of each first: what is made once (pools, buffers, the log) belongs to the baseline.
        self.baseline = 10 ** 6
        self.quiet(0, None)
        time.sleep(1)
        self.baseline = self.descriptors()
        self.say(f"baseline: {self.baseline} descriptors")
        total = self.options.minutes * 60
        # Long enough for every scene, short enough for a slope.
        length = max(30, min(100, total / 8))
        rounds = max(4, int(total // length))
        for number in range(1, rounds + 1):
            restart = {3: "soft", 0: "hard"}.get(number % 6) if rounds >= 6 else None
            self.round(number, length, restart)
            if self.gate.poll() is not None:
                self.failures.append(f"the gate ended with {self.gate.returncode}")
                break
        self.finish()

    def finish(self):
        self.gate.send_signal(signal.SIGTERM)
        try:
            code = self.gate.wait(30)
        except subprocess.TimeoutExpired:
            code = "no end within 30 s"
        if code != 0:
            self.failures.append(f"the gate ended with {code}")
        self.failures += [f"scene {broken}" for broken in self.tally.broken[:20]]
        self.accounts()
        self.memory_verdict()
        self.say("statuses seen by raw clients: " + json.dumps(dict(sorted(self.tally.statuses.items()))))
        self.say("scenes: " + json.dumps(dict(sorted(self.tally.scenes.items()))))
        for failure in self.failures:
            self.say(f"FAILED {failure}")
        self.say("verdict: " + ("FAILED" if self.failures else "passed"))

    def accounts(self):
        """Every call once: in a final record, or in a count."""
        found, kinds, opened, closed = (collections.Counter() for _ in range(4))
        for line in open(self.audit):
            record = json.loads(line)
            kinds[record["kind"]] += 1
            if record["kind"] == "open":
                opened[record["id"]] += 1
            elif record["kind"] == "final":
                closed[record["id"]] += 1
                found[record["policy"]] += 1
            else:
                found[record["policy"]] += record["count"]
        for gate in POLICIES:
            self.say(f"calls at {gate}: {self.tally.calls[gate]} sent, {found[gate]} in the audit log")
            if self.tally.calls[gate] != found[gate]:
                self.failures.append(f"{gate}: {self.tally.calls[gate]} calls sent, {found[gate]} accounted for")
        self.say("records: " + json.dumps(dict(kinds)))
        for what, ids in (("twice opened", [i for i, n in opened.items() if n > 1]),
                          ("twice closed", [i for i, n in closed.items() if n > 1]),
                          ("opened and never closed", [i for i in opened if i not in closed])):
            if ids:
                self.failures.append(f"{what}: {ids[:10]}")
        if kinds["dropped"]:
            self.failures.append(f"{kinds['dropped']} dropped records")

    def memory_verdict(self):
        """Memory after the rounds: no growth beyond what one more buffer here and there explains."""
        later = self.samples[1 + len(self.samples) // 4:]
        if len(later) < 4:
            return
        times, sizes = [s["at"] for s in later], [s["rss_kib"] for s in later]
        slope = statistics.linear_regression(times, sizes).slope * 3600
        half = len(sizes) // 2
        growth = statistics.median(sizes[half:]) - statistics.median(sizes[:half])
        peak = max(s["rss_kib"] for s in self.samples)
        self.say(f"memory after a quarter: slope {slope:.0f} KiB/h, second half minus first half {growth:.0f} KiB, "
                 f"largest {peak} KiB")
        if growth > 1024:
            self.failures.append(f"memory grew by {growth:.0f} KiB")


# === the machine ===

def listens(path):
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)
        return True
    except OSError:
        return False


def memory(pid):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_group():
    """The cpuacct group that scripts/soak put us and the engine in, if there is one."""
    for line in open("/proc/self/cgroup"):
        _, controllers, path = line.strip().split(":", 2)
        if "cpuacct" in controllers.split(",") and "quaygate-soak" in path:
            return f"/sys/fs/cgroup/cpuacct{path}"
    return None


def import_image(soak):
    with tempfile.TemporaryDirectory(prefix="qgsi") as root:
        os.makedirs(f"{root}/bin")
        os.makedirs(f"{root}/tmp")
        busybox = subprocess.check_output(["sh", "-c", "command -v busybox"], text=True).strip()
        subprocess.check_call(["cp", "-L", busybox, f"{root}/bin/busybox"])
        for applet in ("sh", "cat", "echo", "sleep", "wc", "true"):
            os.symlink("busybox", f"{root}/bin/{applet}")
        tar = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(["docker", "import", "-", IMAGE], env=soak.environment(soak.engine), stdin=tar.stdout,
                       stdout=subprocess.DEVNULL, check=True)
        tar.wait()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, required=True)
    arguments.add_argument("--gate", required=True)
    arguments.add_argument("--engine", required=True)
    arguments.add_argument("--logs", required=True)
    arguments.add_argument("--cpu", type=float, default=10.0)
    arguments.add_argument("--seed", type=int, default=1)
    soak = Soak(arguments.parse_args())
    try:
        soak.run()
    finally:
        if soak.gate.poll() is None:
            soak.gate.kill()
        subprocess.run(["rm", "-rf", soak.dir])
    sys.exit(1 if soak.failures else 0)


main()
