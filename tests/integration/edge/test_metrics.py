"""Numbers of the edge for `/_preamp/metrics`."""

from __future__ import annotations

from preamp.model.apps import CustomRule
from preamp.store.counters import read_all
from tests.integration.edge.test_hosting import until
from tests.support.edge import World, running_edge
from tests.support.upstream import running_upstream


def test_answers_are_counted_by_status_and_source(tmp_path):
    world = World(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    with running_upstream() as upstream:
        rule = CustomRule(source="/api/<*>", target=f"{upstream.url}/<*>", status="200")
        host = world.site({"index.html": b"home" * 100}, rules=[rule])
        with running_edge(world, run=run, proxy_networks=("127.0.0.0/8",)) as edge:
            replies = {}
            with edge.client() as client:
                for number in range(4):
                    replies[number] = client.get(host)
                etag = replies[0].headers["etag"]
                for _ in range(2):
                    client.get(host, "/", f"If-None-Match: {etag}")
                for _ in range(3):
                    client.get(host, "/api/status/200")
                client.get(host, "/none")

            def shown() -> dict[tuple[str, str, str], float]:
                found = {}
                for sample in read_all(run):
                    labels = dict(sample.labels)
                    if sample.name.startswith("preamp_edge_"):
                        found[sample.name, labels["status"], labels["source"]] = sample.value
                return found

            def complete() -> bool:
                return sum(value for (name, *_), value in shown().items() if "requests" in name) == 10

            until(complete)
            numbers = shown()
    assert not list(read_all(run))
    name = "preamp_edge_requests_total"
    assert numbers[name, "2xx", "made"] == 1
    assert numbers[name, "2xx", "prepared"] == 3
    assert (numbers[name, "304", "made"], numbers[name, "304", "prepared"]) == (1, 1)
    assert numbers[name, "2xx", "forwarded"] == 3
    assert numbers[name, "4xx", "made"] == 1
    sent = numbers["preamp_edge_sent_bytes_total", "2xx", "prepared"]
    assert sent == sum(len(replies[number].raw) for number in (1, 2, 3))
