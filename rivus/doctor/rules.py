"""The rules, in order: the first one that fits a failure decides. They are data, and stand in the chapters of `book`.

The order: the machine first (a full disk is a full disk, whoever meets it), then what services and sites say in words,
which is sharper than the status they say it with, then statuses and the network, then what is wrong with documents,
and code last: a TypeError says the least about why.
"""

from __future__ import annotations

from rivus.doctor.book import code, documents, machine, network, services, video
from rivus.doctor.rule import Rule

RULES: tuple[Rule, ...] = (
    *machine.RULES,
    *services.RULES,
    *video.RULES,
    *network.RULES,
    *documents.RULES,
    *code.RULES,
)
