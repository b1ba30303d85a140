"""TLS for both ends: contexts made from files, and whom a certificate names."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from ...errors import BadConfig

__all__ = ["client_context", "identity_of", "server_context"]

ALPN = ["http/1.1"]


def server_context(url: str, options: Mapping[str, str]) -> ssl.SSLContext:
    """For a listener. With ``ca`` every peer has to show a certificate which that has signed (mutual TLS); with
    ``trust`` one that shows a certificate is known by it, and the others by their tokens.

    Raises:
        BadConfig: There is no certificate, or a file cannot be used.
    """
    if "cert" not in options:
        raise BadConfig(f"{url!r} has no certificate", "add ?cert=FILE&key=FILE, or listen on http://127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    if "ca" in options:
        context.verify_mode = ssl.CERT_REQUIRED
    elif "trust" in options:
        context.verify_mode = ssl.CERT_OPTIONAL
    _load(context, url, options)
    return context


def client_context(url: str, options: Mapping[str, str]) -> ssl.SSLContext:
    """For who connects: trusts ``ca`` (or ``trust``) alone, or without it whom the system trusts; shows ``cert``.

    Raises:
        BadConfig: A file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    if "ca" not in options and "trust" not in options:
        context.load_default_certs()
    _load(context, url, options)
    return context


def _load(context: ssl.SSLContext, url: str, options: Mapping[str, str]) -> None:
    try:
        trusted = options.get("ca") or options.get("trust")
        if trusted:
            context.load_verify_locations(trusted)
        if "cert" in options:
            context.load_cert_chain(options["cert"], options["key"])
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(f"a certificate or key of {url!r} cannot be used: {error}") from None


def identity_of(certificate: Mapping[str, Any] | None) -> str | None:
    """Whom a verified certificate names: ``cert:`` and its common name, or else its first alternative name."""
    if not certificate:
        return None
    for part in certificate.get("subject", ()):
        for key, value in part:
            if key == "commonName" and value:
                return f"cert:{value}"
    for _, value in certificate.get("subjectAltName", ()):
        return f"cert:{value}"
    return None
