"""What a point of the space means: names of preparations, representations and classifiers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from toolkit.contracts import Architecture, TaskInfo
from toolkit.errors import SpaceError
from toolkit.space import Choice, Float, Group, Node, validate

if TYPE_CHECKING:
    from .classifier import PipelineClassifier
    from .representation import RepresentationSpec

Norm = Literal["none", "trace", "correlation", "deviation"]
Mean = Literal["karcher", "log_euclidean", "arithmetic"]
Estimator = Literal["sample", "oas", "ledoit_wolf"]
Recentring = Literal["none", "matrices", "vectors"]
RepresentationName = Literal[
    "affine_invariant", "log_euclidean", "power", "log_cholesky", "euclidean"
]
Family = Literal[
    "logistic", "ridge", "shrunken_lda", "linear_svm", "rbf_svm", "neighbors", "nearest_mean"
]
Network = Literal["tangent_mlp", "class_tangent", "bimap"]
NORMS: tuple[Norm, ...] = get_args(Norm)
MEANS: tuple[Mean, ...] = get_args(Mean)
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
RECENTRINGS: tuple[Recentring, ...] = get_args(Recentring)
REPRESENTATIONS: tuple[RepresentationName, ...] = get_args(RepresentationName)
FAMILIES: tuple[Family, ...] = get_args(Family)
NETWORKS: tuple[Network, ...] = get_args(Network)
MLP: Network = "tangent_mlp"
CLASS_TANGENT: Network = "class_tangent"
PENALISED: Family = "logistic"
"""The family whose penalty networks take over."""
POWERS = (0.5, 1.0)
"""How far the base point of a class goes from the identity to the class's mean."""
EXPONENTS = (0.25, 0.5)
BEST: Literal["best"] = "best"
"""The classifier of any family that is best on folds of the training part."""
ALL = "all"
MDM = "mdm"
"""Least distance to the class means, which is no classifier of vectors."""
_TANGENT: Mapping[str, Family] = {
    "tangent_lr": "logistic",
    "shrunken_lda": "shrunken_lda",
    "rbf_svm": "rbf_svm",
}
"""Classifiers in the tangent space of the matrices as they are."""
BASELINES = (MDM, *_TANGENT)
RIDGE = "tangent_ridge"
"""What stands beside networks that give values: a ridge regression in the tangent space."""
GROUPED = "grouped_"
"""What the kind of data begins with whose last channel is the number of the group."""
KINDS = ("spd", "series", "grouped_spd", "grouped_series")
MAX_SIDE = 64
"""Rows beyond which not all of them are kept: a decomposition grows with their third power."""


@dataclass(frozen=True)
class Data:
    """What a pipeline must know of inputs.

    Attributes:
        channels: of matrices; 0 where inputs are series.
        n: rows of a matrix, or channels of a series.
        grouped: whether the last channel of an input is the number of its group.
    """

    channels: int
    n: int
    grouped: bool

    @classmethod
    def of(cls, task: TaskInfo) -> Data:
        """Read a task that `check` lets pass."""
        grouped = task.kind.startswith(GROUPED)
        count = task.shape[0] - grouped
        if task.kind.endswith("series"):
            return cls(0, count, grouped)
        return cls(count, task.shape[-1], grouped)

    @property
    def series(self) -> bool:
        """Whether inputs are series."""
        return not self.channels


@dataclass(frozen=True)
class Offered:
    """What each decision is taken from, see `toolkit_spd.pipeline.space.SpdPipelineOptions`."""

    components: Sequence[int] = ()
    norms: Sequence[str] = NORMS
    ridge: tuple[float, float] = (1e-12, 1e3)
    representations: Sequence[str] = REPRESENTATIONS
    standardize: Sequence[bool] = (False, True)
    classifiers: Sequence[str] = (BEST, *FAMILIES)
    networks: Sequence[str] = NETWORKS
    channels: Sequence[Sequence[int]] | None = None
    recentring: Sequence[str] = RECENTRINGS
    bands: Sequence[str] = (ALL,)
    crops: Sequence[str] = (ALL,)
    windows: Sequence[str] = ("1",)
    velocities: Sequence[bool] = (False, True)
    time_rows: Sequence[int] = (0, 2, 4)
    estimators: Sequence[str] = ESTIMATORS
    means: Sequence[float] = (0.0, 0.1, 0.3, 1.0)


