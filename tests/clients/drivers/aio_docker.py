"""aiodocker: one event loop, many calls at a time."""

import asyncio
import os

import aiodocker


def tell(title, *told):
    print(f"## {title}")
    print(*told, flush=True)


async def main():
    # The library leaves its connections to the garbage collector, which complains with their addresses.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    client = aiodocker.Docker(url=os.environ["DOCKER_HOST"])
    version, info, listed = await asyncio.gather(client.version(), client.system.info(), client.containers.list(all=True))
    tell("three calls at once", version["Version"], info["OSType"], listed)

    # It subscribes when it gets to it: only what is heard shows that it has.
    events = client.events.subscribe()
    heard = asyncio.ensure_future(events.get())
    while not heard.done():
        await (await client.volumes.create({"Name": "aio"})).delete()
        await asyncio.sleep(0.1)
    container = await client.containers.create(
        {"Image": "base", "Cmd": ["cat"], "OpenStdin": True, "StdinOnce": True, "AttachStdin": True, "AttachStdout": True},
        name="aio1",
    )
    await container.start()
    while (event := await events.get())["Type"] != "container":
        pass
    tell("create, start, events", event["Action"])

    command = await container.exec(["echo", "x"])
    stream = command.start()
    tell("exec", await stream.read_out())
    await stream.close()
    while (ended := await command.inspect())["Running"]:
        await asyncio.sleep(0.05)
    tell("exec exit code", ended["ExitCode"])

    tell("logs", await container.log(stdout=True))
    tell("stats", len(await container.stats(stream=False)))
    async with container.attach(stdin=True, stdout=True) as stream:
        await stream.write_in(b"hi\n")
        tell("attach", await stream.read_out())

    sleeper = await client.containers.run({"Image": "base", "Cmd": ["sleep", "99"]}, name="aio2")

    async def one(number):
        command = await sleeper.exec(["sh", "-c", f"sleep 0.2; echo {number}"])
        async with command.start() as stream:
            return (await stream.read_out()).data

    tell("twenty execs at once", sorted(await asyncio.gather(*(one(number) for number in range(20)))))

    await sleeper.kill()
    tell("kill, wait", (await sleeper.wait())["StatusCode"])
    await sleeper.delete(force=True)
    await container.delete(force=True)
    try:
        await client.containers.get("aio1")
    except aiodocker.DockerError as error:
        tell("what is gone", error.status, error.message)
    await client.close()


asyncio.run(main())
