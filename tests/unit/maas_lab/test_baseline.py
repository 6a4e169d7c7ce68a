"""Baselines: computed on the rows that they are given."""

from maas_lab.baseline import measure_baselines
from maas_lab.data.rows import Sample


def rows(*pairs: tuple[str, str]) -> list[Sample]:
    return [Sample(line, text, label) for line, (text, label) in enumerate(pairs, start=1)]


def test_the_majority_is_that_of_the_training_rows() -> None:
    train = rows(("fine day", "good"), ("fine film", "good"), ("dull film", "bad"))
    test = rows(("dull day", "bad"), ("dull", "bad"), ("fine", "good"))

    assert measure_baselines(train, test).majority == 1 / 3


def test_words_decide_and_word_pairs_too() -> None:
    train = rows(*[("not good", "bad"), ("good", "good"), ("not bad", "good"), ("bad", "bad")] * 9)
    test = rows(("not good", "bad"), ("good", "good"), ("not bad", "good"), ("bad", "bad"))

    assert measure_baselines(train, test).linear == 1.0


def test_texts_without_words_leave_the_majority() -> None:
    train = rows(("!", "good"), ("!!", "good"), ("?", "bad"))

    assert measure_baselines(train, rows(("?", "bad"), ("!", "good"))).linear == 0.5
