"""Users' keys in SQL. The methods of `hitl.ports.KeyReader` and `KeyWriter`."""

from sqlalchemy import bindparam, select, update

from hitl.models import UserKey
from hitl.stores.line import Line
from hitl.stores.rows import USER_KEY
from hitl.stores.text import record_text

_VALUES = {c.name: bindparam(c.name, type_=c.type) for c in USER_KEY.c}
_BY_ID = select(USER_KEY.c.record).where(USER_KEY.c.id == bindparam("id"))
_OF_USER = select(USER_KEY.c.record).where(USER_KEY.c.name == bindparam("name"))
_ALL = select(USER_KEY.c.record)
_ANY = select(USER_KEY.c.id).limit(1)
_ADD = USER_KEY.insert().values(_VALUES)
_SET = (
    update(USER_KEY)
    .where(USER_KEY.c.id == bindparam("the_id"))
    .values({"record": _VALUES["record"]})
)


class KeyReads:
    """Reads of users' keys on one open read view."""

    _line: Line

    def user_key(self, key_id: str) -> UserKey | None:
        """See `Reader`."""
        text = self._line.value(_BY_ID, id=key_id)
        return None if text is None else UserKey.model_validate_json(text)

    def user_keys(self, *, name: str | None = None) -> list[UserKey]:
        """See `Reader`."""
        rows = self._line.rows(_ALL) if name is None else self._line.rows(_OF_USER, name=name)
        keys = [UserKey.model_validate_json(row.record) for row in rows]
        return sorted(keys, key=lambda key: (key.created_at, key.id))

    def has_users(self) -> bool:
        """See `Reader`."""
        return self._line.value(_ANY) is not None


class KeyWrites(KeyReads):
    """Writes of users' keys in a transaction that somebody else begins and commits."""

    def add_user_key(self, key: UserKey) -> None:
        """See `Transaction`."""
        self._line.run(_ADD, id=key.id, name=key.name, record=record_text(key))

    def set_user_key(self, key: UserKey) -> None:
        """See `Transaction`."""
        self._line.run(_SET, the_id=key.id, record=record_text(key))
