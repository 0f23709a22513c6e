"""The one error that a person at the command line sees."""

from __future__ import annotations


class BenchError(Exception):
    """A measurement could not be made; the text says what, why and what to do."""
