"""Requests that the server of a release answers, with a fake host: what happens around the server."""

from __future__ import annotations

import contextlib
import dataclasses
import json

import pytest

from preamp.compute.client import ComputeUnavailable
from preamp.model.apps import CustomRule
from preamp.store.manifests import write_manifest
from tests.integration.edge.test_hosting import until
from tests.support.compute import STANDARD, FakeCompute, manifest, target
from tests.support.edge import Client, World, running_edge
from tests.support.upstream import running_upstream

FILES = {"known.txt": b"file", "404.html": b"nothing"}


@contextlib.contextmanager
def running(tmp_path, **config):
    """(edge, host name of a released site, the server of its release, the fake host)."""
    world = World(tmp_path)
    socket = tmp_path / "server.sock"
    compute = FakeCompute(socket)
    with (
        running_upstream(path=str(socket)) as server,
        running_edge(world, **{"compute": compute, **config}) as edge,
    ):
        app = world.app()
        branch = world.branch(app)
        world.release(app, branch, 1, world.published(FILES, deploy_manifest=STANDARD))
        yield edge, f"main.{app}.localhost", server, compute
    assert compute.open == 0


def release_of(edge, app: str) -> str:
    with edge.world.database.read() as conn:
        row = conn.exec_driver_sql("select active_release from branches where app_id = ?", (app,)).one()
    return str(row[0])


def test_without_a_host_files_are_served_and_the_rest_is_503(tmp_path):
    with running(tmp_path, compute=None) as (edge, host, _, _):
        assert edge.get(host, "/known.txt").body == b"file"
        reply = edge.get(host, "/")
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.body == b"503 Service Unavailable: This edge runs no servers.\n"


@pytest.mark.parametrize(("status", "name"), [(502, b"502 Bad Gateway"), (503, b"503 Service Unavailable")])
def test_a_server_that_does_not_start_is_told_without_its_secrets(tmp_path, status, name):
    with running(tmp_path) as (edge, host, _, compute):
        compute.fails = ComputeUnavailable(status, "secret details", for_visitor="It did not start.")
        reply = edge.get(host, "/")
        assert (reply.status, reply.body) == (status, name + b": It did not start.\n")
        assert reply.headers["cache-control"] == "no-cache"
        compute.fails = None
        assert edge.get(host, "/echo").status == 200


def test_answers_are_never_repeated_from_memory(tmp_path):
    with running(tmp_path) as (edge, host, server, compute), edge.client() as client:
        for _ in range(3):
            client.get(host, "/echo")
        assert server.requests == [("GET", "/echo")] * 3
        assert len(set(compute.used)) == 1
        assert len(compute.used) == 3


def test_a_file_after_the_servers_404_is_not_taken_for_the_answer(tmp_path):
    with running(tmp_path) as (edge, _, server, _):
        app = edge.world.app()
        route = {"path": "/*", "target": target("Compute"), "fallback": target("Static")}
        done = edge.world.published(FILES, deploy_manifest=manifest(route))
        edge.world.release(app, edge.world.branch(app), 1, done)
        for number in range(1, 4):
            assert edge.get(f"main.{app}.localhost", "/known.txt").body == b"file"
            assert len(server.requests) == number, "the server is asked each time"


def test_the_server_after_an_images_404_is_not_taken_for_the_answer(tmp_path):
    with running(tmp_path) as (edge, _, server, _):
        app = edge.world.app()
        route = {"path": "/image", "target": target("ImageOptimization"), "fallback": target("Compute")}
        rest = {"path": "/*", "target": target("Compute")}
        done = edge.world.published(FILES, deploy_manifest=manifest(route, rest))
        edge.world.release(app, edge.world.branch(app), 1, done)
        asked = "/image?url=/late.png&width=100"
        for _ in range(3):
            edge.get(f"main.{app}.localhost", asked)
        assert server.requests == [("GET", "/late.png"), ("GET", asked)] * 3, "the image may exist by now"


