"""A function version is published when what a function carries changes, and only then."""

from support.stack import Stack, translate

ONE, OTHER = "1" * 64, "2" * 64


def published(stack: Stack) -> set[str]:
    """Logical ids; CloudFormation publishes a version when it sees a new one."""
    return set(stack.of("AWS::Lambda::Version"))


def test_new_served_sets_publish_every_function_anew() -> None:
    before, after = (translate(("sentiment", "spam"), ServedSets=s) for s in (ONE, OTHER))
    assert len(published(before)) == 3
    assert published(before).isdisjoint(published(after))
    # And something about the function itself differs, without which Lambda makes no new version
    assert before.of("AWS::Lambda::Function") != after.of("AWS::Lambda::Function")


def test_the_same_served_sets_publish_nothing() -> None:
    assert translate(ServedSets=ONE) == translate(ServedSets=ONE)


def test_a_parameter_alone_publishes_nothing() -> None:
    """Why `maas package` puts the other parameters into ServedSets, too."""
    before, after = (translate(ServedSets=ONE, LogLevel=level) for level in ("INFO", "DEBUG"))
    assert before.of("AWS::Lambda::Function") != after.of("AWS::Lambda::Function")
    assert published(before) == published(after)


def test_one_more_model_leaves_the_others_alone() -> None:
    before, after = translate(ServedSets=ONE), translate(("sentiment", "spam"), ServedSets=ONE)
    assert published(before) < published(after)
