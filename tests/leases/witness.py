"""A program of which there must never be two: it holds a lock while it lives and writes down each moment of its life.

``python -S -I witness.py LOCK LOG [stubborn]``. A line of LOG is ``TOKEN EPOCH PID TIME``, by CLOCK_BOOTTIME; or
``two`` where somebody else holds the lock.
"""

import fcntl
import os
import signal
import sys
import time

EVERY = 0.01


def main(lock, log, *how):
    if how:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    held = os.open(lock, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.write(out, b"two\n")
    who = f"{os.environ['PROCCTL_FENCE']} {os.environ['PROCCTL_EPOCH']} {os.getpid()}"
    while True:
        os.write(out, f"{who} {time.clock_gettime(time.CLOCK_BOOTTIME):.4f}\n".encode())
        time.sleep(EVERY)


if __name__ == "__main__":
    main(*sys.argv[1:])
