"""Slots and admission against a model: children start, fail, die and answer in any order; clients come and go."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from facesieve.processes.child import ChildDied
from facesieve.processes.protocol import Reply
from facesieve.processes.worker_slot import Ended, Limits, State, WorkerSlot
from facesieve.service.admission import Admission, Place
from facesieve.service.api_errors import ApiError

# Iterations of the loop between two events: few, so that events come together, or enough to finish all work.
TURNS = st.sampled_from([0, 1, 2, 3, 4, 6, 30])

Step = concurrent.futures.Future


class FakeChild:
    """A child that does each step when the test lets it. Its methods return futures, for `Inline`."""

    def __init__(self) -> None:
        self.sentinel, self._end = os.pipe()
        self.alive, self.closed = True, False
        self.exit_code = 0
        self.name, self.step = "", Step()
        self.asked: Any = None

    def _begin(self, name: str) -> Step:
        assert not self.closed, "a closed child is never used"
        assert self.name == "", "one step at a time"
        self.name, self.step = name, Step()
        if not self.alive:
            self._fail()
        return self.step

    def wait_ready(self) -> Step:
        return self._begin("ready")

    def send(self, value: Any, data: bytes) -> Step:
        assert self.asked is None, "no request before the last one is answered"
        assert data == str(value).encode()
        self.asked = value
        return self._begin("send")

    def receive(self) -> Step:
        return self._begin("receive")

    def kill(self) -> None:
        if self.alive:
            self.alive = False
            os.close(self._end)  # makes the sentinel readable
            if self.name:
                self._fail()

    def close(self) -> Step:
        self.kill()
        self.closed = True
        os.close(self.sentinel)
        done = Step()
        done.set_result(None)
        return done

    def go_on(self) -> None:
        """Finish the step it is at."""
        name, self.name = self.name, ""
        if name != "receive":
            self.step.set_result(None)
            return
        value, self.asked = self.asked, None
        self.step.set_result(Reply(1, 1, value))

    def _fail(self) -> None:
        name, self.name = self.name, ""
        self.step.set_exception(ChildDied(delivered=name != "send"))


class Inline(concurrent.futures.Executor):
    """Runs a step when it is submitted; steps of fake children are futures already."""

    def submit(self, call: Any, /, *arguments: Any, **_: Any) -> Step:
        try:
            result = call(*arguments)
        except Exception as error:
            result = Step()
            result.set_exception(error)
        if isinstance(result, Step):
            return result
        done: Step = Step()
        done.set_result(result)
        return done


class Quiet:
    def changed(self, slot: WorkerSlot) -> None: ...
    def died(self, slot: WorkerSlot, ended: Ended) -> None: ...
    def not_started(self, slot: WorkerSlot, error: Exception, again: float) -> None: ...


class Service(RuleBasedStateMachine):
    """Two slots, three clients, and as many questions as hypothesis likes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.children: list[FakeChild] = []
        self.no_room = 0
        self.settled = True
        self.questions: dict[int, asyncio.Task[Any]] = {}
        self.left: set[int] = set()
        self.admission = Admission(2, 1000, 1)
        self.run(self._begin())

    async def _begin(self) -> None:
        # Every life counts as short, so that what follows does not depend on how fast this machine is.
        limits = Limits(start=1000, grace=1000, first=0, longest=0, short_life=1000)
        self.slots = [WorkerSlot(self._start, self.admission.queue, Inline(), limits, Quiet()) for _ in range(2)]  # type: ignore[arg-type]
        self.owners = [asyncio.ensure_future(slot.own()) for slot in self.slots]

    def _start(self) -> FakeChild:
        if self.no_room:
            self.no_room -= 1
            raise OSError("no descriptors")
        self.children.append(FakeChild())
        return self.children[-1]

    def run(self, work: Any = None, turns: int = 30) -> None:
        """Do the work and let so many turns of the loop follow; 30 are enough for all that it leads to."""

        async def settle() -> None:
            if work is not None:
                await work
            for _ in range(turns):
                await asyncio.sleep(0)

        self.loop.run_until_complete(settle())
        self.settled = turns == 30

    @property
    def waiting_children(self) -> list[FakeChild]:
        return [child for child in self.children if child.alive and child.name]

    @property
    def living(self) -> list[FakeChild]:
        return [child for child in self.children if child.alive]

    @rule(client=st.integers(0, 2), turns=TURNS)
    def a_client_asks(self, client: int, turns: int) -> None:
        number = len(self.questions)

        async def ask() -> Any:
            place = Place(self.admission, (str(client), ""))
            return await place.process(number, str(number).encode())

        self.questions[number] = self.loop.create_task(ask())
        self.run(turns=turns)

    @precondition(lambda self: len(self.left) < len(self.questions))
    @rule(data=st.data(), turns=TURNS)
    def a_client_leaves(self, data: st.DataObject, turns: int) -> None:
        number = data.draw(st.sampled_from(sorted(set(self.questions) - self.left)))
        self.left.add(number)
        self.questions[number].cancel()
        self.run(turns=turns)

    @precondition(lambda self: self.waiting_children)
    @rule(data=st.data(), turns=TURNS)
    def a_child_goes_on(self, data: st.DataObject, turns: int) -> None:
        data.draw(st.sampled_from(self.waiting_children)).go_on()
        self.run(turns=turns)

    @precondition(lambda self: self.living)
    @rule(data=st.data(), starts_that_fail=st.integers(0, 2), turns=TURNS)
    def a_child_dies(self, data: st.DataObject, starts_that_fail: int, turns: int) -> None:
        self.no_room += starts_that_fail
        data.draw(st.sampled_from(self.living)).kill()
        self.run(turns=turns)

    @invariant()
    def every_answer_is_that_of_its_own_question(self) -> None:
        for number, task in self.questions.items():
            if task.done() and not task.cancelled():
                error = task.exception()
                assert error is None or (isinstance(error, ApiError) and error.code == "worker_died")
                assert error is not None or task.result() == number

    @invariant()
    def every_slot_has_one_child(self) -> None:
        assert len(self.living) <= 2
        if not self.settled:
            return
        assert len(self.living) == 2
        assert all(child.closed for child in self.children if not child.alive)
        assert not any(slot.state is State.DEAD for slot in self.slots)

    @invariant()
    def the_counts_are_right(self) -> None:
        waits = [task for task in self.questions.values() if not task.done()]
        if not self.settled:
            return
        assert self.admission.queue.working + self.admission.queue.waiting == len(waits)

    def teardown(self) -> None:
        """Whoever still waits is answered, and at the end nothing is left."""
        self.no_room = 0
        for _ in range(1000):
            waits = [task for task in self.questions.values() if not task.done()]
            if not waits:
                break
            for child in self.waiting_children:
                child.go_on()
            self.run()
        assert all(task.done() for task in self.questions.values())
        for slot in self.slots:
            slot.close()
        self.run(asyncio.gather(*self.owners))
        assert all(child.closed for child in self.children)
        self.loop.close()


TestService = Service.TestCase
TestService.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
