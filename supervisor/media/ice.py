"""STUN binding checks for an ICE-lite agent (RFC 8489 §5, RFC 8445 §7.3).

We only answer. A request is answered if it names our user fragment and its
MESSAGE-INTEGRITY is made with our password; everything else gets silence, so that
the port tells a stranger nothing and amplifies nothing.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aioice import stun

from protocols.codec import ProtocolError

MAX_STUN: Final = 1_280
"""Bytes; a binding check is about 100."""

_BINDING_REQUEST: Final = b"\x00\x01"
_COOKIE: Final = b"\x21\x12\xa4\x42"


class BindingRequest(msgspec.Struct, frozen=True):
    """A check that parsed; not yet authenticated.

    Attributes:
        ufrag: Our user fragment, as the peer names it.
        nominated: USE-CANDIDATE is set.
    """

    ufrag: str
    transaction: bytes
    nominated: bool
    message: Any

    def authentic(self, password: str) -> bool:
        """Tell whether MESSAGE-INTEGRITY was made with `password`."""
        return bool(self.message.check_message_integrity(password.encode()))


def parse_request(data: bytes) -> BindingRequest:
    """Return a STUN binding request.

    Raises:
        ProtocolError: `malformed` (not a binding request, or damaged). The parser
            underneath lets several undeclared exceptions out on damaged input
            (Unicode, struct, address errors); all of them are this one here.
    """
    if len(data) < 20 or data[:2] != _BINDING_REQUEST or data[4:8] != _COOKIE:
        raise ProtocolError("malformed", "not a STUN binding request")
    if len(data) > MAX_STUN:
        raise ProtocolError("oversize", f"STUN of {len(data)} bytes")
    try:
        message = stun.parse_message(data)
        attributes = message.attributes
        username = attributes["USERNAME"]
        if "MESSAGE-INTEGRITY" not in attributes:
            raise ProtocolError("malformed", "STUN without integrity")
    except ProtocolError:
        raise
    except Exception as error:
        raise ProtocolError("malformed", f"STUN: {type(error).__name__}") from error
    return BindingRequest(
        username.partition(":")[0],
        bytes(message.transaction_id),
        "USE-CANDIDATE" in attributes,
        message,
    )


def build_response(request: BindingRequest, address: tuple[str, int], password: str) -> bytes:
    """Return the success response, telling the peer its address as we see it."""
    response = stun.Message(
        message_method=stun.Method.BINDING,
        message_class=stun.Class.RESPONSE,
        transaction_id=request.transaction,
        attributes={"XOR-MAPPED-ADDRESS": address},
    )
    response.add_message_integrity(password.encode())
    return bytes(response)


def build_refusal(request: BindingRequest, password: str) -> bytes:
    """Return the error response to a check of a session that has ended here."""
    response = stun.Message(
        message_method=stun.Method.BINDING,
        message_class=stun.Class.ERROR,
        transaction_id=request.transaction,
        attributes={"ERROR-CODE": (400, "session ended")},
    )
    response.add_message_integrity(password.encode())
    return bytes(response)
