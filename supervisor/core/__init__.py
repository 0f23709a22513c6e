"""Supervision, pure: no I/O, no clock, no randomness; knows nothing of packets.

`step(fleet, event, now_ns) -> effects` is the whole interface. The same events in
the same order give the same effects, in tests, in simulation and in an inquiry.
"""
