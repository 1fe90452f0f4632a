"""The warehouse is tidied once in some nights, whatever they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

NIGHT = "2011-10-28"


@pytest.mark.parametrize(("writes", "pieces"), [(10**6, range(4, 100)), (1, range(1, 4))], ids=["not due", "due"])
def test_bill_when_tidying_is_due_then_what_earlier_steps_have_written_is_put_together(
    athena: Command, retail_shop: Shop, monkeypatch: pytest.MonkeyPatch, writes: int, pieces: range
) -> None:
    monkeypatch.setattr("cost.assets.TIDIED_AFTER", writes)
    for _ in range(2):
        assert athena(retail_shop.home, "night", NIGHT).code == 0
    ((found,),) = retail_shop.rows(
        "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('monitoring.check_history')"
    )
    assert found in pieces
