"""Writing as a task: what is given, what is wanted, and how answers are measured."""

import numpy as np
import pytest

from maas_lab.data.rows import Pair
from maas_lab.tasks.writing import WritingRows
from maas_lab.tasks.writing_figures import FIGURES


def ids(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def pairs(*rows: tuple[str, str]) -> list[Pair]:
    return [Pair(line, source, target, "") for line, (source, target) in enumerate(rows)]


def test_each_token_is_wanted_after_those_before_it() -> None:
    rows = WritingRows([ids(7, 3), ids(8, 9, 3)], [ids(5, 6, 3), ids(4, 3)])

    batch = rows.batch(np.array([0, 1]), device="cpu")

    assert batch.input_ids.tolist() == [[7, 3, 0], [8, 9, 3]]
    assert batch.attention_mask.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch.wanted.tolist() == [[5, 6, 3], [4, 3, 0]]
    assert batch.given.tolist() == [[2, 5, 6], [2, 4, 3]]
    assert rows.units(np.array([0, 1])) == 5
    assert rows.lengths.tolist() == [3, 3]


def test_a_translation_is_measured_by_its_characters() -> None:
    figures = FIGURES["translation"]
    references = ["打开文件菜单。", "保存文档"]

    assert figures.measure(references, references)["bleu"] == pytest.approx(100)
    assert figures.measure(["打开文件", "保存文档"], references)["bleu"] < 80
    assert figures.measure(["x", "y"], references)["bleu"] < 5


def test_the_memory_remembers_the_nearest_text() -> None:
    train = pairs(("open the file", "打开这个文件吧"), ("save the document", "保存这个文档吧"))
    test = pairs(("open the files", "打开这个文件吧"))

    found = FIGURES["translation"].baselines(train, test)

    assert found["translation memory"] == pytest.approx(100)
    assert found["copy"] < 5


def test_a_summary_is_measured_by_shared_words_and_their_order() -> None:
    # Given answers of four words each, of which three, in order, are the reference's
    figures = FIGURES["summarization"].measure(["a b c d", "d c b a"], ["a b c x", "a b c d"])

    # Then the first shares 3 of 4 words in order, the second 4 of 4 of which 1 is in order
    assert figures["rouge_1"] == pytest.approx(100 * (0.75 + 1.0) / 2)
    assert figures["rouge_l"] == pytest.approx(100 * (0.75 + 0.25) / 2)


def test_the_first_sentence_needs_no_network() -> None:
    test = pairs(("fast web server. It has many parts and options.", "fast web server"))

    found = FIGURES["summarization"].baselines([], test)

    assert found["first sentence"] == pytest.approx(100)
    assert found["first 8 words"] == pytest.approx(100 * 2 * 3 / (3 + 8), abs=0.1)
