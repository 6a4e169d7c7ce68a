"""HTTP in front of a service: one ASGI app, behind events on Lambda and under uvicorn locally."""
