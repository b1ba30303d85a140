"""Counts up the takings every few seconds."""

import os
import time

import store

EVERY = float(os.environ.get("SHOP_EVERY", "10"))  # seconds


def main() -> None:
    while True:
        with store.connect() as db:
            orders, cents = db.execute("SELECT count(*), coalesce(sum(cents), 0) FROM orders").fetchone()
            db.execute("INSERT INTO takings VALUES (datetime('now'), ?, ?)", (orders, cents))
        print(f"{orders} orders, {cents / 100:.2f} taken", flush=True)
        time.sleep(EVERY)


if __name__ == "__main__":
    main()
