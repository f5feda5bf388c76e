#!/usr/bin/python3
"""Writes the Grafana dashboard, the alert rules and the page of metrics from one list.

  scripts/make_dashboard.py         writes what config/grafana/metrics.yaml says
  scripts/make_dashboard.py --check fails when a file differs from what it would write
"""

import json
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "config/grafana/metrics.yaml"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, COLUMNS = 8, 7, 3


def targets_of(panel):
    """The queries of one panel."""
    if "expr" in panel:
        return [{"refId": "A", "expr": panel["expr"], "legendFormat": panel["legend"]}]
    return [
        {
            "refId": ref,
            "expr": f"histogram_quantile({quantile}, sum by (le) (rate({panel['quantiles']}_bucket[5m])))",
            "legendFormat": name,
        }
        for ref, quantile, name in (("A", 0.5, "p50"), ("B", 0.99, "p99"), ("C", 0.999, "p999"))
    ]


def panel_of(number, panel):
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel["title"],
        "datasource": SOURCE,
        "gridPos": {
            "x": number % COLUMNS * WIDTH,
            "y": number // COLUMNS * HEIGHT,
            "w": WIDTH,
            "h": HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": panel["unit"], "min": 0}, "overrides": []},
        "targets": [dict(target, datasource=SOURCE) for target in targets_of(panel)],
    }


def dashboard(parts):
    return {
        "title": "TalosMQ",
        "uid": "talosmq",
        "schemaVersion": 38,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [panel_of(number, panel) for number, panel in enumerate(parts["panels"])],
    }


def alert_rules(parts):
    rules = [
        {
            "alert": alert["name"],
            "expr": alert["expr"],
            "for": alert["wait"],
            "labels": {"severity": alert["severity"]},
            "annotations": {"summary": alert["summary"], "description": alert["action"]},
        }
        for alert in parts["alerts"]
    ]
    return {"groups": [{"name": "talosmq", "rules": rules}]}


def page(parts):
    lines = [
        "# Metrics",
        "",
        "The server exports these at `http://HOST:9192/metrics` in Prometheus' text format.",
        "[config/grafana](../config/grafana/metrics.yaml) holds a dashboard and alert rules made of them;",
        "`scripts/make_dashboard.py` writes both and this page from that list. Times are in seconds.",
        "",
        "| metric | type | labels | what |",
        "|---|---|---|---|",
    ]
    for metric in parts["metrics"]:
        labels = ", ".join(metric.get("labels", []))
        lines.append(f"| `{metric['name']}` | {metric['type']} | {labels} | {metric['help']} |")
    lines += ["", "## Alerts", "", "| alert | when | what to do |", "|---|---|---|"]
    for alert in parts["alerts"]:
        lines.append(f"| {alert['name']} | {alert['summary']} | {alert['action']} |")
    return "\n".join(lines) + "\n"


def files():
    """Every file that is made of the list, with its text."""
    parts = yaml.safe_load(LIST.read_text())
    return {
        ROOT / "config/grafana/dashboard.json": json.dumps(dashboard(parts), indent=1) + "\n",
        ROOT / "config/grafana/alerts.yaml": yaml.safe_dump(
            alert_rules(parts), sort_keys=False, width=100
        ),
        ROOT / "docs/metrics.md": page(parts),
    }


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    stale = []
    for path, text in files().items():
        if sys.argv[1:] == []:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(str(path.relative_to(ROOT)))
    if stale:
        sys.exit(f"not what config/grafana/metrics.yaml says: {', '.join(stale)}; "
                 "run scripts/make_dashboard.py")


if __name__ == "__main__":
    main()
