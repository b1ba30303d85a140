"""What a supervised Python program imports. The standard library only::

    from procctl import child

    async with child.attach() as parent:
        await parent.ready()
        async for request in parent.requests():
            match request.action:
                case "start": cron.start(); await request.done()
                case "stop":  cron.stop();  await request.done()

It works on asyncio and on trio; `attach_blocking` is the same for plain threads. Where nobody supervises the program
it does nothing: ``parent.attached`` is False, and there are no requests.
"""

from __future__ import annotations

from .identity import Identity, identity
from .parent import BlockingParent, BlockingRequest, Parent, Request, attach, attach_blocking

__all__ = [
    "BlockingParent",
    "BlockingRequest",
    "Identity",
    "Parent",
    "Request",
    "attach",
    "attach_blocking",
    "identity",
]
