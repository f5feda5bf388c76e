"""The list of metrics that dashboard and alerts are made of, against what a server exports."""

import json
import pathlib
import re
import select
import socket
import struct
import subprocess
import time
import unittest
import urllib.request

import yaml

from talosmq_process import Server, talosmq

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIST = yaml.safe_load((ROOT / "config/grafana/metrics.yaml").read_text())
LAG = "talosmq_group_lag_records"
LAG_SECONDS_MAX = 60
READ_BY_A_GROUP = ((["produce", "events"], b"one\n"),
                   (["consume", "events", "-g", "readers", "-O", "start", "-e"], b""))
# Size, API 18, version 0, correlation id, no client id.
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
HISTOGRAM_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def scrape(server):
    """Metrics by name: type, help, labels."""
    address = json.loads((server.data / "listeners.json").read_text())["http"]
    with urllib.request.urlopen(f"http://{address}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    metrics = {}
    for line in lines:
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            metrics[name] = {"help": words, "labels": set()}
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            metrics[name]["type"] = kind
        else:
            sample = re.match(r"([a-z0-9_]+)(?:\{(.*)\})? ", line)
            name = sample[1]
            if name not in metrics:
                name = HISTOGRAM_SUFFIX.sub("", name)
            labels = re.findall(r'([a-z_]+)="', sample[2] or "")
            metrics[name]["labels"] |= set(labels) - {"le"}
    return metrics


class MetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.use()
        # What groups commit is counted like other records, so they have a server of their own.
        with_groups = Server()
        status, _, err = talosmq(with_groups, "topic", "create", "events", "-p", "1")
        assert status == 0, err
        for command, stdin in READ_BY_A_GROUP:
            status, _, err = talosmq(with_groups, *command, stdin=stdin)
            assert status == 0, err
        cls.exported = scrape(cls.server)
        names = scrape(with_groups)
        # Lags are measured from time to time.
        deadline = time.monotonic() + LAG_SECONDS_MAX
        while LAG not in names and time.monotonic() < deadline:
            select.select([], [], [], 0.2)
            names = scrape(with_groups)
        cls.exported[LAG] = names[LAG]
        with_groups.stop()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    @classmethod
    def use(cls):
        """Once everything that counts anything."""
        target = f"file://{cls.server.directory}/dump"
        for command, stdin in (
            (["topic", "create", "events", "-p", "1"], b""),
            (["produce", "events"], b"one\n"),
            (["consume", "events", "-O", "start", "-e"], b""),
            (["dump", "create", "job", "--topic", "events", "--to", target, "--format", "json"], b""),
        ):
            status, _, err = talosmq(cls.server, *command, stdin=stdin)
            assert status == 0, err
        address = json.loads((cls.server.data / "listeners.json").read_text())["kafka"][0]
        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=20) as kafka:
            kafka.sendall(API_VERSIONS)
            assert kafka.recv(4), "no answer"

    def test_the_list_is_what_the_server_exports(self):
        listed = {
            metric["name"]: {
                "help": metric["help"],
                "labels": set(metric.get("labels", [])),
                "type": metric["type"],
            }
            for metric in LIST["metrics"]
        }
        self.assertEqual(self.exported, listed)

    def test_panels_and_alerts_ask_for_what_is_exported(self):
        queries = [panel.get("expr") or panel["quantiles"] for panel in LIST["panels"]]
        queries += [alert["expr"] for alert in LIST["alerts"]]
        asked = set()
        for query in queries:
            asked |= set(re.findall(r"\b(?:talosmq|process)_[a-z0-9_]+", query))
        for name in asked:
            kind = self.exported.get(name, {}).get("type")
            if kind is None:
                kind = self.exported.get(HISTOGRAM_SUFFIX.sub("", name), {}).get("type")
                self.assertEqual(kind, "histogram", f"{name} is not exported")

    def test_alerts_say_what_to_do(self):
        for alert in LIST["alerts"]:
            self.assertIn(alert["severity"], ("critical", "warning"))
            self.assertTrue(alert["summary"].endswith(".") and alert["action"].endswith("."), alert)

    def test_what_is_made_of_the_list_is_up_to_date(self):
        subprocess.run([ROOT / "scripts/make_dashboard.py", "--check"], check=True)

    def test_counts_are_true(self):
        address = json.loads((self.server.data / "listeners.json").read_text())["http"]
        with urllib.request.urlopen(f"http://{address}/metrics") as reply:
            text = reply.read().decode()
        for line in (
            "talosmq_broker_appended_records_total 1",
            "talosmq_broker_appended_batches_total 1",
            'talosmq_broker_requests_total{method="produce",result="OK"} 1',
            "talosmq_broker_produce_seconds_count 1",
            "talosmq_broker_queue_wait_seconds_count 1",
            "talosmq_broker_waiting_appends 0",
            "talosmq_broker_partitions_led 1",
            'talosmq_rpc_calls_total{method="TopicService/CreateTopic",result="OK"} 1',
        ):
            self.assertIn(line, text.splitlines())

    def test_a_refusal_is_counted_with_its_reason(self):
        status, _, _ = talosmq(self.server, "topic", "create", "events")
        self.assertEqual(status, 1)
        address = json.loads((self.server.data / "listeners.json").read_text())["http"]
        with urllib.request.urlopen(f"http://{address}/metrics") as reply:
            text = reply.read().decode()
        self.assertIn(
            'talosmq_rpc_calls_total{method="TopicService/CreateTopic",result="TopicExists"} 1', text
        )


if __name__ == "__main__":
    unittest.main()