def tree(offered: Offered, task: TaskInfo) -> Group:
    """Return the space of pipelines for these data.

    Components are those below the matrices' size, and all unless that is large; groups of channels
    are by default all of them, and each alone.
    """
    data = Data.of(task)
    subtrees: dict[str, Node | None] = {
        "affine_invariant": Group({"mean": Choice(MEANS)}),
        "power": Group({"exponent": Choice(EXPONENTS)}),
    }
    networks: dict[str, Node] = {"class_tangent": Group({"power": Choice(POWERS)})}
    classifiers = dict.fromkeys((*offered.classifiers, *offered.networks))
    rows = data.n
    decisions: dict[str, Node] = {}
    if data.series:
        rows *= 1 + any(offered.velocities)
        rows += max(offered.time_rows)
        decisions |= {
            "bands": Choice(offered.bands),
            "crop": Choice(offered.crops),
            "windows": Choice(offered.windows),
            "velocities": Choice(offered.velocities),
            "time_rows": Choice(offered.time_rows),
            "estimator": Choice(offered.estimators),
            "mean": Choice(offered.means),
        }
    else:
        channels = offered.channels
        if channels is None:
            every = range(data.channels)
            channels = [every, *([index] for index in every if len(every) > 1)]
        named = dict.fromkeys(_named(group, data.channels) for group in channels)
        decisions["channels"] = Choice(list(named))
    kept = [count for count in offered.components if count < rows]
    everything = [ALL] if rows <= MAX_SIDE or not kept else []
    decisions |= {
        "components": Choice([*everything, *kept]),
        "norm": Choice(offered.norms),
        "ridge": Float(*offered.ridge, log=True),
    }
    if data.grouped:
        decisions["recentring"] = Choice(offered.recentring)
    return Group(
        decisions
        | {
            "representation": Choice({n: subtrees.get(n) for n in offered.representations}),
            "standardize": Choice(offered.standardize),
            "classifier": Choice({n: networks.get(n) for n in classifiers}),
        }
    )


def anchors(offered: Offered, task: TaskInfo) -> list[dict[str, Any]]:
    """Return pipelines that are seldom far from the best."""
    data = Data.of(task)
    plain = {**baseline("tangent_lr", 0.01, task), "classifier": offered.classifiers[0]}
    if max(offered.components, default=0) and data.n > MAX_SIDE:
        plain["components"] = max(offered.components)
    flat = {**plain, "representation": "log_euclidean"}
    found = [plain, {**plain, "ridge": 0.1}, flat, {**flat, "ridge": 0.1}]
    if data.series:
        moving = {**plain, "velocities": True, "time_rows": 2, "mean": 0.3, "ridge": 0.1}
        if 2 * data.n + 2 > 40:
            moving["components"] = 30
        found = [
            moving,
            plain,
            {**moving, "windows": "1+2"},
            {**moving, "representation": {"power": {"exponent": 0.5}}},
            {**flat, "ridge": 0.1},
        ]
    else:
        found.append({**plain, "norm": "trace", "ridge": 0.001})
    if data.grouped:
        found += [{**point, "recentring": "matrices"} for point in found[:3:2]]
    return found


def baseline_name(architecture: Architecture) -> str | None:
    """Return which of `BASELINES` a hand-made architecture `{"network": name}` is, if it is one.

    It may be `RIDGE`, too.
    """
    name = architecture.get("network")
    return name if len(architecture) == 1 and name in (*BASELINES, RIDGE) else None


def _named(channels: Sequence[int], count: int) -> str:
    """A group of channels, as points spell it."""
    return ALL if list(channels) == list(range(count)) else ",".join(map(str, channels))


