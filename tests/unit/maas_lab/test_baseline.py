"""Baselines: computed on the rows that they are given."""

from maas_lab.baseline import LINEAR, MAJORITY, measure_baselines
from maas_lab.data.rows import Sample


def rows(*pairs: tuple[str, str]) -> list[Sample]:
    return [Sample(line, text, label) for line, (text, label) in enumerate(pairs, start=1)]


def test_the_majority_is_that_of_the_training_rows() -> None:
    train = rows(("fine day", "good"), ("fine film", "good"), ("dull film", "bad"))
    test = rows(("dull day", "bad"), ("dull", "bad"), ("fine", "good"))

    assert measure_baselines(train, test)[MAJORITY] == 1 / 3


def test_words_decide_and_word_pairs_too() -> None:
    train = rows(*[("not good", "bad"), ("good", "good"), ("not bad", "good"), ("bad", "bad")] * 9)
    test = rows(("not good", "bad"), ("good", "good"), ("not bad", "good"), ("bad", "bad"))

    assert measure_baselines(train, test)[LINEAR] == 1.0


def test_texts_without_words_leave_the_majority() -> None:
    train = rows(("!", "good"), ("!!", "good"), ("?", "bad"))

    assert measure_baselines(train, rows(("?", "bad"), ("!", "good")))[LINEAR] == 0.5


def test_texts_without_spaces_are_told_apart_by_their_characters() -> None:
    train = rows(
        *[("很好看", "good"), ("不好看", "bad"), ("很喜欢", "good"), ("不喜欢", "bad")] * 9
    )
    test = rows(("不好", "bad"), ("很好", "good"))

    assert measure_baselines(train, test)[LINEAR] == 1.0
