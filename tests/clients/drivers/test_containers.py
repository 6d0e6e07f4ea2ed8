"""testcontainers, without its reaper: that one is an image from a registry."""

import os

os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

from telling import step  # noqa: E402
from testcontainers.core.container import DockerContainer  # noqa: E402
from testcontainers.core.network import Network  # noqa: E402
from testcontainers.core.waiting_utils import wait_for_logs  # noqa: E402

at = os.environ["W"]
ready = "sh -c 'echo ready; sleep 60'"


@step("container")
def _():
    wanted = DockerContainer("base:latest").with_command(ready).with_env("A", "1").with_volume_mapping(f"{at}/ctx", "/data", "ro")
    with wanted as container:
        wait_for_logs(container, "ready", timeout=10)
        return container.exec(["sh", "-c", "echo $A; cat /data/hosts-file"]), container.get_logs()


@step("published port")
def _():
    with DockerContainer("base:latest").with_command(ready).with_exposed_ports(80) as container:
        return int(container.get_exposed_port(80)) > 0


@step("network")
def _():
    with Network() as network:
        with DockerContainer("base:latest").with_command(ready).with_network(network) as container:
            return container.get_wrapped_container().status
