"""`maas registry …` on a file and on a table: what it says, and how it ends."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from support.dynamo import REGION, drop_table, fresh_table, local_endpoint, set_aws
from typer.testing import CliRunner, Result

from maas.errors import RefusedError
from maas.registry.dynamo import Table
from maas.registry.dynamo_table import create_table, describe_table
from maas.registry.records import Candidate, Verification
from maas.registry.registry import Registry
from maas.registry.store import Item, Key, Write
from maas.registry.stores import open_registry, open_store
from maas_lab.cli import app

NOW = datetime(2030, 1, 1, tzinfo=UTC)
Maas = Callable[..., Result]


@pytest.fixture
def maas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maas:
    monkeypatch.setenv("MAAS_HOME", str(tmp_path / "home"))

    def run(*words: str, given: bytes = b"") -> Result:
        return CliRunner().invoke(app, ["registry", *words], input=given)

    return run


@pytest.fixture
def new_table(monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a table that is not there yet."""
    set_aws(monkeypatch)
    name = f"maas-{uuid4().hex[:12]}"
    monkeypatch.setenv("MAAS_REGISTRY", f"dynamodb://{name}")
    return name


def registered(url: str, *, models: int = 1) -> Registry:
    registry = open_registry(url, clock=lambda: NOW, actor="ada")
    for number in range(models):
        registry.register(
            Candidate(
                model=f"model-{number}",
                digest=f"sha256:{number:064x}",
                task="text-classification",
                inputs=(),
                outputs=(),
                verification=Verification(golden=1, max_difference=0.0, seconds=0.1),
            )
        )
    return registry


# ---- A table ------------------------------------------------------------------------------------


def test_a_table_is_made_once_and_found_again(maas: Maas, new_table: str) -> None:
    first = maas("doctor")
    assert first.exit_code == 3
    assert "maas registry init" in first.stdout
    made = json.loads(maas("init", "--json").stdout)
    assert made["created"]
    assert "DynamoDB Local does not have it" in " ".join(made["notes"])
    table = Table(new_table, region=REGION, endpoint=local_endpoint())
    state = describe_table(table)
    assert (state.active, state.on_demand, state.protected) == (True, True, True)
    # When it loses its protection, the doctor says so and another init mends it
    table.ask(
        lambda client: client.update_table(TableName=new_table, DeletionProtectionEnabled=False)
    )
    assert maas("doctor").exit_code == 3
    assert not json.loads(maas("init", "--json").stdout)["created"]
    well = maas("doctor", "--json")
    assert (well.exit_code, json.loads(well.stdout)["ok"]) == (0, True)
    drop_table(table)
    table.close()


def test_a_table_of_something_else_is_refused_and_left(maas: Maas, new_table: str) -> None:
    table = Table(new_table, region=REGION, endpoint=local_endpoint())
    table.ask(
        lambda client: client.create_table(
            TableName=new_table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    )
    assert maas("init").exit_code == 3
    assert not describe_table(table).protected
    with pytest.raises(RefusedError, match="something else"):
        create_table(table, sleep=lambda _: None)
    # Then the doctor and every verb say that it is no registry
    told = maas("doctor")
    assert told.exit_code == 3
    assert "no index listed" in told.stdout
    assert maas("export").exit_code == 2
    drop_table(table)
    table.close()


def test_whoever_comes_second_finds_the_table(new_table: str) -> None:
    tables = [Table(new_table, region=REGION, endpoint=local_endpoint()) for _ in range(2)]
    made = [create_table(table, sleep=lambda _: None).created for table in tables]
    assert made == [True, False]
    drop_table(tables[0])
    for table in tables:
        table.close()


# ---- Both ---------------------------------------------------------------------------------------


def test_a_copy_goes_from_the_file_to_the_table_and_back(
    maas: Maas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, back = f"sqlite:///{tmp_path}/r.sqlite", f"sqlite:///{tmp_path}/back.sqlite"
    registered(file, models=2).close()
    monkeypatch.setenv("MAAS_REGISTRY", file)
    copy = tmp_path / "copy.jsonl"
    said = maas("export", str(copy)).stdout
    assert said == f"2 models with 2 versions and 2 events are in {copy}\n"
    told = json.loads(maas("export", str(copy), "model-1", "--json").stdout)
    assert told == {"file": str(copy), "models": ["model-1"], "versions": 1, "events": 1}
    assert maas("export", "--json").exit_code == 2  # lines and an object do not go together
    assert maas("export", str(copy)).exit_code == 0
    first = maas("export", "-").stdout_bytes
    assert first == copy.read_bytes()
    assert maas("export", "-", "model-1").stdout_bytes.count(b"\n") == 7
    with fresh_table(monkeypatch) as table:
        monkeypatch.setenv("MAAS_REGISTRY", f"dynamodb://{table.name}")
        done = json.loads(maas("import", str(copy), "--json").stdout)
        assert done == {"models": ["model-0", "model-1"], "written": 10, "present": 0}
        assert "10 there already" in maas("import", given=first).stdout
        assert maas("doctor").exit_code == 0
        second = maas("export").stdout_bytes
    monkeypatch.setenv("MAAS_REGISTRY", back)
    assert maas("import", "-", given=second).exit_code == 0
    assert maas("export").stdout_bytes == first == second
    # Then a cut copy ends with 3, an unknown model with 3, and a missing file with 2
    assert maas("import", given=first[:-20]).exit_code == 3
    assert maas("export", "-", "unknown").exit_code == 3
    absent = maas("import", str(tmp_path / "nothing"))
    assert absent.exit_code == 2
    assert absent.stderr == f"maas: file: {tmp_path / 'nothing'} is no file here\n"


def test_the_doctor_finds_a_record_that_does_not_fit(
    maas: Maas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/r.sqlite"
    monkeypatch.setenv("MAAS_REGISTRY", url)
    assert maas("doctor").exit_code == 0
    assert maas("init").exit_code == 0
    registered(url, models=2).close()
    assert maas("doctor").exit_code == 0
    # Given a policy that somebody changed by hand
    store = open_store(url)
    key = Key("MODEL#model-1", "POLICY")
    (item,) = store.read([key])
    assert item is not None
    store.transact([Write(Item(key, 2, item.body), 1)])
    store.close()
    ill = maas("doctor", "--json")
    assert ill.exit_code == 3
    findings = {each["subject"]: each["ok"] for each in json.loads(ill.stdout)["findings"]}
    assert (findings["model-0"], findings["model-1"]) == (True, False)
