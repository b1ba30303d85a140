"""Takes orders: ``POST /orders`` with {"item": …, "cents": …}; ``GET /orders`` lists them, ``GET /health`` says ok."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import store


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            return self.answer(200, {"ok": True})
        if self.path == "/orders":
            with store.connect() as db:
                return self.answer(200, [dict(row) for row in db.execute("SELECT * FROM orders ORDER BY id")])
        return self.answer(404, {"error": f"there is no {self.path}"})

    def do_POST(self) -> None:
        if self.path != "/orders":
            return self.answer(404, {"error": f"there is no {self.path}"})
        try:
            order = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            item, cents = str(order["item"]), int(order["cents"])
        except (ValueError, KeyError, TypeError) as error:
            return self.answer(400, {"error": f"no order: {error!r}"})
        with store.connect() as db:
            row = db.execute("INSERT INTO orders (item, cents, state) VALUES (?, ?, 'new')", (item, cents))
        return self.answer(201, {"id": row.lastrowid})

    def answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        print(format % args, flush=True)


def main() -> None:
    port = int(os.environ.get("PORT", "5000"))
    server = ThreadingHTTPServer(("127.0.0.1", port), Shop)
    print(f"open on http://127.0.0.1:{port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
