"""Makes moto's Glue Data Catalog refuse outdated table updates, as Iceberg's commits rely on."""

from __future__ import annotations

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.glue.models import GlueBackend
from moto.glue.responses import GlueResponse

from devcloud.local.patching import Function, serialise, wrap


def install() -> None:
    serialise(GlueBackend, "create_table", "create_database")
    wrap(GlueResponse, "update_table", _checking_the_version)
    serialise(GlueResponse, "update_table")


def _checking_the_version(original: Function) -> Function:
    # Until moto heeds VersionId: without it the later of two concurrent commits to a table wipes out the earlier.
    def update_table(response: GlueResponse) -> ActionResult:
        version = response.parameters.get("VersionId")
        table = response.glue_backend.get_table(
            response.parameters["DatabaseName"], response.parameters["TableInput"]["Name"]
        )
        if version is not None and version != table.as_dict()["VersionId"]:
            raise JsonRESTError(
                "ConcurrentModificationException", "Update table failed due to concurrent modifications."
            )
        result: ActionResult = original(response)
        return result

    return update_table
