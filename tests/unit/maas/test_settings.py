"""The environment: every variable is known and well formed, or refused by name."""

from pathlib import Path

import pytest

from maas.errors import SettingsError
from maas.settings import AwsSettings, Settings, child_environment, read_settings


def test_an_empty_environment_gives_the_laptops_defaults() -> None:
    settings = Settings.parse({})
    home = Path.cwd() / ".maas"
    assert settings.home == home
    assert settings.registry == f"sqlite:///{home}/registry.sqlite"
    assert (settings.bundles, settings.cache) == (home / "bundles", home / "cache")
    assert (settings.model, settings.base_path, settings.log_level) == (None, "", "INFO")
    assert (settings.policy_ttl, settings.threads) == (15.0, 1)
    assert settings.actor


def test_every_setting_is_read() -> None:
    settings = Settings.parse(
        {
            "MAAS_HOME": "/srv/home",
            "MAAS_REGISTRY": "sqlite:////srv/registry.sqlite",
            "MAAS_BUNDLES": "/opt/models",
            "MAAS_CACHE": "/srv/cache",
            "MAAS_MODEL": "sentiment",
            "MAAS_BASE_PATH": "/prod/v1/",
            "MAAS_POLICY_TTL": "0.5",
            "MAAS_THREADS": "2",
            "MAAS_LOG_LEVEL": "DEBUG",
            "MAAS_ACTOR": "ada",
            "MAAS_REQUIRE_SIGNATURE": " /srv/key.pem\n",
            "MAAS_SHADOW_QUEUE": "https://sqs.eu-west-1.amazonaws.com/1/shadow",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:8001",
            "AWS_ENDPOINT_URL_DYNAMODB": "",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "a-secret",
            "AWS_SESSION_TOKEN": "a-session",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9001/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a-token",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        }
    )
    assert settings == Settings(
        home=Path("/srv/home"),
        registry="sqlite:////srv/registry.sqlite",
        bundles=Path("/opt/models"),
        cache=Path("/srv/cache"),
        model="sentiment",
        base_path="/prod/v1",
        policy_ttl=0.5,
        threads=2,
        log_level="DEBUG",
        actor="ada",
        require_signature="/srv/key.pem",
        shadow_queue="https://sqs.eu-west-1.amazonaws.com/1/shadow",
        aws=AwsSettings(
            region="eu-west-1",
            dynamodb_endpoint="http://127.0.0.1:8001",
            access_key="key",
            secret_key="a-secret",
            session_token="a-session",
            credentials_url="http://127.0.0.1:9001/credentials",
            credentials_token="a-token",
        ),
        snapshot=True,
    )
    # A credential never shows where the settings are printed
    assert "a-secret" not in repr(settings)
    assert "a-session" not in repr(settings)
    assert "a-token" not in repr(settings)


@pytest.mark.parametrize("name", ["MAAS_MODELL", "MAAS_", "MAAS_home", "MAAS_POLICY_TTL_SECONDS"])
def test_an_unknown_variable_is_refused_by_name(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not a setting") as refusal:
        Settings.parse({name: "x", "MAAS_MODEL": "sentiment"})
    assert refusal.value.field == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("MAAS_MODEL", value)
            for value in ("S", "Sentiment", "a", "1a", "a_b", "a" * 33, "ab\n")
        ),
        *(("MAAS_BASE_PATH", value) for value in ("prod", "/prod//x", "/a b", "/a?b", "/é")),
        *(
            ("MAAS_POLICY_TTL", value)
            for value in (
                "x",
                "-1",
                "nan",
                "inf",
                "3601",
                "1 s",
                "1_0",
                " 15",
                "1e1",
                "\uff11\uff15",
                ".5",
                "5.",
            )
        ),
        *(("MAAS_THREADS", value) for value in ("0", "-1", "65", "1.5", "nan", "two", "1e1")),
        *(("MAAS_LOG_LEVEL", value) for value in ("info", "TRACE", "10")),
    ],
)
def test_a_malformed_value_is_refused_by_its_variables_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must be ") as refusal:
        Settings.parse({name: value})
    assert refusal.value.field == name


@pytest.mark.parametrize("name", ["ORT_LOAD_CONFIG_FROM_MODEL"])
@pytest.mark.parametrize(("value", "refused"), [("1", True), ("TRUE", True), ("0", False)])
def test_a_variable_that_makes_a_library_unsafe_is_refused(
    name: str, value: str, *, refused: bool
) -> None:
    if not refused:
        assert Settings.parse({name: value}).threads == 1
        return
    with pytest.raises(SettingsError, match=f"^{name} must not be set: "):
        Settings.parse({name: value})


@pytest.mark.parametrize(
    ("memory", "threads"),
    [("", 1), ("128", 1), ("1769", 1), ("3537", 1), ("3538", 2), ("10240", 5), ("999999", 6),
     ("-1", 1), ("much", 1)],
)  # fmt: skip
def test_threads_follow_the_functions_memory(memory: str, threads: int) -> None:
    given = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory}
    assert Settings.parse(given).threads == threads
    assert Settings.parse(given | {"MAAS_THREADS": "3"}).threads == 3


def test_only_a_value_of_the_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAAS_MODEL", "from-outside")
    assert read_settings().model == "from-outside"
    assert Settings.parse({}).model is None


def test_a_child_serves_one_model_of_the_same_home(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process with a setting that is its own, and a home that is not the default
    monkeypatch.setenv("MAAS_BASE_PATH", "/mine")
    monkeypatch.setenv("KEPT", "yes")
    parent = Settings.parse({"MAAS_HOME": "/srv/home", "MAAS_THREADS": "3"})

    # When a child reads the environment that is made for it
    environ = child_environment(parent, "sentiment")
    child = Settings.parse(environ)

    # Then it has the parent's places and nothing of its doors
    assert (child.model, child.base_path) == ("sentiment", "")
    assert (child.registry, child.bundles, child.threads) == (parent.registry, parent.bundles, 3)
    assert environ["KEPT"] == "yes"
