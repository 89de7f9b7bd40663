"""Options of the task `mocap`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from toolkit.contracts import ClassificationOptions, DataPath, Name

Joint = NonNegativeInt
Frames = Annotated[int, Field(ge=2)]


class ArrayOptions(ClassificationOptions):
    """Where the sequences are, what the arrays are called, and which ones are taken."""

    data: DataPath = Field(description="an .npz archive")
    frames: str = Field(
        "frames",
        description="array (total frames, 3 x joints) of positions x0 y0 z0 x1 y1 z1 ..., all"
        " sequences one after the other",
    )
    lengths: str = Field("lengths", description="array (N,) of the sequences' lengths in frames")
    labels: str = Field("labels", description="array (N,) of actions, whole numbers or strings")
    subjects: str = Field("subjects", description="array (N,) of who moves")
    split: str = Field(
        "is_train",
        description="array (N,), true for training; read where the recipe names no subjects",
    )
    keep: str | None = Field(None, description="array (N,), true for the sequences to take")
    classes: tuple[Name, ...] = Field((), description="labels to take; all by default")


class SubjectOptions(ArrayOptions):
    """Who is trained on, validated on and tested on."""

    train_subjects: tuple[Name, ...] = Field(
        (), description="subjects for training and validation; by default all but the test's"
    )
    test_subjects: tuple[Name, ...] = Field(
        (), description="subjects to test on; by default all but the training's"
    )
    validation: Literal["subject", "sequences"] = Field(
        "sequences",
        description="subject: one training subject, which the seed draws; sequences: a share of"
        " all training subjects' sequences",
    )
    val_subjects: tuple[Name, ...] = Field(
        (), description="subjects of the training part to validate on, instead"
    )
    split_ratio: tuple[PositiveFloat, PositiveFloat] = Field(
        (3, 1), description="training : validation, where sequences are drawn"
    )
    refit: bool = Field(
        False,
        description="train on the validation part as well, once everything is chosen; what is then"
        " said of validation has been trained on",
    )


class MocapOptions(SubjectOptions):
    """How a sequence becomes SPD matrices."""

    output: Literal["matrices", "series"] = Field(
        "matrices",
        description="matrices: covariances, made as the options say; series: relative positions as"
        " they come, for the space spd_pipeline, which searches how covariances are made",
    )
    grouped: bool = Field(
        False,
        description="each input carries the number of its subject as a further channel, for the"
        " space spd_pipeline, which may recentre each subject",
    )
    hip_joint: Joint | None = Field(
        None,
        description="joint that positions are relative to, and that is left out; by default the"
        " archive's number 'hip_joint'",
    )
    joints: tuple[Joint, ...] = Field((), description="joints to take; by default all but the hip")
    bones: tuple[tuple[Joint, Joint], ...] = Field(
        (),
        description="pairs of joints whose mean distances, added up, are a subject's size, which"
        " positions are divided by",
    )
    segment: Frames | None = Field(
        None, description="frames of the pieces that sequences are cut into, each a sample"
    )
    velocities: bool = Field(
        False, description="stack velocities below the positions, each of unit mean square"
    )
    time_rows: NonNegativeInt = Field(
        0, description="cosines of time, of 1, 2, ... half periods in a window, stacked below"
    )
    windows: tuple[PositiveInt, ...] = Field(
        (1,), description="numbers of half overlapping windows; each window is a channel"
    )
    components: Annotated[int, Field(ge=2)] | None = Field(
        None, description="leading eigenvectors of the mean training covariance to project onto"
    )
    ridge: NonNegativeFloat = Field(
        1e-2, description="added to the diagonal, as a fraction of the mean variance"
    )
    mean: bool = Field(
        False, description="extend each covariance by the mean, [[C + mm', m], [m', 1]]"
    )
    scale: Literal["dataset", "trace", "none"] = Field(
        "dataset",
        description="dataset: divide all matrices by the mean eigenvalue of the training ones;"
        " trace: each by its own; none: as they come",
    )

    @model_validator(mode="after")
    def _made_by_the_space(self) -> MocapOptions:
        if self.output == "series":
            fields = type(self).model_fields
            for name in ("velocities", "time_rows", "windows", "components", "ridge", "mean"):
                if getattr(self, name) != fields[name].default:
                    raise ValueError(
                        f"{name} is about matrices, and output is series: the space decides"
                        f" how covariances are made, so leave {name} out"
                    )
        return self