def check_point(architecture: Architecture, task: TaskInfo) -> None:
    """Refuse what cannot be built for these data, whatever the options.

    Raises
    ------
    SpaceError
        With what is wrong.
    """
    data, read = Data.of(task), architecture.get("channels")
    channels: list[Sequence[int]] = [range(data.channels)]
    if isinstance(read, str) and re.fullmatch(r"\d{1,6}(,\d{1,6})*", read):
        group = [int(index) for index in read.split(",")]
        if max(group) < data.channels and len(set(group)) == len(group):
            channels.append(group)
    texts = {
        name: [text] if isinstance(text := architecture.get(name), str) else []
        for name in ("bands", "crop", "windows")
    }
    for name, read_text in _READERS.items():
        texts[name] = [text for text in texts[name] if read_text(text) is not None] or [ALL]
    usual, numbers = Offered(), {}
    for name, known in (("mean", usual.means), ("time_rows", usual.time_rows)):
        given = architecture.get(name)
        sound = isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 1e4
        numbers[name] = [*known, *([given] if sound and given not in known else [])]
    every = Offered(
        components=range(1, 2 * data.n + 1 + int(max(numbers["time_rows"]))),
        means=numbers["mean"],
        time_rows=[count for count in numbers["time_rows"] if isinstance(count, int)],
        channels=channels,
        bands=texts["bands"],
        crops=texts["crop"],
        windows=texts["windows"],
    )
    whole = tree(every, task)
    if architecture.get("components") == ALL:
        whole = tree(Offered(**{**vars(every), "components": ()}), task)
    validate(whole, architecture)


def read_bands(text: str) -> list[list[float]] | None:
    """Read bands as points spell them, `0.05-0.2` or several with + between; None if malformed."""
    return [] if text == ALL else _spans(text, highest=0.5)


def read_crop(text: str) -> list[float] | None:
    """Read the part of a series as points spell it, `0.25-1`; None if malformed."""
    if text == ALL:
        return [0.0, 1.0]
    spans = _spans(text, highest=1.0)
    return spans[0] if spans and len(spans) == 1 else None


def read_windows(text: str) -> list[int] | None:
    """Read numbers of windows as points spell them, `1+2`; None if malformed."""
    if text == ALL:
        return [1]
    parts = text.split("+")
    sound = all(re.fullmatch(r"[1-9]\d?", part) for part in parts)
    return [int(part) for part in parts] if sound else None


_READERS = {"bands": read_bands, "crop": read_crop, "windows": read_windows}


def _spans(text: str, highest: float) -> list[list[float]] | None:
    spans = []
    for part in text.split("+"):
        found = re.fullmatch(r"(\d*\.?\d+)-(\d*\.?\d+)", part)
        if found is None:
            return None
        low, high = float(found[1]), float(found[2])
        if not 0 <= low < high <= highest:
            return None
        spans.append([low, high])
    return spans


def baseline(name: str, ridge: float, task: TaskInfo | None = None) -> dict[str, Any]:
    """Return one of `BASELINES` as a pipeline; by default for matrices without groups."""
    data = Data(1, 1, False) if task is None else Data.of(task)
    rows: dict[str, Any] = {"channels": ALL}
    if data.series:
        rows = {
            "bands": ALL,
            "crop": ALL,
            "windows": "1",
            "velocities": False,
            "time_rows": 0,
            "estimator": "sample",
            "mean": 0.0,
        }
    return {
        **rows,
        "components": ALL,
        "norm": "none",
        "ridge": ridge,
        **({"recentring": "none"} if data.grouped else {}),
        "representation": {"affine_invariant": {"mean": "karcher"}},
        "standardize": False,
        "classifier": _TANGENT.get(name, "logistic"),
    }


