"""The hub: receives, measures, tells, limits, records. Never drives by itself.

Read in the order data moves: `telemetry` and `media` bring the outside in, `core`
decides, `console` shows, `evidence` remembers, `observability` counts; `app` wires
them together and `cli` starts it.
"""

__version__ = "0.1.0"
