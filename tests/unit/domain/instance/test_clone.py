# SPDX-License-Identifier: Apache-2.0
"""What a clone takes over from its source's manifest."""

from __future__ import annotations

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.clone import render_clone

SHOP = {
    "image": "odoo:15.0",
    "resources": {"cpu": 2, "memory": "3Gi"},
    "configOptions": {"limit_time_real": 600, "smtp_server": "mail.example.com", "max_cron_threads": 4},
    "ingress": {"hosts": ["shop.example.com"]},
    "service": {"port": 8070},
    "database": {"server": "main", "name": "shop"},
    "backup": {"repository": "nas", "schedule": "0 2 * * *"},
    "webhook": {"url": "https://hooks.example.com/1"},
    "adminPasswordSecretRef": {"name": "shop", "key": "master"},
    "init": {"modules": ["sale"]},
}


def test_clone_runs_the_same_and_shares_nothing_that_is_one_instances() -> None:
    made = render_clone(SHOP, source="shop", runs="odoo:14.0")
    assert made == {
        "image": "odoo:14.0",
        "resources": {"cpu": 2, "memory": "3Gi"},
        "configOptions": {"limit_time_real": 600},
        "database": {"server": "main"},
        "stagingOf": {"name": "shop"},
    }
    OdooInstanceSpec.model_validate(made)


def test_clone_of_what_says_nothing_says_only_where_it_comes_from() -> None:
    assert render_clone({}, source="shop", runs="") == {"stagingOf": {"name": "shop"}}
    only_mail = {"configOptions": {"smtp_server": "mail.example.com"}}
    assert render_clone(only_mail, source="shop", runs="") == {"stagingOf": {"name": "shop"}}
