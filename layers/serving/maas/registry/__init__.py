"""Which versions of a model exist, which of them answers, and who changed that when.

Imports nothing:

    from maas.registry.stores import open_registry

The rooms, each group knowing only those above it:

- what is said: `records` (what is stored) with `rollout_records`, `deployment_records` and
  `event_records`; `addresses` (how versions are named);
- what a change does, pure: `rules` (aliases) with `weights`, `shadows`, `rollouts` after
  `rollout_plans`; `states`, `blocks` and `words` (versions) with `registrations`; `deployments`.
  They answer with `changes`, with the policy that `policies` makes and with what `timeline` says of
  it;
- where it lies: `store` (the protocol), `layout` (records as items), `writes` (changes as
  transactions);
- the door: `reader`, then `historian` (what was), `deployer` (deployments too),
  `roller` (rollouts), `curator` (what versions are), `registry` (all of it);
- a file: `sqlite` over `sqlite_connections` and `sqlite_file`;
- a table: `dynamo_store` over `dynamo_items` and `dynamo`, which is the one room that knows boto3,
  asks as often as `dynamo_attempts` says and tells what went wrong by `dynamo_faults`;
  `dynamo_table` makes the table;
- from a name to one of both: `urls`, `stores`;
- how a function reads its policy: `policy_cache`, fed by `policy_read` (one request without boto3)
  over `connection`, `endpoint`, `credentials` and `sigv4`.
"""