def test_a_visitor_that_leaves_while_the_server_starts_ends_the_request(tmp_path):
    with running(tmp_path) as (edge, host, server, compute):
        compute.start_seconds = 0.3
        with edge.client() as client:
            client.send(f"GET /silent HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            until(lambda: compute.open == 1)
        until(lambda: compute.open == 0)
        assert server.requests == []


@pytest.mark.parametrize("request_head", ["GET /echo", "POST /echo"])
def test_a_refused_connection_is_tried_again_with_another_server(tmp_path, request_head):
    with running(tmp_path) as (edge, host, _, compute), edge.client() as client:
        compute.dead = 1
        client.send(f"{request_head} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello".encode())
        told = json.loads(client.read().body)
        assert told["body"] == "hello"
        ((_, path),) = compute.told_broken
        assert path.name == "nobody"


def test_two_refused_connections_are_502(tmp_path):
    with running(tmp_path) as (edge, host, _, compute):
        compute.dead = 2
        reply = edge.get(host, "/echo")
        assert (reply.status, reply.body) == (
            502,
            b"502 Bad Gateway: the server of this site gave no usable answer.\n",
        )


def test_a_silent_server_is_504_and_one_that_stalls_is_cut(tmp_path):
    with running(tmp_path, compute_seconds=0.3) as (edge, host, _, _):
        reply = edge.get(host, "/silent")
        assert reply.status == 504
        assert b"did not answer in time" in reply.body
        with edge.client() as client:
            client.send(f"GET /stall HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            with pytest.raises(AssertionError, match="the body was cut"):
                client.read()


def test_pieces_arrive_before_the_answer_is_complete(tmp_path):
    with running(tmp_path) as (edge, host, _, compute), edge.client() as client:
        client.send(f"GET /stall HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.file.readline()
        assert client.file.read(5) == b"half "
        assert compute.open == 1


def test_routes_that_cannot_be_read_leave_the_release_before_in_place(tmp_path):
    with running(tmp_path) as (edge, host, _, _):
        app = host.split(".")[1]
        assert edge.get(host, "/known.txt").body == b"file"
        with edge.world.database.read() as conn:
            branch = conn.exec_driver_sql("select branch_id from branches where app_id = ?", (app,)).scalar()
        newer = dataclasses.replace(
            edge.world.published({"known.txt": b"new"}, deploy_manifest=STANDARD).manifest,
            deploy_manifest='{"version": 2}',
        )
        body = write_manifest(edge.world.blobs, newer)
        done = edge.world.published({"known.txt": b"new"})
        edge.world.release(app, branch, 2, dataclasses.replace(done, manifest_body=body))
        assert edge.get(host, "/known.txt").body == b"file"


def test_websocket(tmp_path):
    with running(tmp_path) as (edge, host, _, compute), edge.client() as client:
        client.send(
            f"GET /websocket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: x\r\n\r\n".encode()
        )
        assert client.file.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        while client.file.readline() != b"\r\n":
            pass
        assert client.file.read(6) == b"hello "
        client.send(b"ping")
        assert client.file.read(4) == b"ping"
        assert compute.open == 1, "the server is in use as long as the tunnel is open"


def test_large_bodies_both_ways(tmp_path):
    with running(tmp_path) as (edge, host, server, _), edge.client() as client:
        size = 8 << 20
        reply = client.get(host, f"/length/{size}")
        assert len(reply.body) == size
        client.send(f"POST /status/201 HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n".encode())
        client.send(b"x" * size)
        assert client.read().status == 201
        assert server.received == size


def test_the_next_release_has_its_own_server(tmp_path):
    with running(tmp_path) as (edge, host, _, compute):
        app = host.split(".")[1]
        edge.get(host, "/echo")
        before = release_of(edge, app)
        with edge.world.database.read() as conn:
            branch = conn.exec_driver_sql("select branch_id from branches where app_id = ?", (app,)).scalar()
        done = edge.world.published({**FILES, "more.txt": b"x"}, deploy_manifest=STANDARD)
        edge.world.release(app, branch, 2, done)
        after = release_of(edge, app)
        edge.get(host, "/echo")
        assert compute.used == [before, after]


def test_pages_of_the_server_tell_the_deployment(tmp_path):
    with running(tmp_path) as (edge, _, _, _):
        app = edge.world.app()
        branch = edge.world.branch(app, enable_skew_protection=True)
        edge.world.release(app, branch, 7, edge.world.published(FILES, deploy_manifest=STANDARD))
        host = f"main.{app}.localhost"
        assert "set-cookie" not in edge.get(host, "/echo").headers, "it is JSON"
        reply = edge.get(host, "/page")
        assert reply.headers["set-cookie"] == "_dpl=0000000007; Path=/; HttpOnly; SameSite=Lax"


def test_a_rule_may_lead_to_another_site_with_a_server(tmp_path):
    with running(tmp_path, proxy_networks=("127.0.0.0/8",)) as (edge, host, _, _):
        rule = CustomRule(source="/<*>", target=f"http://{host}:{edge.port}/<*>", status="200")
        told = json.loads(edge.get(edge.world.site({"index.html": b""}, rules=[rule]), "/echo/x").body)
        headers = dict(told["headers"])
        assert headers["host"] == f"{host}:{edge.port}"
        assert headers["via"] == "1.1 preamp, 1.1 preamp"


def test_the_edge_closes_its_client(tmp_path):
    with running(tmp_path) as (_, _, _, compute):
        pass
    assert compute.closed


def test_two_visitors_do_not_wait_for_each_other(tmp_path):
    with running(tmp_path) as (edge, host, _, _), Client(edge.port) as slow:
        slow.send(f"GET /silent HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert edge.get(host, "/echo").status == 200


def test_a_get_that_nobody_answered_is_asked_again_once(tmp_path):
    with running(tmp_path) as (edge, host, server, compute):
        assert edge.get(host, "/closes-at-once").status == 502
        assert server.requests == [("GET", "/closes-at-once")] * 2
        assert len(compute.told_broken) == 1
        server.requests.clear()
        assert edge.get(host, "/closes-at-once", method="POST").status == 502
        assert server.requests == [("POST", "/closes-at-once")], "a POST may have done something"
        server.requests.clear()
        server.close_next = 1
        assert edge.get(host, "/echo").status == 200
        assert server.requests == [("GET", "/echo")] * 2
