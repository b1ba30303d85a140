"""The same without a loop: the requests are read by the main thread, the work is done by another.

python threads.py
"""

import threading

from procctl import child


def work(pause: threading.Event) -> None:
    print("work started", flush=True)
    while not pause.wait(0.2):
        print("work done", flush=True)
    print("work paused", flush=True)


def main() -> None:
    pause = threading.Event()
    worker = threading.Thread()
    with child.attach_blocking() as parent:
        parent.ready()
        for request in parent.requests():
            match request.action:
                case "start":
                    pause.clear()
                    worker = threading.Thread(target=work, args=(pause,))
                    worker.start()
                    request.done()
                case "stop":
                    pause.set()
                    worker.join()
                    request.done()
                case action:
                    request.refuse(f"there is no {action}")
    pause.set()


main()
