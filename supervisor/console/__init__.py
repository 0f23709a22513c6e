"""The console shell: HTTP, the WebSocket, who may do what, and the static pages.

    credentials  accounts and vehicle secrets in one private file
    access       sessions, sign-in limits, and the role × operation table
    listening    a bound socket and a uvicorn server without signal handlers
    guard        what holds for every request: host, origin, access, size, headers
    pages        the static console and the base maps
    changes      what changed since the last message, and one console's outbox
    socket       one console's WebSocket: read, check, answer, write
    incoming     one console message -> one core event, or a refusal
    server       the routes, and `Console`, which ties them together

Decides nothing about vehicles: it turns messages into events and views into bytes.
"""
