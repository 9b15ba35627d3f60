from tests.store.conftest import database, name

__all__ = ["database", "name"]  # fixtures: on both engines
