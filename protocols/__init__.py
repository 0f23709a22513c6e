"""What is said: every message that crosses a process boundary, and nothing else.

A leaf package: no I/O, no clock, no randomness, no import of `supervisor` or
`vehicle_stub`. Vehicles of other makers can implement the contract from this
package alone.

    ids        names of sites, vehicles, cameras; what they may contain
    topics     the MQTT topic grammar `enkan/v1/{site}/{vehicle}/{stream}`
    vehicle    messages between a vehicle and the hub (MQTT, JSON)
    link       clock exchanges between a vehicle and the hub (data channel, JSON)
    operator   messages between a console and the hub (WebSocket, JSON)
    codec      bytes <-> messages, with size limits and one error type
    tags       the HMAC that makes a command independent of the broker's honesty
    strip      the machine-readable strip burnt into synthetic pictures
"""
