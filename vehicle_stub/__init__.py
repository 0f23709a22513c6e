"""A vehicle from outside: what a bus or a tractor of any maker would run.

Imports `protocols` only. Pure modules (no loop, clock, I/O) carry the rules, thin
shells around them carry bytes:

    pure    geo, course, drive, conduct, checker, radio, vehicle (all of them together)
    shells  app, uplink (MQTT), publisher + whip + webrtc (media), sources + camera_worker
            (pictures), sound, epochs (the one file a vehicle must never lose)
    drawn   scene_road, scene_field, panorama, glyphs, strip_painter (the synthetic camera)
"""
