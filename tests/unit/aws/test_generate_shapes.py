from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from preamp.api import shapes
from preamp.aws.generate_shapes import generate, main
from preamp.aws.service import load_service
from preamp.server.control import OVERRIDES

FILE = "src/preamp/api/shapes.py"
COMMAND = [
    "amplify",
    FILE,
    *(part for member in sorted(OVERRIDES.optional) for part in ("--optional", member)),
]


def test_the_generated_file_is_current() -> None:
    command = " ".join(COMMAND)
    text = generate(load_service("amplify", overrides=OVERRIDES), command=command)
    assert Path(shapes.__file__).read_text("utf-8") == text, (
        f"run: python -m preamp.aws.generate_shapes {command}"
    )


def test_the_text_is_already_formatted(tmp_path: Path) -> None:
    copy = tmp_path / "shapes.py"
    main(["amplify", str(copy)])
    command = [sys.executable, "-m", "ruff", "format", "--check", "--line-length", "110", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_secrets_are_not_in_repr() -> None:
    request = shapes.CreateAppRequest(
        name="x",
        access_token="tok-1",
        oauth_token="tok-2",
        basic_auth_credentials="tok-3",
        build_spec="tok-4",
    )
    assert repr(request) == "CreateAppRequest(name='x')"


def test_every_operation_has_its_types() -> None:
    assert set(shapes.OPERATION_TYPES) == set(load_service("amplify").operations)
    assert len(shapes.OPERATION_TYPES) == 37
