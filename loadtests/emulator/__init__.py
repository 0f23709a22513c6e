"""A network between namespaces, in user space: what a mobile link does to packets.

    link      pure: one direction of a link, seeded, `now_ns` passed in
    ipv4      pure: another address in a packet, as a NAT or a new cell gives it
    meter     pure: RTP streams on the wire and what of them is sent again
    control   what the emulator is told and what it answers
    process   the shell: TUN devices, in a process of its own
    network   makes namespaces and the process, and removes them
    calibrate how many packets a second it carries without losing any itself

Kernels without netem cannot delay or lose packets; TUN devices exist everywhere. Each
link is two TUN devices, one in each namespace; what the kernel writes into one comes
out of the other, later, less, twice or not at all. The devices vanish with the
process, so nothing outlives a run but the namespaces, which `network` removes.
Interfaces, routes and addresses of the default namespace are never touched.
"""
