"""docker-py, the library below docker-compose 1, Ansible and most Python programs."""

import io
import os
import socket
import tarfile
import threading
import time

import docker
import websocket
from telling import first, step

client = docker.from_env(version="auto")
api = client.api
TICKS = ["sh", "-c", "i=0; while :; do echo tick; sleep 0.1; done"]


@step("version, ping, info, df")
def _():
    return client.version()["Version"], client.ping(), client.info()["OSType"], sorted(client.df())


@step("lists")
def _():
    return (
        client.containers.list(all=True, filters={"label": "a=b"}),
        [image.tags for image in client.images.list()],
        sorted(network.name for network in client.networks.list()),
        client.volumes.list(),
    )


@step("run")
def _():
    return client.containers.run("base", ["echo", "hi"], remove=True)


@step("run, failing")
def _():
    return client.containers.run("base", ["sh", "-c", "echo no >&2; exit 3"], remove=True)


running = client.containers.run("base", TICKS, detach=True, name="py1", labels={"a": "b"})


@step("logs")
def _():
    time.sleep(0.5)
    return running.logs(tail=2)


@step("logs, followed")
def _():
    return first(running.logs(stream=True, follow=True))


@step("stats")
def _():
    return sorted(running.stats(stream=False))


@step("stats, followed")
def _():
    stream = running.stats(stream=True, decode=True)
    return next(stream)["name"], next(stream)["name"]


@step("exec")
def _():
    return running.exec_run(["echo", "x"])


@step("exec, both streams apart")
def _():
    return running.exec_run(["sh", "-c", "echo o; echo e >&2; exit 4"], demux=True)


@step("exec, as a stream")
def _():
    return b"".join(running.exec_run(["sh", "-c", "echo x; sleep 0.2; echo y"], stream=True).output)


@step("exec, end of input")
def _():
    made = api.exec_create(running.id, ["cat"], stdin=True)["Id"]
    stream = api.exec_start(made, socket=True)
    stream._sock.sendall(b"hello\n")
    stream._sock.shutdown(1)
    got = stream.read()
    stream.close()
    return got, api.exec_inspect(made)["ExitCode"]


@step("exec, terminal, resized")
def _():
    script = 'until [ "$(stty size 2>/dev/null)" = "30 90" ]; do sleep 0.1; done; echo resized; read x; echo got $x'
    made = api.exec_create(running.id, ["sh", "-c", script], stdin=True, tty=True)["Id"]
    stream = api.exec_start(made, socket=True, tty=True)
    api.exec_resize(made, 30, 90)
    stream._sock.sendall(b"word\n")
    got = b""
    while part := stream._sock.recv(4000):
        got += part
    stream.close()
    return sorted(got.split()), api.exec_inspect(made)["ExitCode"]


@step("exec, detached")
def _():
    return api.exec_start(api.exec_create(running.id, ["true"])["Id"], detach=True)


@step("attach")
def _():
    return first(running.attach(stream=True, logs=True))[:5]


@step("attach, as a socket")
def _():
    stream = running.attach_socket(params={"stdout": 1, "stream": 1})
    got = stream._sock.recv(8)
    stream.close()
    return got


@step("attach, as a web socket")
def _():
    # docker-py opens web sockets at TCP addresses only; this is what it would send.
    link = socket.socket(socket.AF_UNIX)
    link.connect(os.environ["SOCKET"])
    stream = websocket.create_connection("ws://docker/containers/py1/attach/ws?stdout=1&stream=1", socket=link)
    got = stream.recv()
    stream.close()
    return got[:5]


@step("top, diff")
def _():
    return running.top()["Titles"], sorted(change["Path"] for change in running.diff() or [])


@step("archive in and out")
def _():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        entry = tarfile.TarInfo("a")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    put = running.put_archive("/tmp", data.getvalue())
    parts, stat = running.get_archive("/tmp/a")
    back = tarfile.open(fileobj=io.BytesIO(b"".join(parts)))
    return put, stat["name"], stat["size"], back.extractfile("a").read()


@step("events")
def _():
    stream = client.events(decode=True, filters={"container": "py1"})
    threading.Timer(0.5, running.pause).start()
    action = first(stream)["Action"]
    running.unpause()
    return action


@step("update, restart, kill, wait, start, stop")
def _():
    running.update(mem_limit="80m", memswap_limit="90m")
    running.restart(timeout=0)
    running.kill()
    waited = running.wait()
    running.start()
    running.stop(timeout=0)
    running.reload()
    return waited, running.status


@step("commit, export, remove")
def _():
    image = running.commit("py", "1")
    names = tarfile.open(fileobj=io.BytesIO(b"".join(running.export()))).getnames()
    running.remove(force=True)
    return image.tags, "bin/busybox" in names


@step("tag, save, load, history, remove")
def _():
    image = client.images.get("py:1")
    image.tag("py", "2")
    loaded = client.images.load(b"".join(image.save(named=True)))
    client.images.remove("py:1")
    client.images.remove("py:2")
    return [sorted(one.tags) for one in loaded], len(client.images.get("base").history())


@step("build, prune")
def _():
    image, said = client.images.build(fileobj=io.BytesIO(b"FROM base\nLABEL a=1\n"), tag="pyb", rm=True)
    client.images.remove("pyb")
    client.images.prune()
    return image.labels, [line.get("stream", "").strip() for line in said if "Step" in line.get("stream", "")]


@step("build, failing")
def _():
    client.images.build(fileobj=io.BytesIO(b"FROM base\nRUN exit 2\n"), rm=True)


@step("network, volume")
def _():
    network, volume = client.networks.create("pyn", labels={"a": "b"}), client.volumes.create("pyv")
    told = client.networks.get(network.id).name, client.volumes.get("pyv").name
    volume.remove()
    network.remove()
    return told


@step("nothing there")
def _():
    client.containers.get("nosuch")


@step("pull fails")
def _():
    client.images.pull("127.0.0.1:1/x:y", auth_config={"username": "u", "password": "p"})


@step("distribution fails")
def _():
    client.images.get_registry_data("127.0.0.1:1/x:y")


@step("login fails")
def _():
    client.login("u", "p", registry="127.0.0.1:1")


@step("prune")
def _():
    return [
        sorted(kind.prune(filters={"label": "a=b"}))
        for kind in (client.containers, client.networks, client.volumes)
    ]
