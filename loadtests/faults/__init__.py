"""What the network does to a vehicle's pictures, and what the operator gets of them.

    suite         the faults F-01 … F-11 and W-01, in the order they run
    losing connecting narrow cuts   what each injects and judges, by family; `fault` is common
    bed           hub, vehicle and seat, each in its namespace
    seat          an operator's place as a process: picture, console socket, telemetry
    seat_process  starts it and keeps what it says; `said` are its words
    receiver      pure: packets into whole pictures, asking again for what is missing
    h264          pure: RTP payloads into access units
    screen        decodes and reads the strip in the pixels
    judge         pure: freezes and losses from what was shown
    runner        one command's run
    connect       dials again and again (F-03), in the vehicle's namespace
    verdict       results as data, as a table and as docs/reliability.md

A vehicle is the real `vehicle_stub`, the hub is a real hub. The seat is ours, since a
browser costs more than these machines have: it asks again for lost packets, waits for
a keyframe after a loss it cannot repair, and shows a picture as soon as it is whole.
"""
