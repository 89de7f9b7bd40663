"""`doctor` looks at everything and ends with 1 exactly where something is broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_doctor_names_what_is_broken(toolkit: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n")
    answer = toolkit("doctor", "--plugin", broken, "--json")
    findings = {line["topic"]: line for line in map(json.loads, answer.out.splitlines())}
    assert answer.code == 1
    assert "ZeroDivisionError" in findings["plugin broken"]["problem"]
    for topic in ("python", "torch", "nni", "optuna", "setuptools", "cores", "memory", "disk"):
        assert findings[topic]["found"]
    assert findings["torch build"]["found"].startswith("2.")
    assert findings["python"]["problem"] == ""
    healthy = not any(line["problem"] for name, line in findings.items() if name != "plugin broken")
    assert (toolkit("doctor").code == 0) == healthy
