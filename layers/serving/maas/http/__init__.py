"""HTTP in front of a service: one ASGI app, on Lambda through Mangum and locally under uvicorn."""
