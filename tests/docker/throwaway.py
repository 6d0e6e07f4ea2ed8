"""testcontainers at the gate: what it does with containers, and what it is refused."""

import sys

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.waiting_utils import wait_for_logs

image = sys.argv[1]
ready = "sh -c 'echo ready; sleep 600'"


def container():
    return DockerContainer(image).with_command(ready)


with container() as plain:
    wait_for_logs(plain, "ready", timeout=60)
    code, said = plain.exec(["echo", "hi"])
    print("exec:", code, said.decode().strip())
    print("logs:", plain.get_logs()[0].decode().strip())
    whole = plain.get_wrapped_container()
    archive, _ = whole.get_archive("/etc/passwd")
    whole.put_archive("/tmp", b"".join(archive))
    print("file: ok" if plain.exec(["cat", "/tmp/passwd"])[0] == 0 else "file: lost")

with container().with_exposed_ports(80) as published:
    print("port:", "some" if int(published.get_exposed_port(80)) > 0 else "none")

with Network() as network, container().with_network(network) as member:
    joined = member.get_wrapped_container()
    joined.reload()
    print("network: joined" if network.name in joined.attrs["NetworkSettings"]["Networks"] else "network: another")

for title, wanted in {
    "privileged": container().with_kwargs(privileged=True),
    "directory": container().with_volume_mapping("/etc", "/host", "ro"),
    "host network": container().with_kwargs(network_mode="host"),
}.items():
    try:
        with wanted:
            print(f"{title}: allowed")
    except Exception as error:  # whatever the library makes of the answer
        print(f"{title}: refused" if "refused by policy" in str(error) else f"{title}: {error}")
