"""How much: black-box measurements of a running hub, beside other forwarders.

    cli            `enkan bench …`
    media_bench    the run: start a forwarder, connect peers, warm up, measure, judge
    report         what was measured, as a table and as JSON
    under_test     what a forwarder has to offer to be measured
    hub_process    our hub as a forwarder under test
    relay_process  aiortc's own relay as a forwarder under test; `aiortc_relay` is its child
    janus_process  Janus's video room as a forwarder under test, if it is installed
    peer_process   generator and sinks as child processes; `peer_main` is the child
    curve, plot    cost and delay against the number of streams, as a table and as SVG
    fleet_bench    `enkan bench fleet`: hub, vehicles, consoles; `fleet_report` its table;
                   `fleet_vehicles`, `fleet_consoles` are the children, `fleet_control` the
                   messages between them
    faults         what a bad network does to pictures: `enkan bench faults`
    emulator       the bad network: namespaces and a userspace link
    origin         date and commit of a figure
    profiling      a profile of our media worker, taken from outside
    control        messages between the bench and its peer processes
    publisher      paced video senders         watcher   receivers that account every packet
    peer           ICE + DTLS + SRTP of one peer; `dtls` holds the hooks into aiortc
    mqtt           a minimal MQTT client; `metrics_page` reads /metrics
    wire, sdp, udp, video, statistics, procfs   formats, sockets, pictures, figures

Peers are real WebRTC peers that do nothing but move packets: the point is that the
generator is never the bottleneck. Signalling is done by the bench alone, so a peer
process knows nothing about the forwarder it talks to. This package never imports
`supervisor`: it measures from outside what an operator would get.
"""
