"""One request and its typed reply. The only place where a reply of any kind becomes the kind that was asked for."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from ..abc import Call, Caller, Service
from ..core.messages import AnyRequest, Failure, Request, Until
from ..errors import Refused, refusal

__all__ = ["exchange"]

R = TypeVar("R")


async def exchange(
    service: Service,
    request: Request[R],
    caller: Caller,
    *,
    key: str = "",
    until: Until = "settled",
    deadline: float | None = None,
) -> R:
    """Ask and wait.

    Args:
        service: Who is asked.
        request: What.
        caller: On whose word.
        key: Makes it the same command if it is sent again.
        until: When a command on processes is answered.
        deadline: Seconds after which it is answered with what there is.

    Raises:
        Refused: The service said no (or a subclass of it).
        PeerGone: The far side ended before it answered.

    Cancellation: gives up the answer; the command goes on.
    """
    call = Call(request=cast(AnyRequest, request), caller=caller, key=key, until=until, deadline=deadline)
    reply: Any = await service.submit(call).wait()
    if isinstance(reply, Failure):
        raise refusal(reply.code, reply.message, reply.hint)
    if not isinstance(reply, request.replies):
        raise Refused("bad-reply", f"{request.command} was answered by {type(reply).__name__}")
    return cast(R, reply)
