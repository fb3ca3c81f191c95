"""The same weights for crops of another size, to train on with: `python larger.py runs/small/best 48 runs/start`."""

from __future__ import annotations

import dataclasses
import sys

from facemotion.classifier import Classifier, save_network

weights, size, out = sys.argv[1:]
known = Classifier.load(weights, device="cpu")
spec = dataclasses.replace(known.config.input, size=int(size))
save_network(known.net, dataclasses.replace(known.config, input=spec), out)
