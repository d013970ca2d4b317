# SPDX-License-Identifier: Apache-2.0
"""The documents that engine tasks take and the results that they give: shapes only, pure.

One frozen dataclass a task, with `TASK` (what `mooring task` is given), `to_json()` and a strict `from_json()`. The runner
writes them, the engine reads them; neither needs the other's code. A document never carries a secret's value, only the
path of the file that holds it.
"""
