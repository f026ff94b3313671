"""To forget a customer whose id is a small number takes nothing from anybody else, whatever numbers the rows hold."""

from __future__ import annotations

import pytest

from support.batteries import Battery
from support.forgetting import NumberedCustomers
from support.lakes import Workbench


@pytest.mark.thorough
def test_forgetting_small_numbers_takes_nothing_from_others(bench: Workbench) -> None:
    customers = NumberedCustomers(bench, count=5, seed=1)
    for customer in (1, 2, 5):
        customers.forget(customer)
    customers.a_later_file_loses_nothing()


@pytest.mark.battery
def test_forgotten_customers(bench: Workbench, battery: Battery) -> None:
    rounds = battery.rounds(200)
    # Some stay to the end, to lose nothing.
    customers = NumberedCustomers(bench, count=rounds + 10, seed=battery.seed)
    later = 0
    for customer in range(1, rounds + 1):
        customers.forget(customer)
        if customer % 20 == 0 or customer == rounds:
            customers.a_later_file_loses_nothing()
            later += 1
    battery.passed(f"{rounds} customers forgotten, {later} later files; no row of anybody else lost")
