"""What `enkan demo` can break, really, and mend again.

line       what a path does to what passes: delay, loss, cut. Pure
relay_udp, relay_tcp   the ways between one vehicle and the hub, through such a line
second     a second operator, on a console of his own
stage      who breaks what, and keeps what is broken
channel    where the hub's console hands wishes in
"""
