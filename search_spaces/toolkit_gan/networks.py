"""The two networks of a game: which ones there are, and how they begin to learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn

from toolkit.contracts import TaskInfo
from toolkit_gan.big_discriminator import BigDiscriminator
from toolkit_gan.biggan import BigGenerator, normalise
from toolkit_gan.carried import Carried
from toolkit_gan.discriminator import AnyDiscriminator, Discriminator
from toolkit_gan.generator import AnyGenerator, Generator
from toolkit_gan.rows import FreeRows
from toolkit_gan.shared_rows import SharedRows


class AnyNetworks(ABC):
    """Shapes of the two networks.

    Attributes:
        noise: numbers of noise.
    """

    noise: int

    @abstractmethod
    def generator(self, classes: int, info: TaskInfo) -> AnyGenerator:
        """A generator with fresh weights, which are stored as they act."""

    @abstractmethod
    def discriminator(self, classes: int, info: TaskInfo) -> AnyDiscriminator:
        """A discriminator with fresh weights."""

    @abstractmethod
    def fresh(self, classes: int, info: TaskInfo) -> Carried:
        """A generator in training that starts from nothing."""

    def learning(self, trunk: nn.Module) -> nn.Module:
        """A trunk made ready to learn."""
        return trunk


@dataclass(frozen=True)
class Networks(AnyNetworks):
    """Small networks.

    Attributes:
        g_widths, d_widths: channels, see `Generator` and `Discriminator`.
    """

    noise: int
    g_widths: tuple[int, int, int]
    d_widths: tuple[int, int, int]

    def generator(self, classes: int, info: TaskInfo) -> Generator:
        """A generator with fresh weights."""
        return Generator(classes, self.noise, info.shape, self.g_widths)

    def discriminator(self, classes: int, info: TaskInfo) -> Discriminator:
        """A discriminator with fresh weights."""
        return Discriminator(classes, info.shape[0], self.d_widths)

    def fresh(self, classes: int, info: TaskInfo) -> Carried:
        """Rows of their own that begin at 0."""
        made = self.generator(classes, info)
        return Carried(made.trunk, FreeRows(made.tables(), range(len(made.gains))))


@dataclass(frozen=True)
class BigNetworks(AnyNetworks):
    """BigGAN's networks.

    Attributes:
        channels, attention: see `BigTrunk`.
        embedding: numbers of a class's embedding, which all layers share.
    """

    noise: int
    channels: int
    embedding: int
    attention: int

    def generator(self, classes: int, info: TaskInfo) -> BigGenerator:
        """A generator with fresh weights, not normalised."""
        return BigGenerator(classes, self.noise, info.shape, self.channels, self.attention)

    def discriminator(self, classes: int, info: TaskInfo) -> BigDiscriminator:
        """A discriminator with fresh weights."""
        return BigDiscriminator(classes, info.shape, self.channels, self.attention)

    def fresh(self, classes: int, info: TaskInfo) -> Carried:
        """Rows of a shared embedding, and a trunk with normalised weights."""
        made = self.generator(classes, info)
        rows = SharedRows(classes, [gain.shape[1] for gain in made.gains], self.embedding)
        return Carried(self.learning(made.trunk), rows)

    def learning(self, trunk: nn.Module) -> nn.Module:
        """Its weights are divided by their largest singular value from now on."""
        return normalise(trunk)
