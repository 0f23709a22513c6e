"""Selective forwarding, pure: packets and times in, packets and requests out.

Knows nothing of vehicles, sockets or encryption; every `now_ns` is given.

    packet, rtcp     bytes <-> facts; only `ProtocolError` leaves them
    sequence         numbers without their wrap
    codec            what a publisher sends and a watcher takes, and which fits which
    keyframe         does this packet begin a picture that can be decoded alone
    stats            loss, jitter, frames of one received stream
    picture_size     how large a keyframe is, where its codec says it plainly
    rtx              retransmissions on an SSRC of their own (upstream)
    nack             what is missing, and when to ask for it (upstream)
    cache            the newest packets, for watchers who ask (downstream)
    asker            one keyframe request for many, at most two a second
    transport_cc     when each packet came, for a publisher that estimates by itself
    estimator        what an uplink carries, for any other
    uplink           one publisher's streams before that estimator
    feed             one camera's timeline over all its publishers
    layers           one camera in several sizes, on one timeline
    switch, squeeze  a watcher goes from one size to another, between frames
    downtrack        what changes in a packet for one watcher
"""
