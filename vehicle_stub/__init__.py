"""A vehicle from outside: what a bus or a tractor of any maker would run.

Imports `protocols` only. Pure modules (no loop, clock, I/O) carry the rules, thin
shells around them carry bytes:

    safety  checker (commands), drive_frames + deadman (being driven), control (by whom),
            conduct (who may move it), speed_limit, paths (its own envelope), orders and
            answers (what comes of a command), vehicle (all of them); epochs is the one file
            that must not be lost
    motion  geo, course, coverage, drive, sideways, radio, equipment, asking, saying, outputs,
            liveness (is the path alive), rate (how many bits): pure, as safety is
    kit     contract/ holds a vehicle of any maker to the contract, from outside
    shells  app, uplink (MQTT), publisher + whip (media sessions), webrtc + video_sender +
            rtp_hooks + ice_path (one session; all that touches private parts of aiortc and
            aioice), sources + camera_worker + encoding + encoder (pictures), sound,
            speaker
    drawn   scene_road, scene_field, panorama, glyphs, strip_painter (the synthetic camera)
"""
