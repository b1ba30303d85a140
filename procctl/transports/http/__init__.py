"""``http://`` and ``https://``: frames as messages of a WebSocket (RFC 6455). Knows no gateway."""
