"""Programs that talk with their agent by hand, as any language could: lines of JSON on a descriptor."""

import sys

_HEAD = """
import json, os, sys, time
fd = int(os.environ["PROCCTL_CHANNEL_FD"])
def raw(data):
    while data:
        data = data[os.write(fd, data):]
def say(value): raw(json.dumps(value).encode() + b"\\n")
def lines():
    begun = b""
    while data := os.read(fd, 65536):
        *whole, begun = (begun + data).split(b"\\n")
        yield from map(json.loads, whole)
def obey(**more):
    for message in lines():
        print(json.dumps(message), flush=True)
        if message == "startRequest": say("workerStarted")
        elif message == "stopRequest": say("workerStopped")
        elif isinstance(message, dict):
            reply = more.get(message["action"])
            if reply is not None: say({"procctl": "answer", "id": message["id"], **reply})
"""


def talker(body):
    """A program in Python that is quick to start."""
    return [sys.executable, "-S", "-c", _HEAD + body]


OBEDIENT = talker("obey()")
