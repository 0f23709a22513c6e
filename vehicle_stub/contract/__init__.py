"""The contract test kit: `enkan vehicle check` holds anyone's vehicle to its contract.

It connects as a hub would, over MQTT, and knows the vehicle only from what it says.
`rules` and `control_rules` are the rules, `hub` makes what is sent to a vehicle, right or
wrong on purpose, `heard` keeps what it answers, `mqtt` is the way there, `report` the words
for the result.

It never moves a vehicle: it sends stops, refusable orders that would do nothing if they
were obeyed, and control to assist.
"""
