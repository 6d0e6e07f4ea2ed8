"""The stage on which a client plays: a private engine, the test image, the gate before it."""

import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
IMAGE = "base:latest"
APPLETS = "sh cat echo sleep ls ps top true false wc stty id head tail seq env pwd dd sha256sum httpd touch grep cmp mkdir".split()


def wait_until(what, fact):
    end = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > end:
            raise SystemExit(f"waited a minute in vain: {what}")
        time.sleep(0.02)


class Unix(http.client.HTTPConnection):
    def __init__(self, path, timeout=PATIENCE):
        super().__init__("docker", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """A Docker engine of its own, by scripts/engine; or podman, which serves Docker's API as well."""

    def __init__(self, name, place, root=None):
        self.name, self.place, self.root = name, Path(place), root
        self.socket = self.place / "docker.sock"
        self.podman = None

    def start(self):
        if self.name == "podman":
            self.start_podman()
        else:
            env = dict(os.environ, **({"ENGINE_ROOT": str(self.root)} if self.root else {}))
            log = open(f"{self.place}.log", "w")  # not a pipe: the engine would inherit it
            subprocess.run([ROOT / "scripts/engine", "start", self.place], env=env, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.version = self.ask("GET", "/version")["Version"]
        self.import_image()
        return self

    def start_podman(self):
        """Without a bridge, cgroup manager and journal: it has to run on machines that have none."""
        self.place.mkdir(parents=True, exist_ok=True)
        place = self.place
        (place / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{place}/graph"\nrunroot = "{place}/run"\n')
        (place / "containers.conf").write_text(
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "runc"\n'
            f'tmp_dir = "{place}/tmp"\n'
            '[containers]\nnetns = "none"\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
        )
        env = dict(os.environ, CONTAINERS_STORAGE_CONF=f"{place}/storage.conf", CONTAINERS_CONF=f"{place}/containers.conf")
        self.podman = subprocess.Popen(
            ["podman", "system", "service", "--time=0", f"unix://{self.socket}"],
            env=env, stdin=subprocess.DEVNULL, stdout=open(place / "log", "w"), stderr=subprocess.STDOUT,
        )
        wait_until("podman serves", self.serves)

    def serves(self):
        """Whether podman answers; its socket is there a moment before it listens."""
        if self.podman.poll() is not None:
            raise SystemExit(f"podman ended at once:\n{(self.place / 'log').read_text()}")
        try:
            return self.call("GET", "/_ping")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def remove(self):
        try:
            self.clean()  # a container outlives an engine that was only stopped
        except (OSError, SystemExit, http.client.HTTPException):
            pass
        if self.podman:
            self.podman.terminate()
            self.podman.wait()
            self.end_monitors()
        subprocess.run([ROOT / "scripts/engine", "remove", self.place], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        Path(f"{self.place}.log").unlink(missing_ok=True)

    def end_monitors(self):
        """Podman's monitors of finished execs stay for five minutes; ours are known by their paths."""
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
                if words[0].endswith(b"/conmon") and any(str(self.place).encode() in word for word in words):
                    os.kill(int(entry.parent.name), signal.SIGTERM)
            except OSError:
                pass

    def call(self, method, target, body=None, kind="application/json"):
        link = Unix(self.socket)
        try:
            link.request(method, target, body, {"Content-Type": kind} if body is not None else {})
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()

    def ask(self, method, target, body=None):
        status, text = self.call(method, target, body)
        if status >= 400:
            raise SystemExit(f"{self.name}: {method} {target}: {status} {text.decode(errors='replace').strip()}")
        return json.loads(text) if text.strip() else None

    def import_image(self):
        """The image is made of this machine's busybox: no registry is asked."""
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as image:

            def add(name, data=None, link=None, mode=0o755):
                entry = tarfile.TarInfo(name)
                entry.mode = mode
                if link:
                    entry.type, entry.linkname = tarfile.SYMTYPE, link
                elif data is None:
                    entry.type = tarfile.DIRTYPE
                else:
                    entry.size = len(data)
                image.addfile(entry, io.BytesIO(data) if data else None)

            for folder in ("bin", "etc", "root"):
                add(folder)
            add("tmp", mode=0o1777)
            add("bin/busybox", Path(shutil.which("busybox")).read_bytes())
            for applet in APPLETS:
                add(f"bin/{applet}", link="busybox")
            add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", mode=0o644)
        repo, tag = IMAGE.split(":")
        status, said = self.call("POST", f"/images/create?fromSrc=-&repo={repo}&tag={tag}", tar.getvalue(), "application/x-tar")
        if status != 200 or b'"error"' in said:
            raise SystemExit(f"{self.name}: the test image: {status} {said!r}")

    def clean(self):
        """Nothing of an earlier client is left: every run begins with the image and nothing else."""
        podman = self.name == "podman"
        if not podman and self.ask("GET", "/info")["Swarm"]["LocalNodeState"] != "inactive":
            self.ask("POST", "/swarm/leave?force=1")
        for container in self.ask("GET", "/containers/json?all=1"):
            self.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        wait_until("containers are gone", lambda: not self.ask("GET", "/containers/json?all=1"))
        for volume in self.ask("GET", "/volumes")["Volumes"] or []:
            self.call("DELETE", f"/volumes/{volume['Name']}?force=1")
        for network in self.ask("GET", "/networks"):
            if network["Name"] not in ("bridge", "host", "none", "podman"):
                self.call("DELETE", f"/networks/{network['Id']}")
        for _ in range(3):  # children before parents
            for image in self.ask("GET", "/images/json?all=1"):
                tags = [tag for tag in image.get("RepoTags") or [] if tag not in (IMAGE, f"docker.io/library/{IMAGE}", f"localhost/{IMAGE}")]
                if len(tags) == len(image.get("RepoTags") or []):
                    self.call("DELETE", f"/images/{image['Id']}?force=1")
                else:
                    for tag in tags:
                        if tag != "<none>:<none>":
                            self.call("DELETE", f"/images/{urllib.parse.quote(tag, safe='/:')}")
        if not podman:
            self.call("POST", "/build/prune?all=1")
        if self.call("GET", f"/images/{IMAGE}/json")[0] != 200:
            self.import_image()


class Gate:
    """quaygate with one policy before one engine."""

    def __init__(self, binary, policy, engine, place):
        self.place = Path(place)
        self.place.mkdir(parents=True)
        self.socket = self.place / "docker.sock"
        self.audit = self.place / "audit.jsonl"
        self.said = self.place / "stderr"
        self.child = subprocess.Popen(
            [binary, "run", str(policy), "--docker", f"unix://{engine.socket}", "--listen", str(self.socket), "--audit", str(self.audit)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.said, "w"),
        )
        wait_until("the gate listens", self.listens)

    def listens(self):
        if self.child.poll() is not None:
            raise SystemExit(f"the gate ended at once:\n{self.said.read_text()}")
        probe = socket.socket(socket.AF_UNIX)
        try:
            probe.connect(str(self.socket))
        except OSError:
            return False
        finally:
            probe.close()
        return True

    def memory(self, field="VmHWM"):
        """Its resident memory in KiB: the peak, or with VmRSS what it is now."""
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise SystemExit("the gate has no memory")

    def refused(self):
        """What it did not let pass, for people."""
        lines = []
        for line in self.audit.read_text().splitlines():
            record = json.loads(line)
            if record.get("decision") == "deny" or record.get("outcome") not in (None, "complete", "aborted"):
                query = f"?{record['query']}" if record.get("query") else ""
                text = f"{record.get('method', '?')} {record.get('path', '?')}{query}: {record.get('reason') or record.get('outcome')}"
                lines.append(text[:300])
        return sorted(set(lines))

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
