"""What people write first: FastAPI, transformers' AutoTokenizer, ONNX Runtime; Mangum for Lambda.

    python fastapi_mangum.py PORT GRAPH TOKENIZER_FOLDER

Measured over HTTP it runs under uvicorn, where FastAPI gives each request a thread. Mangum is
imported and made, as the same file would be deployed.
"""

import sys
from typing import Any

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI  # type: ignore[import-not-found, unused-ignore]
from mangum import Mangum  # type: ignore[import-not-found, unused-ignore]
from pydantic import BaseModel
from transformers import AutoTokenizer

PORT, GRAPH, FOLDER = sys.argv[1:4]


class Request(BaseModel):
    """The body."""

    inputs: str


tokenizer = AutoTokenizer.from_pretrained(FOLDER)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(GRAPH, options, providers=["CPUExecutionProvider"])
app: Any = FastAPI()


@app.post("/models/peer")  # type: ignore[untyped-decorator, unused-ignore]
def predict(request: Request) -> Any:  # noqa: ANN401 - what FastAPI turns into JSON
    """Tokenise and run."""
    rows = tokenizer([request.inputs], padding=True, return_tensors="np")
    feeds = {name: rows[name].astype(np.int64) for name in ("input_ids", "attention_mask")}
    return session.run(None, feeds)[0].tolist()


handler = Mangum(app, lifespan="off")
uvicorn.run(app, host="127.0.0.1", port=int(PORT), log_level="warning", access_log=False)
