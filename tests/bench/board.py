"""Where figures are shown, and what is over its budget remembered."""
from typing import List


class Failed(Exception):
    """A figure cannot be had; the text is the sentence for the user."""


class Board:
    """Prints figures as they come and remembers whether one that counts is over its budget."""

    def __init__(self) -> None:
        self.broken: List[str] = []

    def show(self, word: str, name: str, text: str) -> None:
        print(f"{word:<12}{name:<38}{text}", flush=True)

    def counts(self, name: str, ok: bool, text: str) -> None:
        """A budget that does not depend on the machine's speed."""
        if not ok:
            self.broken.append(name)
        self.show("pass" if ok else "OVER BUDGET", name, text)

    def time(self, name: str, seconds: float, budget: float, what: str) -> None:
        """A time: printed, never a failure."""
        self.show("pass" if seconds <= budget else "over budget", name,
                  f"{seconds:.3f} s, budget {budget:g} s ({what})")
