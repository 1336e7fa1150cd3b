"""What the lab shows of a network's inside, where a kernel and not the page trains it.

The page's own is `lib.engines.wasm.measures`; both answer the same questions.
"""

from collections.abc import Sequence

import numpy as np
import torch

from lib.circuits import fourier
from lib.data import Dataset, Split
from lib.model import Transformer
from lib.spec import RunSpec
from lib.tasks import TASKS


class Inside:
    """Looks into the network of one run: `load` its weights, then ask.

    Attributes:
        epoch: of the weights; -1 before there are any.
        waves: whether the task has a Fourier spectrum: one operator, an odd modulus.
    """

    def __init__(self, spec: RunSpec, data: Dataset):
        self.spec, self.data, self.epoch = spec, data, -1
        self.waves = TASKS[spec.task].memorize is None and spec.modulus % 2 == 1
        sizes = data.n_tokens, data.n_classes, data.length
        self._model = Transformer(*sizes, spec.d_model)
        self._logits: np.ndarray | None = None

    def load(self, epoch: int, weights: dict[str, np.ndarray]) -> None:
        """Look at these weights from now on."""
        self._model.load_state_dict({n: torch.from_numpy(w) for n, w in weights.items()})
        self.epoch, self._logits = epoch, None

    def field(self) -> np.ndarray:
        """For every pair a P + b: 1 right, 2 trained on, or both.  (P²,) uint8."""
        found = np.zeros(self.spec.modulus**2, np.uint8)
        for split, mark in ((self.data.train, 2), (self.data.val, 0)):
            count = self.spec.train_size if mark else len(split)  # of a mixture, the sums alone
            tokens, labels = split.tokens[:count], split.labels[:count]
            right = self._answers(tokens).argmax(axis=1) == labels
            found[tokens[:, 0] * self.spec.modulus + tokens[:, -2]] = right | mark
        return found

    def spectra(self) -> dict:
        """Shares of the embedding and of the logits at the frequencies 1 … (P − 1) / 2."""
        logits = fourier.logit_spectrum(self._all())
        embedding = fourier.embedding_spectrum(self._model, self.spec.modulus)
        return dict(embedding=embedding.tolist(), logits=logits.tolist(), trig=float(logits.sum()))

    def ask(self, a: int, b: int) -> dict:
        """The network's logits for one pair, and what is right."""
        for split in (self.data.train, self.data.val):
            at = (split.tokens[:, 0] == a) & (split.tokens[:, -2] == b)
            if self.spec.memorize_size and split is self.data.train:
                at[self.spec.train_size :] = False
            if at.any():
                answers = self._answers(split.tokens[at][:1])[0]
                return dict(a=a, b=b, answers=answers.tolist(), right=int(split.labels[at][0]))
        raise ValueError(f"no pair ({a}, {b}) modulo {self.spec.modulus}")

    def lesion(self, frequencies: Sequence[int]) -> dict:
        """Accuracies as it is, without the waves of some frequencies, and with them alone."""

        def on(logits: np.ndarray) -> dict:
            splits: dict[str, Split] = dict(train=self.data.train, val=self.data.val)
            return {n: fourier.accuracy_on(logits, s.tokens, s.labels) for n, s in splits.items()}

        parts = dict(excluded=fourier.excluded, restricted=fourier.restricted)
        found = {name: on(part(self._all(), frequencies)) for name, part in parts.items()}
        found["whole"] = on(self._all())
        return dict(frequencies=list(frequencies), epoch=self.epoch, **found)

    def _all(self) -> np.ndarray:
        if self._logits is None:
            self._logits = fourier.logits_of(self._model, self.spec.modulus)
        return self._logits

    def _answers(self, tokens: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            parts = torch.from_numpy(tokens).split(fourier.BATCH)  # none is one that is empty
            return torch.cat([self._model(part)[:, -1] for part in parts]).numpy()
