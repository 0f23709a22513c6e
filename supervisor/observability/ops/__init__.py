"""What the ops team's own tools read, made from the code it describes.

alerts      one row for each thing that calls the ops team, in Japanese and English
burn        recording rules and alerts of the objectives, for any configuration
rules       both as the files of Prometheus, in `deploy/prometheus`
dashboards  what Grafana shows, in `deploy/grafana`, from `panels`
yaml_text   plain data as YAML

`python -m supervisor.observability.ops` writes the files; with `--check` it only says
which are not what the code says.
"""
