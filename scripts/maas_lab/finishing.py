"""What a run writes after training: scores, plots, and last of all the summary.

Imports torch and other modules of the lab. All of it can be done again after a kill, because it
starts from the best weights on the disk:

    finish_run(run, recipe, dataset, network, progress, device="cpu")
"""

from typing import TYPE_CHECKING

from maas.text.tokenizer import load_tokenizer
from maas_lab.baseline import measure_baselines
from maas_lab.batches import encode_rows
from maas_lab.checkpoint import restore_best
from maas_lab.evaluate import predict, score
from maas_lab.files import write_file
from maas_lab.metrics import read_metrics
from maas_lab.plots import draw_plots
from maas_lab.records import Scores, Summary, encode_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from maas_lab.checkpoint import Progress
    from maas_lab.data.dataset import Dataset
    from maas_lab.data.rows import Sample
    from maas_lab.recipe import Recipe
    from maas_lab.runs import Run


def finish_run(
    run: "Run",
    recipe: "Recipe",
    dataset: "Dataset",
    network: "nn.Module",
    progress: "Progress",
    *,
    device: str,
) -> None:
    """Measure the best weights on the test rows, for the first and only time, and sum up.

    Args:
        run: The run, trained to the end; the caller holds its lock.
        recipe: What was computed.
        dataset: Its rows.
        network: A network of the right sizes; ends up with the best weights.
        progress: Where training ended.
        device: Where the network is.

    Raises:
        RefusedError: The best weights are absent or damaged.
    """
    restore_best(run, network)
    labels = recipe.data.labels
    tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=recipe.vocabulary.max_tokens)

    def measure(samples: "Sequence[Sample]") -> Scores:
        rows = encode_rows(samples, tokenizer, labels)
        return score(predict(network, rows, device=device), rows.labels, labels=labels)

    test = measure(dataset.test)
    summary = Summary(
        test=test,
        validation=measure(dataset.validation),
        baselines=measure_baselines(dataset.train, dataset.test),
        target_accuracy=recipe.targets.test_accuracy,
        target_met=test.accuracy >= recipe.targets.test_accuracy,
        best_epoch=progress.best_epoch,
        epochs=progress.epoch,
        steps=progress.step,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        vocabulary=tokenizer.vocabulary_size,
        seconds=progress.seconds,
    )
    for name, content in draw_plots(summary, *read_metrics(run.metrics_file)).items():
        write_file(run.plots / name, content)
    write_file(run.summary_file, encode_record(summary))
