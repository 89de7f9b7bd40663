"""Which networks there are, and how one is built."""

from __future__ import annotations

from pydantic import Field

from toolkit import contracts
from toolkit.contracts import Architecture, Learner, TaskInfo
from toolkit.space import Choice, Float, Group, Int, Space


class MyName(contracts.SearchSpace):
    """Multilayer perceptrons on images: one hidden layer or two, their widths, dropout."""

    accepts = frozenset({"image"})

    class Options(contracts.Options):
        """How large networks may be."""

        widest: int = Field(128, ge=16, description="most units of a hidden layer")

    def parameters(self, task: TaskInfo) -> Space:
        width = Int(8, self.options.widest, log=True)
        return Group(
            width=width,
            # A width of the second layer is searched only where there is one.
            second=Choice({"none": None, "hidden": Group(width=width)}),
            dropout=Float(0.0, 0.5),
        )

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        from my_name.network import Perceptron  # torch is imported when it is needed

        widths = [architecture["width"]]
        # A choice that was made is its option's name, or {name: values} where it has any.
        if isinstance(architecture["second"], dict):
            widths.append(architecture["second"]["hidden"]["width"])
        return Learner(Perceptron(task.shape, task.classes, widths, architecture["dropout"]))
