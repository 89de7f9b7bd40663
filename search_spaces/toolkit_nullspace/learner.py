"""How a network of the space learns: losses, batches, optimiser, closed-form head."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset

from toolkit.contracts import Learner, Scatter, TrialContext
from toolkit.training.batches import labels_of
from toolkit_nullspace.augmentation import augment
from toolkit_nullspace.classifier import (
    ClassStatistics,
    NullSpaceClassifier,
    fit_classifier,
)
from toolkit_nullspace.design import Design
from toolkit_nullspace.features import features_of, summarise, width
from toolkit_nullspace.folding import deploy
from toolkit_nullspace.loss import Objective, nullspace_loss
from toolkit_nullspace.network import Network
from toolkit_nullspace.optimizers import AdaMod
from toolkit_nullspace.portrait import draw, measure
from toolkit_nullspace.sampler import BalancedBatches

if TYPE_CHECKING:
    from toolkit.contracts import Train

RECENT = 1024
"""Training images remembered to judge the network before its classifier is fitted for good."""


class Model(nn.Module):
    """A network, and the linear layer that judges its features until its head is there.

    Attributes:
        network: what is deployed.
        probe: from features to scores, fitted in closed form; None for a head trained throughout.
        fitted: whether the network's own head is final.
        points: (classes, dims) where classes lie in the joint null space, zeros before they are
            known; kept where the head is a classifier in it.
    """

    fitted: Tensor
    points: Tensor
    present: Tensor
    temperature: Tensor

    def __init__(self, network: Network, closed_form: bool, keeps_points: bool = False) -> None:
        super().__init__()
        self.network = network
        last = cast(nn.Linear, network.head[-1])
        first = cast(nn.Linear, network.head[0])
        self.probe = nn.Linear(first.in_features, last.out_features) if closed_form else None
        if self.probe is not None:
            self.probe.requires_grad_(False)
            network.head.requires_grad_(False)
        self.register_buffer("fitted", torch.tensor(not closed_form))
        self.keeps_points = keeps_points
        if keeps_points:
            classes = last.out_features
            dims = min(classes - 1, first.in_features)
            self.register_buffer("points", torch.zeros(classes, dims))
            self.register_buffer("present", torch.zeros(classes, dtype=torch.bool))
            self.register_buffer("temperature", torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        if self.probe is None or bool(self.fitted):
            scores: Tensor = self.network(images)
        else:
            scores = self.probe(self.network.features(images))
        return scores

    def keep(self, classifier: NullSpaceClassifier) -> None:
        """Keeps where the classes of a classifier lie, if its points are to be kept."""
        if self.keeps_points:
            found = torch.where(classifier.present[:, None], classifier.points, 0.0)
            self.points.zero_()
            self.points[:, : found.shape[1]] = found
            self.present.copy_(classifier.present)
            self.temperature.fill_(classifier.temperature)

    def deployed(self) -> Network:
        """The network with all that can be folded folded, and the class points if it has some."""
        found = deploy(self.network, self.points.shape[1] if self.keeps_points else 0)
        if self.keeps_points:
            found.class_points.copy_(self.points)
            found.present.copy_(self.present)
            found.temperature.copy_(self.temperature)
        return found

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Take weights of earlier versions too, which say nothing of class points."""
        if self.keeps_points:
            for name in ("points", "present", "temperature"):
                state_dict.setdefault(prefix + name, getattr(self, name))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class NullspaceLearner(Learner):
    """Any head of the space.

    Args:
        network: with fresh, or published, weights.
        design: what to do with it.
        flip: images may be mirrored.
    """

    model: Model

    def __init__(self, network: Network, design: Design, *, flip: bool = False) -> None:
        closed_form = design.head in ("nullspace", "fc_after_null")
        model = Model(network, closed_form, design.head == "nullspace")
        super().__init__(model, lr=design.optimiser_settings["lr"])
        self.units = network.units
        self.network, self.design, self.flip = network, design, flip
        self._progress, self._epochs = 0.0, 1
        self.statistics: ClassStatistics | None = None
        self._recent: list[tuple[Tensor, Tensor]] = []
        self._judged = False
        self._folded: tuple[list[tuple[int, int]], nn.Module] | None = None
        for name, parameter in network.backbone.named_parameters():
            if self._block(name) < design.freeze:
                parameter.requires_grad_(False)

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Cross-entropy, the null-space loss, or both; of values the recipe's loss."""
        images, labels = batch
        if self.design.augmentation > 0 or self.flip:
            # How bright an image is may be what is to be told.
            lit = self.units is None
            images = augment(images, self.design.augmentation, flip=self.flip, light=lit)
        features = self.network.features(images)
        if self.units is not None:
            return self.loss_of_values(self.network.judged(features), labels)
        total = features.new_zeros(())
        if self.design.head in ("fc", "joint"):
            scores = self.network.head(features)
            total = cross_entropy(
                scores, labels, self.class_weights, label_smoothing=self.design.label_smoothing
            )
        if self.design.null is not None:
            weight = self.design.alpha if self.design.head == "joint" else 1.0
            total = total + weight * self._null_loss(features, labels)
        if self.model.probe is not None:
            self._remember(images, labels)
        return total

    def predict(self, inputs: Tensor) -> Tensor:
        """Scores; during training, of a classifier fitted to the epoch's latest images."""
        if self._recent and not self._judged:
            found = ((self.network.features(images), labels) for images, labels in self._recent)
            recent = summarise(self.network, found)
            if int((recent.counts > 0).sum()) >= 2:
                self._fit(recent)
            self._judged = True
        model = self._as_deployed() if bool(self.model.fitted) else self.model
        scores: Tensor = model(inputs)
        return scores

    def optimizer(self, train: Train) -> torch.optim.Optimizer:
        """The design's optimiser; `train.lr` and `train.weight_decay` come first where given."""
        settings: dict[str, Any] = dict(self.design.optimiser_settings)
        settings["lr"] = self.lr if train.lr is None else train.lr
        settings["weight_decay"] = train.weight_decay or settings["weight_decay"]
        backbone = [p for p in self.network.backbone.parameters() if p.requires_grad]
        known = {id(p) for p in self.network.backbone.parameters()}
        rest = [p for p in self.network.parameters() if p.requires_grad and id(p) not in known]
        groups: list[dict[str, Any]] = [
            {"params": own, "lr": settings["lr"] * factor}
            for own, factor in ((backbone, self.design.backbone_lr), (rest, 1.0))
            if own
        ]
        kinds: dict[str, Any] = {
            "adam": torch.optim.Adam,
            "adamw": torch.optim.AdamW,
            "adamod": AdaMod,
            "sgd": functools.partial(torch.optim.SGD, nesterov=True),
        }
        self._epochs = train.epochs or 1
        optimizer: torch.optim.Optimizer = kinds[self.design.optimiser](groups, **settings)
        return optimizer

    def schedule(self, progress: float) -> float:
        """The design's, a part of the architecture; the loss is annealed along with it."""
        self._progress = progress
        return self.design.lr_factor(progress, self._epochs)

    def sampler(
        self, data: Dataset[Any], train: Train, order: torch.Generator
    ) -> Iterable[Any] | None:
        """Class-balanced batches wherever the null-space loss is used."""
        # Drawn whatever the head: published trainings without the loss have shuffled after it.
        seed = int(torch.randint(2**31, (), generator=order))
        null = self.design.null
        if null is None:
            return None
        labels = labels_of(data)
        return BalancedBatches(labels, null.classes_per_batch, self._samples_per_class, seed)

    def finalize(self, train_data: Dataset[Any]) -> bool:
        """Fit the classifier to all training features; train the head that comes after it."""
        if self.model.probe is None:
            return False
        self.model.eval()
        found = list(features_of(self.network, train_data))
        self.statistics = summarise(self.network, found)
        self._fit(self.statistics)
        if self.design.head == "fc_after_null":
            self._train_head(torch.cat([f for f, _ in found]), torch.cat([y for _, y in found]))
        else:
            probe = self.model.probe
            self.network.head[0].load_state_dict(probe.state_dict())
        self.model.fitted.fill_(True)
        self._recent.clear()
        return True

    def measures(self, trial: TrialContext, held_out: Dataset[Any]) -> dict[str, float]:
        """Collapse of the classes, and novelty where the task leaves classes out."""
        if self.units is not None:
            return {}
        statistics = self._statistics_of(trial.splits.train)
        return measure(self.network, self.design, statistics, trial.splits, held_out)

    def drawing(self, trial: TrialContext, held_out: Dataset[Any]) -> Scatter | None:
        """The discriminant space on a plane: the picture that the paper is about."""
        if self.units is not None:
            return None
        statistics = self._statistics_of(trial.splits.train)
        return draw(self.network, self.design, statistics, trial.splits, held_out)

    def _statistics_of(self, train: Dataset[Any]) -> ClassStatistics:
        """Of the training features: those the head was fitted to, or the same in one pass."""
        if self.statistics is None:
            self.model.eval()
            self.statistics = summarise(self.network, features_of(self.network, train))
        return self.statistics

    def deployed(self) -> nn.Module:
        """The network with all that can be folded folded."""
        return self.model.deployed()

    def _as_deployed(self) -> nn.Module:
        """The folded network as of now, made anew whenever a weight has changed.

        Judging what is handed over is exact, and faster than judging the trained network.
        """
        tensors = itertools.chain(self.network.parameters(), self.network.buffers())
        state = [(tensor.data_ptr(), tensor._version) for tensor in tensors]
        if self._folded is None or self._folded[0] != state:
            self._folded = (state, deploy(self.network))
        return self._folded[1]

    @property
    def _width(self) -> int:
        return width(self.network)

    @property
    def _samples_per_class(self) -> int:
        null = self.design.null
        assert null is not None
        if null.objective != "reference":
            return null.samples_per_class
        # The published objective needs a null space: no more samples than features.
        return max(2, min(null.samples_per_class, self._width // null.classes_per_batch))

    def _block(self, name: str) -> int:
        block: int = self.network.backbone.block_of(name)  # type: ignore[operator]
        return block

    def _null_loss(self, features: Tensor, labels: Tensor) -> Tensor:
        null = self.design.null
        assert null is not None
        return nullspace_loss(
            features,
            labels,
            self.network.config["classes"],
            objective=cast(Objective, null.objective),
            rho=self.design.rho_at(self._progress),
            shift=self.design.shift_at(self._progress),
        )

    def _remember(self, images: Tensor, labels: Tensor) -> None:
        """Keep this epoch's latest images: a resumed training then judges as an unbroken one."""
        if self._judged:
            self._recent.clear()
            self._judged = False
        self._recent.append((images, labels))
        while sum(len(y) for _, y in self._recent[1:]) >= RECENT:
            self._recent.pop(0)

    @torch.no_grad()
    def _fit(self, statistics: ClassStatistics) -> None:
        """Fit the closed-form classifier, and fill the probe with it."""
        probe, null = self.model.probe, self.design.null
        assert probe is not None and null is not None
        classifier = fit_classifier(statistics, null.ridge, whiten=null.whiten)
        weight, bias = classifier.linear()
        self.model.keep(classifier)
        probe.weight.copy_(weight)
        probe.bias.copy_(bias)

    @torch.enable_grad()
    def _train_head(self, features: Tensor, labels: Tensor) -> None:
        """Train the fully connected head on fixed features, by cross-entropy."""
        epochs, lr = self.design.second
        head = self.network.head
        for parameter in head.parameters():
            parameter.requires_grad_(True)
        # The scale of features is free under the null-space loss: take it up into the first layer.
        mean, scale = features.mean(0), features.std(0).mean().clamp_min(1e-12)
        features = (features - mean) / scale
        optimizer = torch.optim.AdamW(head.parameters(), lr=lr)
        steps, size = 0, 128
        total = epochs * math.ceil(len(labels) / size)
        head.train()
        for _ in range(epochs):
            for indices in torch.randperm(len(labels), device=labels.device).split(size):
                for group in optimizer.param_groups:
                    group["lr"] = lr * 0.5 * (1 + math.cos(math.pi * steps / total))
                optimizer.zero_grad(set_to_none=True)
                own = labels[indices]
                cross_entropy(head(features[indices]), own, self.class_weights).backward()
                optimizer.step()
                steps += 1
        head.eval()
        first = cast(nn.Linear, head[0])
        with torch.no_grad():
            first.weight.div_(scale)
            first.bias.sub_(first.weight @ mean)
        head.requires_grad_(False)
