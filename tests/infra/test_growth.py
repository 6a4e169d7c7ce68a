"""How many models one stack holds. It fails while there is still room to do something about it."""

import tomllib

import pytest
from support.stack import TEMPLATE, Stack, translate

RESOURCES = 500  # CloudFormation's limit per stack
ROUTES = 300  # API Gateway's limit of resources per REST API
ROOM = 0.8


def paths(stack: Stack) -> int:
    """API Gateway's resources: each path and all that lie above it."""
    prefixes = set()
    for path, _method in stack.methods():
        parts = path.strip("/").split("/")
        prefixes |= {"/".join(parts[:n]) for n in range(len(parts) + 1)}
    return len(prefixes)


def sizes(count: int) -> dict[str, int]:
    stack = translate(tuple(f"model{number}" for number in range(count)), AccessLog="on")
    return {"resources": len(stack.resources), "routes": paths(stack)}


@pytest.fixture(scope="module")
def per_model() -> dict[str, int]:
    one, two = sizes(1), sizes(2)
    return {name: two[name] - one[name] for name in one}


def models_that_fit(per_model: dict[str, int], share: float) -> int:
    one, limits = sizes(1), {"resources": RESOURCES, "routes": ROUTES}
    return min(
        1 + int((limit * share - one[name]) // per_model[name]) for name, limit in limits.items()
    )


def test_what_one_more_model_costs(per_model: dict[str, int]) -> None:
    # Then: function, version, alias, role, log group, layer; a permission per path; 7 paths
    assert per_model == {"resources": 13, "routes": 7}


def test_what_shadows_cost_per_model() -> None:
    # Then: queue, function, version, alias, role, log group, and what reads the queue
    on, off = (translate(("one", "two"), Shadows=shadows) for shadows in ("on", "off"))
    assert len(on.resources) - len(off.resources) == 2 * 7
    assert paths(on) == paths(off)


def test_the_models_of_today_leave_room(per_model: dict[str, int]) -> None:
    # Given the models that are packaged here
    config = tomllib.loads((TEMPLATE.parent / "samconfig.toml").read_text(encoding="utf-8"))
    overrides = config["default"]["global"]["parameters"]["parameter_overrides"]
    (models,) = [o.removeprefix("Models=") for o in overrides if o.startswith("Models=")]

    # When their stack is made
    stack = translate(tuple(models.split(",")), AccessLog="on")

    # Then it keeps away from both limits
    fit = models_that_fit(per_model, ROOM)
    advice = f"{fit} models fit in 80 % of a stack; put the others into a second one"
    assert len(stack.resources) <= RESOURCES * ROOM, advice
    assert paths(stack) <= ROUTES * ROOM, advice


def test_dozens_of_models_fit(per_model: dict[str, int]) -> None:
    fit = models_that_fit(per_model, ROOM)
    assert fit == 29
    assert sizes(fit)["resources"] <= RESOURCES * ROOM < sizes(fit + 1)["resources"]
    assert models_that_fit(per_model, 1.0) >= fit
