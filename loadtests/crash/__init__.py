"""What a hub loses when it is killed, and what it does when its disk fails.

    fleet     vehicles that report events and remember which were acknowledged
    kill      P-01: kill -9 under load, again and again; the audit read afterwards
    storage   P-03: a disk that is full, fails or stalls under a running hub
    account   reads an audit store as anybody may: SQLite, and `enkan verify`
    results   figures beside their targets, as a table and as data

An acknowledged event is a promise: its record was durable before the acknowledgement
left. So the vehicles' list of acknowledged events, held against the store after the last
kill, says how many promises were broken.
"""
