"""What AWS Batch and torchrun say of a machine, as settings."""

import pytest

from maas.errors import SettingsError
from maas.settings import NodeSettings, read_node


def test_without_them_there_is_one_machine_with_one_process() -> None:
    assert NodeSettings.parse({}) == NodeSettings(nodes=1, node=0, main_address="", rank=0)


def test_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BATCH_JOB_NUM_NODES", "4")
    monkeypatch.setenv("AWS_BATCH_JOB_NODE_INDEX", "3")
    monkeypatch.setenv("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS", "10.0.0.7")
    monkeypatch.setenv("RANK", "7")
    assert read_node() == NodeSettings(nodes=4, node=3, main_address="10.0.0.7", rank=7)


@pytest.mark.parametrize("name", ["AWS_BATCH_JOB_NUM_NODES", "AWS_BATCH_JOB_NODE_INDEX", "RANK"])
@pytest.mark.parametrize("value", ["x", "-1", "1.5", "1_0"])
def test_what_is_no_whole_number_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        NodeSettings.parse({name: value})
