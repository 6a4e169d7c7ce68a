"""The bare script that every service is measured against: tokenise, run ONNX Runtime, no more.

Arguments: the time of its start, how many warm requests, tokenizer.json, the graph, whether that
was optimised offline, the texts. Prints one JSON object, as `handler` does.
"""

import sys
import time

STARTED = float(sys.argv[1])
CLOCK = time.monotonic


def main() -> None:
    """Start, answer, measure, report."""
    import json

    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    count, tokenizer_file, graph, optimised, text_file = sys.argv[2:7]
    with open(text_file, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs a cold start
        texts = json.load(file)
    tokenizer = Tokenizer.from_file(tokenizer_file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if optimised == "yes":
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    tokenizer.enable_padding()

    def answer(batch: list[str]) -> object:
        rows = tokenizer.encode_batch(batch)
        return session.run(
            None,
            {
                "input_ids": np.array([row.ids for row in rows], dtype=np.int64),
                "attention_mask": np.array([row.attention_mask for row in rows], dtype=np.int64),
            },
        )

    ready = CLOCK()
    answer(texts["one"])
    first = CLOCK()

    import functools

    from maas_lab.probes.report import report

    line = report(
        started=STARTED,
        ready=ready,
        first=first,
        work={name: functools.partial(answer, batch) for name, batch in texts.items()},
        requests=int(count),
    )
    sys.stdout.write(line + "\n")


main()
