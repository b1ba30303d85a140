"""The shop's database, shared by its four programs."""

import os
import sqlite3
from pathlib import Path

FOLDER = Path(os.environ.get("SHOP_DATA") or Path(__file__).parent / "data")


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(FOLDER / "shop.db", timeout=10, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection
