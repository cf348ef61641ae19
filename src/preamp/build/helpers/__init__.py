"""Programs that are put into a build's home folder."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
PROGRAMS = ("sudo", "corepack", "npm", "envCache", "amplifyPush")


def put_helpers(home: Path) -> None:
    """`nvm` for the shell; the programs in front of the PATH."""
    nvm = home / ".nvm"
    nvm.mkdir()
    (nvm / "nvm.sh").write_bytes((_HERE / "nvm.sh").read_bytes())
    programs = home / ".preamp" / "bin"
    programs.mkdir(parents=True)
    (home / ".npm-global" / "bin").mkdir(parents=True)
    (home / ".preamp" / "npm-ci.cjs").write_bytes((_HERE / "npm-ci.cjs").read_bytes())
    for name in PROGRAMS:
        (programs / name).write_bytes((_HERE / name).read_bytes())
        (programs / name).chmod(0o755)