@dataclass(frozen=True)
class Design:
    """A point of the space, read: what its module is made of, and how it is fitted."""

    channels: tuple[int, ...] | None
    components: int | None
    norm: str
    ridge: float
    recentring: str
    representation: str
    mean: str
    exponent: float
    standardize: bool
    families: tuple[str, ...]
    network: str | None = None
    power: float = 0.0
    bands: tuple[tuple[float, float], ...] = ()
    crop: tuple[float, float] = (0.0, 1.0)
    windows: tuple[int, ...] = (1,)
    velocities: bool = False
    time_rows: int = 0
    estimator: str = "sample"
    mean_weight: float = 0.0

    @classmethod
    def of(cls, architecture: Architecture) -> Design:
        """Read a point that `check_point` lets pass."""
        kept, chosen = architecture["components"], architecture["representation"]
        details: Mapping[str, Any] = {}
        name = chosen
        if isinstance(chosen, Mapping):
            ((name, details),) = chosen.items()
        classifier, settings = architecture["classifier"], {"power": 0.0}
        if isinstance(classifier, Mapping):
            ((classifier, settings),) = classifier.items()
        families = FAMILIES if classifier == BEST else (classifier,)
        read = architecture.get("channels", ALL)
        series: dict[str, Any] = {}
        if "bands" in architecture:
            bands, crop = read_bands(architecture["bands"]), read_crop(architecture["crop"])
            series = {
                "bands": tuple((low, high) for low, high in bands or ()),
                "crop": tuple(crop or (0.0, 1.0)),
                "windows": tuple(read_windows(architecture["windows"]) or (1,)),
                "velocities": architecture["velocities"],
                "time_rows": architecture["time_rows"],
                "estimator": architecture["estimator"],
                "mean_weight": architecture["mean"],
            }
        return cls(
            channels=None if read == ALL else tuple(map(int, read.split(","))),
            components=None if kept == ALL else kept,
            norm=architecture["norm"],
            ridge=architecture["ridge"],
            recentring=architecture.get("recentring", "none"),
            representation=name,
            mean=details.get("mean", MEANS[0]),
            exponent=details.get("exponent", 1.0),
            standardize=architecture["standardize"],
            families=() if classifier in NETWORKS else families,
            network=classifier if classifier in NETWORKS else None,
            power=settings["power"],
            **series,
        )

    def spec(self, task: TaskInfo) -> RepresentationSpec:
        """Return what the representation is made of, for these data."""
        data = Data.of(task)
        count, n, rows = data.channels, data.n, None
        if data.series:
            from .rows import RowsSpec, channel_count, row_count

            rows = RowsSpec(
                size=data.n,
                bands=[list(band) for band in self.bands],
                crop=list(self.crop),
                windows=list(self.windows),
                velocities=self.velocities,
                time_rows=self.time_rows,
                context=task.context,
            )
            count, n = channel_count(rows), row_count(rows)
        return {
            "channels": list(range(count) if self.channels is None else self.channels),
            "n": n,
            "rows": rows,
            "estimator": self.estimator,
            "components": min(self.components or n, n),
            "norm": self.norm,
            "ridge": self.ridge,
            "mean": self.mean_weight,
            "recentring": self.recentring,
            "grouped": data.grouped,
            "representation": self.representation,
            "exponent": self.exponent,
        }

    def vector_size(self, task: TaskInfo) -> int:
        """Return how many entries a vector has, of all channels."""
        spec = self.spec(task)
        side = spec["components"] + (spec["mean"] > 0)
        return len(spec["channels"]) * side * (side + 1) // 2

    def module(self, task: TaskInfo) -> PipelineClassifier:
        """Return the pipeline for these data, not fitted."""
        from .classifier import PipelineClassifier

        return PipelineClassifier(self.spec(task), task.classes)


def check(task: TaskInfo) -> None:
    """Refuse data that are neither square matrices nor series."""
    data = Data.of(task)
    if data.series:
        if len(task.shape) != 2 or data.n < 2:
            raise SpaceError(
                f"The series have shape {task.shape}, and two channels at least are needed.",
                hint="Give series (N, channels, time).",
            )
        return
    if len(task.shape) != 3 or task.shape[1] != task.shape[2] or min(data.channels, data.n) < 1:
        raise SpaceError(
            f"The data have shape {task.shape}, and this space needs (channels, n, n).",
            hint="Give square matrices, or use a task that makes covariances of series.",
        )
