"""The media plane: encoded video and sound forwarded, never decoded.

In the hub's process: `plane` (offers, rights, grants), `table` and `session` (what is
open), `pool`, `link` and `spare` (the workers), `adoption` (those of a hub that died),
`http` (WHIP, WHEP), `sdp` and `answer` (offers to plain facts, and back).

In each worker's process: `worker` (handshakes, the conversation with the hub),
`router` (who a datagram is from and where it goes), `peer` (one session), `ice`,
`dtls` (the one place that touches aiortc's private parts), `egress`, `udp`.

`ipc` is what the two say to each other. All theory of streams is in `supervisor.rtp`.
"""
