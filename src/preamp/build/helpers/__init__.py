"""Shell programs that are put into a build's home folder."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def put_helpers(home: Path) -> None:
    """`nvm` for the shell; `sudo` and `corepack` in front of the PATH."""
    nvm = home / ".nvm"
    nvm.mkdir()
    (nvm / "nvm.sh").write_bytes((_HERE / "nvm.sh").read_bytes())
    programs = home / ".preamp" / "bin"
    programs.mkdir(parents=True)
    (home / ".npm-global" / "bin").mkdir(parents=True)
    for name in ("sudo", "corepack"):
        (programs / name).write_bytes((_HERE / name).read_bytes())
        (programs / name).chmod(0o755)
