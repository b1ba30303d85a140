"""``amqp://`` and ``amqps://``: frames through a RabbitMQ broker, AMQP 0-9-1 over the pamqp codec.

| module | noun |
|---|---|
| `address` | where and how, read from a URL |
| `framing` | bytes as AMQP frames and messages; no I/O |
| `broker` | one AMQP connection with its channel, from its opening to its end |
| `link` | one queue at a broker, over AMQP connections that come and go |
| `sequence` | numbered frames of one direction: windows, acknowledgements, what is sent again; no I/O |
| `letters` | what peers say to each other through the exchange; no I/O |
| `peers` | the connections of one link |
| `connection`, `listener`, `transport` | what `procctl.abc` asks for |

ADR 0013 says why it is built so.
"""
