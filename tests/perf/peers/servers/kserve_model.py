"""KServe's own server with a model of ours, asked by its protocol of version 1.

python kserve_model.py PORT GRAPH TOKENIZER
"""

import sys
from typing import Any

import numpy as np
import onnxruntime
from kserve import Model, ModelServer  # type: ignore[import-not-found, unused-ignore]
from tokenizers import Tokenizer

PORT, GRAPH, TOKENIZER = sys.argv[1:4]


class Peer(Model):  # type: ignore[misc, unused-ignore]
    """Tokenises and runs."""

    def __init__(self) -> None:
        super().__init__("peer")
        self.tokenizer = Tokenizer.from_file(TOKENIZER)
        self.tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(GRAPH, options, providers=providers)
        self.ready = True

    async def predict(self, payload: Any, headers: Any = None, **_: Any) -> Any:  # noqa: ANN401
        """Answer one request, as its examples do: in the loop."""
        rows = self.tokenizer.encode_batch(payload["instances"])
        feeds = {
            "input_ids": np.array([row.ids for row in rows], dtype=np.int64),
            "attention_mask": np.array([row.attention_mask for row in rows], dtype=np.int64),
        }
        return {"predictions": self.session.run(None, feeds)[0].tolist()}


ModelServer(http_port=int(PORT), enable_grpc=False, workers=1).start([Peer()])
