"""What a version would have answered: requests that it sees, and what is told of its answers.

An alias's shadow sees a sample of the alias's requests after they were answered, and answers
nobody. On a laptop `maas_lab.shadowing` asks it in the background; behind Lambda a queue stands
between:

- `outcome`: what two versions' answers have in common, in words and numbers
- `message`: a request on its way to the shadow
- `sender`: one bounded send of it, at the end of a request
- `metrics`: how its answer compares, for CloudWatch
"""
