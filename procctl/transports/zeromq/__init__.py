"""``zmq+tcp://HOST:PORT`` and ``zmq+ipc:///PATH``: frames over ZeroMQ, with CURVE where keys are given.

A listener is one ROUTER, a connection to it one DEALER. What they say beneath the frames is in `messages`.
"""
