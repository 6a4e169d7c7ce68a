"""One module per protocol: its routes, from the request to the answer's bytes.

Each is handed the one `Answering` and imports its wire format when it is first asked, so that a
cold start pays for no protocol that nobody speaks.
"""
