"""The public interface as people use it. It only has to pass ``mypy --strict``."""

from __future__ import annotations

from collections.abc import Sequence

import procctl


def office_hours(request: procctl.PermitRequest, fleet: object) -> procctl.Decision | None:
    if request.hostname == "night":
        return procctl.deny("not at night")
    return procctl.ask(within=600) if request.mode == "one" else procctl.allow()


async def embed() -> str:
    async with procctl.Agent("here", approval=[office_hours, procctl.hosts("*.example.com")]) as agent:
        web = await agent.start("web", ["sleep", "1"], ready=procctl.ready.tcp(8000))
        async with web.logs(follow=True) as lines:
            async for line in lines:
                print(line.time, line.stream, line.text)
        spec = procctl.ProcessSpec(
            name="job",
            command=("true",),
            restart=procctl.RestartSpec(policy="always"),
            stop=procctl.StopSpec(steps=(("SIGINT", 1.0),)),
            logs=procctl.LogSpec(file="job.log"),
        )
        added: list[procctl.Process] = await agent.add(spec)
        record: procctl.ExitRecord | None = await added[0].stop(grace=1)
        items: Sequence[procctl.Item] = await agent.start(all=True)
        return record.describe() if record else items[0].state


async def itself(agent: procctl.Agent) -> None:
    try:
        async with agent.permit("importer", mode="one", standby=True) as permit:
            fence: int = permit.fence
            async for request in permit.requests():
                await request.done({"fence": fence, "action": request.action})
            permit.check()
    except procctl.PermitLost as lost:
        print(lost.code, lost.message)


async def control(fleet: procctl.Fleet, cursor: str) -> None:
    for process in await fleet.processes(name="worker-*", hostname="eu-*"):
        state: procctl.State = process.state
        print(process.name, state, process.pid)
    async with fleet.events(since=cursor) as events:
        async for event in events:
            match event:
                case procctl.StateChanged(new=procctl.State.NOTRESPONDING, process=item):
                    print(item.name)
                case procctl.Snapshot(processes=processes):
                    print(len(processes))
                case procctl.Registered() | procctl.Removed():
                    print(event.process.name)
                case procctl.Lost(count=count):
                    print(count)


async def together() -> None:
    auth = procctl.Auth(token_file="/etc/procctl/token")
    async with procctl.Controller(auth=auth) as controller, procctl.Agent(join=controller, auth=auth):
        await control(controller, "")
        print([(host.name, host.state, host.heard, host.running) for host in await controller.hosts()])
    async with procctl.connect("unix:///run/procctl/agent.sock", auth=procctl.Auth()) as fleet:
        try:
            await fleet.stop("web")
        except (procctl.NoSuchTarget, procctl.Denied) as error:
            print(error.code, error.message, error.hint)
        except procctl.Failed as error:
            print(error.misses)
        except procctl.PeerGone as error:
            print(error)


def blocking() -> None:
    with procctl.sync.Agent("here", backend="trio") as agent:
        process: procctl.sync.Process = agent.start("web", ["sleep", "1"])
        with agent.logs("web") as lines:
            for line in lines:
                print(line.text)
        print(process.stop())
        with agent.permit("importer") as permit:
            print(permit.left, permit.lost)
    me = procctl.child.identity()
    if me is not None:
        print(me.name, me.fence)
