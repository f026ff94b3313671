"""A small lake in which the numbers of customers are products, quantities and ages too, and what is left of it."""

from __future__ import annotations

import random
from collections.abc import Sequence

from common.contract import CUSTOMERS, REJECTED, SALES
from jobs import forget_customer
from support.lakes import Outcome, Workbench, assert_equals_recompute

_TIME = "2025-02-22 0{hour}:15:00"


class NumberedCustomers:
    """Customers 1 to `count`, whose numbers are also those of products, quantities and ages, chosen at random."""

    def __init__(self, bench: Workbench, count: int, seed: int) -> None:
        self._bench = bench
        self._random = random.Random(seed)
        self._numbers = range(1, count + 1)
        self._sales = 0
        self._forgotten: list[str] = []
        bench.people(*[f"{n},Person {n},{self._number()},Peru" for n in self._numbers], f"x,Person 0,{count}x,Peru")
        self.sales_of(self._numbers, also_bad=True)
        bench.must_load()

    def _number(self) -> int:
        return self._random.choice(self._numbers[:120])

    def sales_of(self, customers: Sequence[int], *, also_bad: bool = False) -> int:
        """A file with a sale of each customer; with `also_bad`, two rows of each that are rejected as well, one of them
        too short to be parsed. Returns how many sales there are.
        """
        lines = []
        for customer in customers:
            self._sales += 1
            product, quantity, time = self._number(), self._number(), _TIME.format(hour=self._sales % 3)
            lines.append(f"t{self._sales},{customer},{product},{quantity},1.00,{time}")
            if also_bad:
                lines.append(f"u{self._sales},{customer},{quantity},{product},soon,{time}")
                lines.append(f"v{self._sales},{customer},{product},{quantity}")
        self._bench.sales(*lines, name=f"sales_{self._sales}.csv")
        return len(customers)

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """The rows of the tables that name customers, each with the customer as its last value."""
        bench = self._bench
        sales = [(*row, row[1]) for row in bench.rows(SALES.name)]
        people = [(*row, row[0]) for row in bench.rows(CUSTOMERS.name)]
        rejected = [
            (feed, line, line.split(",")[1 if feed == "transactions" else 0])
            for feed, line in bench.rows(REJECTED.name, "feed", "raw_line")
            if line != "(forgotten)"
        ]
        return {SALES.name: sales, CUSTOMERS.name: people, REJECTED.name: rejected}

    def forget(self, customer: int) -> Outcome:
        """Forget one, and see that every other row is as it was."""
        before = self.rows()
        done = self._bench.run(forget_customer, f"--lake={self._bench.lake}", f"--customer-id={customer}", "--apply")
        assert done.exit_code == 0, (customer, done.error)
        others = {table: [row for row in rows if row[-1] != str(customer)] for table, rows in before.items()}
        assert self.rows() == others, customer
        self._forgotten.append(str(customer))
        return done

    def a_later_file_loses_nothing(self) -> None:
        """Load sales of all customers, those who were forgotten too: these are refused, and nobody else's."""
        expected = {row[0] for row in self._bench.rows(SALES.name, "TRANSACTION_ID")}
        first, read = self._sales, self.sales_of(self._numbers)
        outcome = self._bench.must_load()
        expected |= {f"t{first + n}" for n in self._numbers if str(n) not in self._forgotten}
        assert {row[0] for row in self._bench.rows(SALES.name, "TRANSACTION_ID")} == expected
        forgotten = len(self._forgotten)
        assert outcome.ledger() == {"rows_read": read, "new": read - forgotten, "rejected": forgotten}
        assert outcome.reasons() == {"customer_is_not_forgotten": forgotten}
        assert_equals_recompute(self._bench)
