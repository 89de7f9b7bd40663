"""Handing a final training over: its model, its card, and what its inputs went through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from toolkit.base.files import write_atomically
from toolkit.base.plain import finite
from toolkit.contracts import ExportJob, Outcome, Splits, TrialState
from toolkit.run.weights import FOUND_DRAWING, PREPARATION
from toolkit.worker import preparation
from toolkit.worker.workplace import Workplace, first_inputs

EXAMPLES = 8
"""Validation inputs on which an exported model is checked."""


def export(place: Workplace, job: ExportJob) -> Outcome:
    """Writes a final training as a folder that needs no toolkit."""
    from toolkit.export import Card, export_model
    from toolkit.export.card import TRANSDUCTIVE
    from toolkit.export.drawing import draw
    from toolkit.training.data import count_splits

    learner = place.rebuild(job.training)
    point = job.training.point
    source = place.problem.source_of(point)
    splits, info = place.splits(source), source.info
    example = learner.example(first_inputs(splits, EXAMPLES))
    graph = place.problem.graph(point)
    deployed = learner.deployed().eval().cpu()
    card = replace(Card(**job.card), inputs=splits.preparation)
    data = cast(Mapping[str, Any], card.data or {})
    if "training" not in data:  # The task says nothing of its parts.
        card = replace(card, data={**data, **count_splits(splits, info).facts()})
    if (prepared := place.prepared(point, splits)) is not None:
        card = replace(card, start=preparation.facts_of(prepared))
    if learner.transductive:
        card = replace(card, limits=(TRANSDUCTIVE, *card.limits))
    to = Path(job.to)
    skipped = [TRANSDUCTIVE] if learner.transductive else []
    export_model(
        deployed,
        example,
        point["architecture"],
        graph,
        card,
        to,
        preparer=None if splits.make_preparer is None else splits.make_preparer(),
        formats=job.formats,
        on_skip=skipped.append,
    )
    handed_on = {
        "fitted": dict(splits.fitted),
        "classes": list(info.class_names),
        "shape": [*info.shape[:-1], None] if info.any_length else list(info.shape),
        "transductive": learner.transductive,
        "outputs": info.outputs,
        "sizes": _sizes(splits, info.kind),
    }
    write_atomically(to / PREPARATION, json.dumps(finite(handed_on)) + "\n")
    if job.found is not None:
        drawn = draw(place.problem.graph(job.found), "what the search found")
        write_atomically(to / FOUND_DRAWING, drawn)
    return Outcome(TrialState.DONE, warnings=tuple(skipped))


def _sizes(splits: Splits, kind: str) -> dict[str, Any] | None:
    """How large training inputs are, see `toolkit.export.sizes`."""
    from toolkit.export.sizes import LOOKED_AT, Sizes

    data = cast(Any, splits.train)
    step = -(-len(data) // LOOKED_AT) or 1
    found = Sizes.of((data[index][0] for index in range(0, len(data), step)), kind)
    return None if found is None else found.to_json()
