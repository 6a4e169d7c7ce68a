"""What `maas deploy` and `maas destroy` say, for people and for machines.

Imports the lab and rich. See `output` for how it is printed.
"""

from typing import TYPE_CHECKING

from rich.console import Group

from maas_lab.output import View, table
from maas_lab.stack.live_alias import LIVE

if TYPE_CHECKING:
    from maas_lab.deploying import Deployed
    from maas_lab.destroying import Destroyed
    from maas_lab.stack.preflight import Result


def preflight_view(result: "Result") -> View:
    """What the preflight found; what fails first, each with its remedy."""
    findings = sorted(result.findings, key=lambda finding: finding.ok)
    rows = [("ok" if f.ok else "FAILS", f.subject, f.detail) for f in findings]
    data: dict[str, object] = {
        "ok": result.ready is not None,
        "findings": [
            {"subject": f.subject, "ok": f.ok, "detail": f.detail} for f in result.findings
        ],
    }
    failed = sum(not finding.ok for finding in findings)
    said = f"Nothing was changed. {failed} to mend:" if failed else "Ready to deploy."
    return View(data, Group(said, table("", "what", "found", rows=rows)))


def deployed_view(deployed: "Deployed") -> View:
    """What answers now, and how to ask it."""
    target = deployed.target
    rows = [
        (model, f"{check.function}:{LIVE}", check.function_version, number, digest[:23] + "…")
        for model, check in deployed.models.items()
        for number, digest in check.digests.items()
    ]
    data: dict[str, object] = {
        "stack": target.stack,
        "region": target.region,
        "account": deployed.account,
        "url": deployed.url,
        "api_key_id": deployed.api_key_id,
        "registry": deployed.registry,
        "models": {
            model: {
                "function": f"{check.function}:{LIVE}",
                "function_version": check.function_version,
                "digests": {str(number): digest for number, digest in check.digests.items()},
                "policy": check.policy,
            }
            for model, check in deployed.models.items()
        },
        "copied": list(deployed.copied),
        "removed": list(deployed.removed),
        "notes": list(deployed.notes),
    }
    columns = ("model", "function", "function version", "carries", "digest")
    return View(data, Group(table(*columns, rows=rows), "", *_next(deployed)))


def destroyed_view(destroyed: "Destroyed") -> View:
    """What was deleted, and what stays."""
    target = destroyed.target
    done = [
        f"The stack {target.stack} is deleted." if destroyed.stack_deleted else "",
        f"The table {target.table} is deleted." if destroyed.table_deleted else "",
        f"No longer deployed there: {', '.join(destroyed.models)}." if destroyed.models else "",
    ]
    data: dict[str, object] = {
        "stack": target.stack,
        "region": target.region,
        "stack_deleted": destroyed.stack_deleted,
        "table_deleted": destroyed.table_deleted,
        "models": list(destroyed.models),
        "stays": list(destroyed.stays),
    }
    return View(data, Group(*filter(None, done), "What stays:", *destroyed.stays))


def _next(deployed: "Deployed") -> list[str]:
    url, region = deployed.url.rstrip("/"), deployed.target.region
    lines = [*deployed.notes]
    if deployed.copied:
        lines.append(f"{', '.join(deployed.copied)} copied to {deployed.registry}.")
    if deployed.removed:
        lines.append(f"No longer deployed there: {', '.join(deployed.removed)}.")
    lines += [f"The registry of this deployment: export MAAS_REGISTRY={deployed.registry}"]
    lines += [f"URL      {url}"]
    if deployed.api_key_id:
        lines.append(
            f"API key  aws apigateway get-api-key --api-key {deployed.api_key_id} --include-value"
            f" --query value --output text --region {region}"
        )
    else:
        lines.append("API key  none was made here; use one of your usage plan")
    model = next(iter(deployed.models), "sentiment")
    lines.append(
        f"Ask      curl -H 'x-api-key: …' -H 'content-type: application/json'"
        f' -d \'{{"inputs": "a fine film"}}\' {url}/models/{model}'
    )
    return lines
