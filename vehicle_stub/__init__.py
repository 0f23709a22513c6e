"""A vehicle from outside: what a bus or a tractor of any maker would run.

Imports `protocols` only. Pure modules (no loop, clock, I/O) carry the rules, thin
shells around them carry bytes:

    pure    geo, course, drive, conduct, checker, radio, outputs, vehicle (all of them),
            liveness (is the path alive), rate (how many bits), drive_frames
    shells  app, uplink (MQTT), publisher + whip (media sessions), webrtc + video_sender +
            rtp_hooks + ice_path (one session; all that touches private parts of aiortc and
            aioice), sources + camera_worker + encoding + encoder (pictures), sound,
            speaker, epochs (the one file a vehicle must never lose)
    drawn   scene_road, scene_field, panorama, glyphs, strip_painter (the synthetic camera)
"""
