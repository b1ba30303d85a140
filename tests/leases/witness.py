"""A program of which there must never be two: it holds a lock while it lives and writes down each moment of its life.

``python -S -I witness.py FOLDER HOST [stubborn]``. A line of ``FOLDER/log`` is ``TOKEN EPOCH PID TIME HOST yes|no``, by
CLOCK_BOOTTIME; or ``two`` where somebody else holds ``FOLDER/lock``. It also is the resource that fences: the largest
token that was ever shown is in ``FOLDER/store``, and a line that ends in ``no`` was refused there for a smaller one.
"""

import fcntl
import os
import signal
import sys
import time

EVERY = 0.01


def main(folder, host, *how):
    if how:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log = os.open(f"{folder}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    lock = os.open(f"{folder}/lock", os.O_RDWR | os.O_CREAT)
    store = os.open(f"{folder}/store", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.write(log, b"two\n")
    token, epoch, pid = os.environ["PROCCTL_FENCE"], os.environ["PROCCTL_EPOCH"], os.getpid()
    while True:
        fcntl.flock(store, fcntl.LOCK_EX)  # so that lines are in the order in which the store has decided
        taken = int(token) >= int(os.pread(store, 20, 0) or 0)
        if taken:
            os.pwrite(store, token.encode(), 0)
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        os.write(log, f"{token} {epoch} {pid} {now:.4f} {host} {'yes' if taken else 'no'}\n".encode())
        fcntl.flock(store, fcntl.LOCK_UN)
        time.sleep(EVERY)


if __name__ == "__main__":
    main(*sys.argv[1:])
