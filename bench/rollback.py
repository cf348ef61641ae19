"""Rollback and promote by themselves: from the call to the first page of the other release; and a job's way.

A release has a thousand files. The job is a deployment whose upload is there already, so it builds nothing:
it unpacks, compresses, stores, verifies and switches.
"""

from __future__ import annotations

import http.client
import itertools
import os
import tempfile
import time
import zipfile
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

from botocore.credentials import Credentials

from bench.report import median, percentile, table
from bench.wrk import Request, signed
from tests.support.preamp import Preamp, running, until, wait_for_job

FILES = 1000
FILE_BYTES = 4096
ROUNDS = 25
JOBS = 5


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary:
        folder = Path(temporary)
        with running(folder / "data") as preamp:
            site = Site(preamp, folder)
            first, _ = site.deploy("main")
            site.deploy("main")
            _, promoted = site.deploy("next")
            back, forth = [], []
            for _ in range(ROUNDS):
                back.append(site.switch("rollback", "text 1", branch="main", job=str(first)))
                forth.append(site.switch("promote", site.text, **{"from": "next", "to": "main"}))
            jobs = [promoted, *(site.deploy("next")[1] for _ in range(JOBS - 1))]
    rows = [
        (f"rollback, {ROUNDS} times", [total for total, _ in back]),
        (f"promote, {ROUNDS} times", [total for total, _ in forth]),
        ("of both, the call alone", [answered for _, answered in back + forth]),
        (f"a job, {JOBS} times", jobs),
    ]
    found = [(name, median(took) * 1000, percentile(took, 99) * 1000) for name, took in rows]
    both = median([total for total, _ in back + forth])
    table(
        f"A release of {FILES:,} files, ms from the call to its first page",
        ("", "p50", "p99"),
        [*found, ("a job, in switches", median(jobs) / both, "")],
    )


class Site:
    """An app whose pages say which release they are of. Connections are kept, as browsers and clients do."""

    def __init__(self, preamp: Preamp, folder: Path) -> None:
        self._client = preamp.client()
        self._app_id = self._client.create_app(name="bench")["app"]["appId"]
        for name in ("main", "next"):
            self._client.create_branch(appId=self._app_id, branchName=name)
        self._folder = folder
        self._domain = preamp.address()["site_domain"]
        self._control_url = preamp.control_url
        self._variables = preamp.variables()
        self._edge = http.client.HTTPConnection(preamp.edge)
        self._control = http.client.HTTPConnection(urlsplit(self._control_url).netloc)
        self._counter = itertools.count(1)
        self.text = ""

    def deploy(self, branch: str) -> tuple[int, float]:
        """The job's number, and the seconds from StartDeployment to its page; `text` is what that says."""
        self.text = f"text {next(self._counter)}"
        archive = self._folder / "upload.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.html", self.text)
            for number in range(FILES - 1):
                file.writestr(f"f{number}.txt", f"{self.text} {number}\n" + os.urandom(FILE_BYTES // 2).hex())
        created = self._client.create_deployment(appId=self._app_id, branchName=branch)
        upload = UrlRequest(created["zipUploadUrl"], data=archive.read_bytes(), method="PUT")
        with urlopen(upload) as answer:
            assert answer.status == 200
        began = time.perf_counter()
        self._client.start_deployment(appId=self._app_id, branchName=branch, jobId=created["jobId"])
        until(lambda: self._page(branch) == self.text, "the page")
        took = time.perf_counter() - began
        wait_for_job(self._client, self._app_id, branch, created["jobId"])
        return int(created["jobId"]), took

    def switch(self, action: str, text: str, **query: str) -> tuple[float, float]:
        """Seconds until main's page says `text`, and until the call was answered."""
        target = f"/_preamp/{action}?{urlencode({'app': self._app_id, **query})}"
        variables = self._variables
        request = signed(
            Request(url=self._control_url + target, method="POST"),
            Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]),
            service="amplify",
            region=variables["AWS_DEFAULT_REGION"],
        )
        assert self._page("main") != text
        began = time.perf_counter()
        self._control.request("POST", target, headers=request.headers)
        answer = self._control.getresponse()
        body = answer.read()
        answered = time.perf_counter() - began
        assert answer.status == 200, body
        while self._page("main") != text:
            assert time.perf_counter() - began < 60, f"no page after {action}"
        return time.perf_counter() - began, answered

    def _page(self, branch: str) -> str:
        self._edge.request("GET", "/", headers={"Host": f"{branch}.{self._app_id}.{self._domain}"})
        return self._edge.getresponse().read().decode()


if __name__ == "__main__":
    main()
