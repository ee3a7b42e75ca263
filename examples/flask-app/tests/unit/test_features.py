import numpy as np
import pytest

from app.features import FeatureShape, encode

NOTHING = 256
SHAPE = FeatureShape(beg_size=4, end_size=4, block_size=8, padding_token=NOTHING)


def tokens(content: bytes) -> list[int]:
    return encode(content, SHAPE).tolist()


def test_a_long_file_gives_its_first_and_its_last_bytes():
    assert tokens(b"abcdefghijklmnop") == [*b"abcd", *b"mnop"]


def test_a_short_file_is_filled_after_its_beginning_and_before_its_end():
    assert tokens(b"ab") == [*b"ab", NOTHING, NOTHING, NOTHING, NOTHING, *b"ab"]


def test_white_space_around_the_content_is_not_looked_at():
    assert tokens(b" \nabcdefgh\t ") == [*b"abcd", *b"efgh"]


def test_white_space_inside_the_content_is_kept():
    assert tokens(b"a b\nc") == [*b"a b\n", *b" b\nc"]


def test_only_the_first_and_the_last_block_are_looked_at():
    assert tokens(b"        abcd" + b"        ") == [NOTHING] * 8


def test_an_empty_file_is_padding_only():
    assert tokens(b"") == [NOTHING] * 8


@pytest.mark.parametrize("length", range(0, 20))
def test_there_are_always_as_many_tokens_as_the_model_reads(length: int):
    encoded = encode(bytes(range(100, 100 + length)), SHAPE)
    assert encoded.shape == (8,)
    assert encoded.dtype == np.int32
