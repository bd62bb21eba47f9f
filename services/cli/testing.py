"""``huifang check`` and ``huifang test``: the project's own quality gates, run from a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("formatting", ("-m", "ruff", "format", "--check", ".")),
    ("lint", ("-m", "ruff", "check", ".")),
    ("types", ("-m", "mypy")),
    ("imports", ("-c", "from importlinter.cli import lint_imports_command as c; c()")),
    ("dependencies", ("-m", "deptry", ".")),
)
"""What ``check`` runs: a name for people, and the arguments for this Python."""


def check() -> int:
    """Run every check, print the output of those that fail; 0 when all pass."""
    failed = []
    for name, arguments in CHECKS:
        print(f"check {name} … ", end="", flush=True)
        done = subprocess.run(  # noqa: S603 - this Python, with the arguments above
            [sys.executable, *arguments],
            cwd=ROOT,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        print("ok" if done.returncode == 0 else "FAILED")
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout, done.stderr, sep="\n")
    if failed:
        print(f"huifang check: {', '.join(failed)} failed; the reasons stand above.")
    return len(failed)


def test(arguments: list[str]) -> int:
    """Run the checks and then every test, or only what the arguments name for pytest."""
    if not (ROOT / "tests").is_dir():
        print("huifang test: the tests are in the source tree only; run it from a checkout.")
        return 2
    if not arguments and check() != 0:
        return 1
    command = [sys.executable, "-m", "pytest", *arguments]
    done = subprocess.run(  # noqa: S603 - what the person at the keyboard asked for
        command, cwd=ROOT, env=_environment(), check=False
    )
    return done.returncode


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    models = ROOT.parent / "shared" / "models"
    if "HUIFANG_MODELS" not in environment and models.is_dir():
        environment["HUIFANG_MODELS"] = str(models)
    return environment
