"""Turns a file's bytes into the numbers the file-type model reads.

Source: the feature extraction of the `magika` package on PyPI (Apache-2.0), as its wheel documents it
(`magika/magika.py`, version 2 of the features), with the sizes of the model's `config.min.json`:
the model sees the first `beg_size` and the last `end_size` bytes of a file, each taken from a block of
`block_size` bytes whose outer white space is stripped; what is missing is filled with `padding_token`,
after the beginning and before the end.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FeatureShape:
    """The sizes, in bytes, that a model was trained with, and the token that stands for "no byte here"."""

    beg_size: int
    end_size: int
    block_size: int
    padding_token: int


def encode(content: bytes, shape: FeatureShape) -> np.ndarray:
    """Returns the model's input for one file: `beg_size + end_size` int32 tokens."""
    beginning = strip_beginning(content, shape)[: shape.beg_size]
    end = content[-shape.block_size :].rstrip()[-shape.end_size :]
    tokens = np.full(shape.beg_size + shape.end_size, shape.padding_token, dtype=np.int32)
    tokens[: len(beginning)] = np.frombuffer(beginning, dtype=np.uint8)
    tokens[len(tokens) - len(end) :] = np.frombuffer(end, dtype=np.uint8)
    return tokens


def strip_beginning(content: bytes, shape: FeatureShape) -> bytes:
    """Returns the file's first block without the white space before it."""
    return content[: shape.block_size].lstrip()
