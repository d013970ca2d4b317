# SPDX-License-Identifier: Apache-2.0
from odoo import fields, models


class Note(models.Model):
    _name = "mooring.demo.note"
    _description = "Note of the Mooring demo"

    name = fields.Char(required=True)
    colour = fields.Char(required=True, default="blue")
