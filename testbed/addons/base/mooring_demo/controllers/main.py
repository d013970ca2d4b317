# SPDX-License-Identifier: Apache-2.0
from odoo import http
from odoo.modules.module import load_information_from_description_file


class Version(http.Controller):
    @http.route("/mooring_demo/version", type="http", auth="none")
    def version(self):
        """Answer with the version of the code that serves."""
        return load_information_from_description_file("mooring_demo")["version"]
