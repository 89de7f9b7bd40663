"""What is said of samples of which nobody knows whose they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import BaseModel

from toolkit.problem.source import DataSource


class Archive(BaseModel):
    data: str = "images.npz"
    split: str = "split"


class Folder(BaseModel):
    data: str


class Grouped(Folder):
    groups: str = "groups"


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        (Archive, "task.split"),
        (Folder, "into the folders train, val and test"),
        (Grouped, "as the task's groups"),
    ],
)
def test_the_way_to_divide_samples_of_one_person_is_that_of_the_task(
    tmp_path: Path, kind: type[BaseModel], way: str
) -> None:
    options = kind(data=str(tmp_path))
    asked = cast(Any, SimpleNamespace(task=SimpleNamespace(options=options)))
    assert way in DataSource._way_to_groups(asked)
