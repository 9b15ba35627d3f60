"""Incidents: what monitors send becomes what people handle.

The life of an alert: ``sources`` reads it, ``intake`` puts it into an incident, ``paging`` finds somebody, and ``desk``
is what people do. Whatever changes an incident goes through ``keeper``: row, audit trail and messages in one
transaction.
"""
