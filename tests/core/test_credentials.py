"""A file of credentials: what is read, what is refused and how, and that a token is never shown."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procctl.core.auth import Auth
from procctl.core.credentials import Credential, digest, line_of, read_credentials, read_roles
from procctl.core.messages import REQUESTS
from procctl.core.rights import ROLES
from procctl.errors import BadConfig

TOKEN = "0123456789abcdef-secret"


def read(text):
    return read_credentials(text, "f")


def test_a_line_of_each_kind():
    token, hashed, identity, bare = read(
        f"""
        # a comment
        token {TOKEN} for=ann can=viewer,start expires=2026-12-24T17:00:00Z
        token sha256:{digest("another-secret-token")} for=web-01 can=agent

        identity curve:rq:rM>}}U?@Lns for=web-02 can=agent,role:ops
        a-token-by-itself
        """
    )
    assert (token.name, token.roles, token.expires) == ("ann", {"viewer", "start"}, 1798131600.0)
    assert (token.token, token.digest, token.line) == (TOKEN, digest(TOKEN), 3)
    assert (hashed.token, hashed.digest, hashed.name) == ("", digest("another-secret-token"), "web-01")
    assert (identity.identity, identity.roles) == ("curve:rq:rM>}U?@Lns", {"agent", "ops"})
    assert (bare.token, bare.roles, bare.name) == ("a-token-by-itself", frozenset(), digest("a-token-by-itself")[:8])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"tokn {TOKEN} can=viewer", "begins with token or identity"),
        ("token", "token itself is missing"),
        ("token for=ann can=viewer", "token itself is missing"),
        ("token short can=viewer", "at least 16 characters"),
        ("token sha256:abc can=viewer", "64 hexadecimal digits"),
        (f"token {TOKEN} viewer", "expected for=, can= or expires="),
        (f"token {TOKEN} cam=viewer", "did you mean 'can'"),
        (f"token {TOKEN} can=viewer can=start", "can= is there twice"),
        (f"token {TOKEN} can=vewer", "did you mean 'viewer'"),
        (f"token {TOKEN} can=,", "names nothing"),
        (f"token {TOKEN} can=role:start", "no role of one's own"),
        (f"token {TOKEN} for=a/b can=viewer", "is no name at for="),
        (f"token {TOKEN} expires=tomorrow", "is no time at expires="),
        (f"token {TOKEN} expires=2026-12-24T17:00:00", "is no time at expires="),
        ("identity nothing can=viewer", "is no identity"),
        (f"token {TOKEN} can=viewer\ntoken {TOKEN} can=owner", "stands in line 1 already"),
    ],
)
def test_a_wrong_line_is_named_and_its_token_is_not(line, what):
    with pytest.raises(BadConfig) as caught:
        read(line)
    shown = str(caught.value)
    assert what in shown
    assert f"f:{line.count(chr(10)) + 1}:" in shown
    assert "secret" not in shown


@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,20}", fullmatch=True),
    roles=st.frozensets(st.sampled_from(["owner", "ops", *ROLES, *REQUESTS]), min_size=1),
    expires=st.none() | st.integers(0, 2**32),
    token=st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), min_size=16).filter(
        lambda t: not t.startswith(("sha256:", "for=", "can=", "expires="))
    ),
)
def test_what_is_written_is_read(name, roles, expires, token):
    made = Credential(line=1, token=token, digest=digest(token), name=name, roles=roles, expires=expires)
    assert read(line_of(made)) == (made,)
    (hashed,) = read(line_of(made, hashed=True))
    assert (hashed.token, hashed.digest, hashed.roles) == ("", made.digest, roles)
    assert line_of(made, hashed=True).split()[1] == f"sha256:{made.digest}"


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(BadConfig):
        read(text)


def test_it_does_not_show_itself():
    (one,) = read(f"token {TOKEN} can=owner")
    assert "secret" not in f"{one!r}{one}"


def test_roles_on_the_command_line():
    assert read_roles("viewer, start") == {"viewer", "start"}
    with pytest.raises(BadConfig, match="roles are owner, viewer, operator, agent"):
        read_roles("xyzzy")


def test_certificates_are_options():
    assert Auth(cert="c", key="k").options(encrypted=True, broker=False) == {"tls_cert": "c", "tls_key": "k"}
