# SPDX-License-Identifier: Apache-2.0
"""`mooring schema`: the JSON Schema of manifests."""

from __future__ import annotations

from mooring.cli.options import Options
from mooring.cli.options import command as declare


@declare(
    "schema",
    short="Print the JSON Schema of manifests for editors.",
    examples=("mooring schema > mooring.schema.json", "mooring schema -o yaml"),
)
def command(options: Options) -> int:
    """Print the JSON Schema (draft 2020-12) of all kinds, for editors and checkers.

    It is JSON unless `-o yaml` is given. In a YAML file, `# yaml-language-server: $schema=mooring.schema.json` as the
    first line makes editors use it.
    """
    from mooring.api.schema import json_schema
    from mooring.cli.output import print_data

    print_data(options, json_schema())
    return 0
