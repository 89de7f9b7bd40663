import torch

from toolkit.contracts import Learner, SearchSpace
from toolkit.space import Float, Group, Int


class LogMlpNetwork(torch.nn.Module):
    def __init__(self, inputs, classes, width, floor):
        super().__init__()
        self.config = {"inputs": inputs, "classes": classes, "width": width, "floor": floor}
        layers = torch.nn.Linear(inputs, width), torch.nn.ReLU(), torch.nn.Linear(width, classes)
        self.layers = torch.nn.Sequential(*layers).double()

    def forward(self, x):
        values, vectors = torch.linalg.eigh(x)
        log = vectors * values.clamp_min(self.config["floor"]).log()[..., None, :] @ vectors.mT
        return self.layers(log.flatten(1))


class LogMlp(SearchSpace):
    accepts = frozenset({"spd"})

    def parameters(self, task):
        return Group(width=Int(16, 128, log=True), floor=Float(1e-9, 1e-3, log=True))

    def build(self, architecture, task):
        return Learner(LogMlpNetwork(torch.Size(task.shape).numel(), task.classes, **architecture))
