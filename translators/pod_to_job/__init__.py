"""The translation of a Pod into the Nomad job that runs it."""

from translators.pod_to_job.context import JobContext
from translators.pod_to_job.job import Translation, data_items, placed_where_it_is, translate
from translators.pod_to_job.permit import GROUP
from translators.pod_to_job.ports import Address, address

__all__ = [
    "GROUP",
    "Address",
    "JobContext",
    "Translation",
    "address",
    "data_items",
    "placed_where_it_is",
    "translate",
]
