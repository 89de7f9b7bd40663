"""Options of the tasks: where the data are, what the arrays are called, how they are divided."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from toolkit.contracts import DataPath, Name, TargetOptions


class ArchiveOptions(TargetOptions):
    """Where the data are, what the arrays are called, and how they are divided."""

    about_classes: ClassVar[tuple[str, ...]] = ("classes", "merge")

    data: DataPath = Field(
        description="an .npz archive; for spd_arrays also a folder of .npy or .mat files, one"
        " matrix each, with the class after the last underscore of the name, or in folders named"
        " by class, those in train/, val/ and test/ where the parts are given"
    )
    x: str = Field("X", description="name of the array of inputs")
    y: str = Field(
        "y",
        description="name of the array of labels: whole numbers or strings, or any numbers where"
        " target is continuous",
    )
    split: str = Field(
        "split", description="optional array of 'train', 'val', 'test' (or booleans)"
    )
    groups: str = Field("groups", description="optional array of groups; test groups are whole")
    test_x: str | None = Field(None, description="array of separate test inputs, if there is one")
    test_y: str | None = Field(None, description="labels of the separate test inputs")
    test_groups: tuple[Name, ...] = Field(
        (), description="groups to test on; the last one by default"
    )
    val_groups: tuple[Name, ...] = Field(
        (), description="groups to validate on; by default samples of all other groups are drawn"
    )
    split_ratio: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (2, 1, 1), description="training : validation : test, where no array gives them"
    )
    refit: bool = Field(
        False,
        description="train on the validation part as well, once everything is chosen; what is then"
        " said of validation has been trained on",
    )
    grouped: bool = Field(
        False,
        description="where groups are known, each input carries the number of its own as a further"
        " channel, for the space spd_pipeline, which may recentre each group",
    )
    classes: tuple[Name, ...] = Field((), description="labels to keep; all by default")
    merge: Annotated[dict[str, tuple[Name, ...]], Field(max_length=1000)] = Field(
        {}, description="classes made of labels, {task: [left, right]}; other labels are left out"
    )
    scale: Literal["dataset", "trace", "none"] = Field(
        "dataset",
        description="dataset: divide all matrices by the mean eigenvalue of the training ones;"
        " trace: each by its own; none: as they come",
    )

    @model_validator(mode="after")
    def _test_arrays_together(self) -> ArchiveOptions:
        if (self.test_x is None) != (self.test_y is None):
            raise ValueError("test_x and test_y must be given together")
        return self

    @model_validator(mode="after")
    def _each_label_once(self) -> ArchiveOptions:
        if self.merge and self.classes:
            raise ValueError("merge names the labels to keep, so classes must be left out")
        merged = [str(label) for labels in self.merge.values() for label in labels]
        for label in merged:
            if merged.count(label) > 1:
                raise ValueError(f"merge names the label {label!r} twice")
        if any(not labels for labels in self.merge.values()):
            raise ValueError("merge has a class without labels")
        return self


class SpdOptions(ArchiveOptions):
    """Options of the task `spd_arrays`."""

    embedding: Literal["real_part", "real_embedding"] = Field(
        "real_part",
        description="of complex matrices: the real part, or twice as large and without loss",
    )
    ridge: NonNegativeFloat = Field(
        0.0, description="added to the diagonal, as a fraction of the mean eigenvalue"
    )
    symmetry_tolerance: NonNegativeFloat = Field(
        1e-5, description="largest asymmetry allowed, as a fraction of the largest entry"
    )


Band: TypeAlias = tuple[PositiveFloat, PositiveFloat]

Window: TypeAlias = tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(gt=0, le=1)]]


class SeriesOptions(ArchiveOptions):
    """Options of the task `series_arrays`."""

    output: Literal["matrices", "series"] = Field(
        "matrices",
        description="matrices: covariances, made as the options say; series: as they come, for the"
        " space spd_pipeline, which searches how covariances are made",
    )
    lengths: str = Field("lengths", description="array of the series' lengths, if they differ")
    test_lengths: str | None = Field(None, description="lengths of the separate test inputs")
    root_joint: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="of skeletons, channels x0 y0 z0 x1 ...: the joint that all positions are taken"
        " relative to, and whose own channels are dropped",
    )
    band: Band | tuple[Band, ...] | None = Field(
        None,
        description="lowest and highest frequency to keep, Hz; several such pairs are a filter"
        " bank, whose covariances are channels; all frequencies by default",
    )
    rate: PositiveFloat | None = Field(None, description="samples a second, which band needs")
    windows: Annotated[tuple[Window, ...], Field(min_length=1)] = Field(
        ((0.0, 1.0),),
        description="parts of each series, from and to, as shares of its length; the covariances of"
        " several are channels, of each band in turn",
    )
    mean: Annotated[float, Field(ge=0, le=1000)] = Field(
        0.0,
        description="weight b of the mean m in the matrix [[C + b^2 mm', bm], [bm', 1]], which has"
        " a row more; 0 for the covariance C alone",
    )
    estimator: Literal["sample", "ledoit_wolf", "oas"] = Field(
        "sample", description="covariance estimator"
    )
    ridge: NonNegativeFloat = Field(
        1e-3, description="added to the diagonal, as a fraction of the mean variance"
    )

    @model_validator(mode="after")
    def _band_of_a_rate(self) -> SeriesOptions:
        if self.band is not None and self.rate is None:
            raise ValueError("band needs the rate, in samples a second")
        for low, high in self.bands:
            if low >= high:
                raise ValueError(f"band is {[low, high]}; its lower frequency comes first")
        return self

    @model_validator(mode="after")
    def _windows_last(self) -> SeriesOptions:
        for begin, end in self.windows:
            if begin >= end:
                raise ValueError(f"windows has {[begin, end]}, which ends before it begins")
        return self

    @model_validator(mode="after")
    def _made_by_the_space(self) -> SeriesOptions:
        if self.output == "series":
            fields = type(self).model_fields
            for name in ("band", "windows", "mean", "estimator", "ridge"):
                if getattr(self, name) != fields[name].default:
                    raise ValueError(
                        f"{name} is about matrices, and output is series: the space decides"
                        f" how covariances are made, so leave {name} out"
                    )
        return self

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands of the filter bank; none where all frequencies are kept."""
        if self.band is None:
            return ()
        first = self.band[0]
        return self.band if isinstance(first, tuple) else (self.band,)  # type: ignore[return-value]
