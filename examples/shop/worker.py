"""Packs orders, one after the other; on SIGTERM it finishes the one in its hands."""

import signal
import threading

import store

PACKING = 0.05  # seconds
leaving = threading.Event()


def pack_one() -> bool:
    with store.connect() as db:
        row = db.execute("SELECT id, item FROM orders WHERE state = 'new' ORDER BY id LIMIT 1").fetchone()
        if row is None:
            return False
        leaving.wait(PACKING)
        db.execute("UPDATE orders SET state = 'packed' WHERE id = ?", (row["id"],))
    print(f"packed order {row['id']}: {row['item']}", flush=True)
    return True


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    print("waiting for orders", flush=True)
    while not leaving.is_set():
        if not pack_one():
            leaving.wait(0.1)
    print("going home", flush=True)


if __name__ == "__main__":
    main()
