"""What the ops team sees: metrics, logs, and how late the loop runs.

catalogue       one table of every metric; `python -m supervisor.observability.catalogue`
exporter        counters, gauges and histograms as Prometheus metrics
metrics_server  /metrics on its own port, behind a token
logs            one event a line, for people or as JSON, never a secret
health          how late the event loop runs
"""
