"""Makes the database, or brings it up to date, and ends."""

import store

STEPS = (
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, cents INTEGER NOT NULL, state TEXT NOT NULL)",
    "CREATE INDEX orders_by_state ON orders (state)",
    "CREATE TABLE takings (at TEXT NOT NULL, orders INTEGER NOT NULL, cents INTEGER NOT NULL)",
)


def main() -> None:
    store.FOLDER.mkdir(parents=True, exist_ok=True)
    with store.connect() as db:
        db.execute("PRAGMA journal_mode = WAL")
        (done,) = db.execute("PRAGMA user_version").fetchone()
        for number, step in enumerate(STEPS[done:], done + 1):
            db.execute(step)
            db.execute(f"PRAGMA user_version = {number}")
            print(f"step {number} of {len(STEPS)}", flush=True)
    print("the database is up to date", flush=True)


if __name__ == "__main__":
    main()
