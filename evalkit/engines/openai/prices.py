"""The prices of tokens, and the budget of a run."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from evalkit.engines.openai.tokens_used import TokensUsed
from evalkit.engines.price import Price
from evalkit.errors import BudgetReached, UsageError

__all__ = ["Budget", "Price", "Reservation", "price_of"]

AS_OF = "2025-08"
"""The month that the table below is meant to describe. It was written down from memory and not checked against the
maker's page, so an estimate says where its prices are from; `price=IN/OUT` in the model's arguments overrides it."""

_USD_PER_MILLION: dict[str, tuple[float, float]] = {
    "gpt-5": (1.25, 10.0),
    "gpt-5-mini": (0.25, 2.0),
    "gpt-5-nano": (0.05, 0.4),
    "gpt-4.1": (2.0, 8.0),
    "gpt-4.1-mini": (0.4, 1.6),
    "gpt-4.1-nano": (0.1, 0.4),
    "gpt-4o": (2.5, 10.0),
    "gpt-4o-mini": (0.15, 0.6),
    "gpt-4-turbo": (10.0, 30.0),
    "gpt-4-1106-preview": (10.0, 30.0),
    "gpt-4": (30.0, 60.0),
    "gpt-3.5-turbo": (0.5, 1.5),
    "o1": (15.0, 60.0),
    "o3": (2.0, 8.0),
    "o3-mini": (1.1, 4.4),
    "o4-mini": (1.1, 4.4),
}


def price_of(model: str, base_url: str, given: str | float | None = None) -> Price | None:
    """The price of a model; None if it is not known, which does not mean free."""
    if given is not None:
        prompt, _, generated = str(given).partition("/")
        try:
            price = Price(float(prompt), float(generated or prompt), "given")
            if min(price.prompt, price.generated) < 0:
                raise ValueError
        except ValueError:
            raise UsageError(f"price={given}: dollars per million tokens, as in price=0.15/0.60") from None
        return price
    host = urlsplit(base_url).hostname or ""
    if _local(host):
        return Price(0.0, 0.0, "a server of your own")
    if host != "api.openai.com":
        return None
    # A dated name (gpt-4o-2024-08-06) has the price of its model; the longest matching name counts.
    for name in sorted(_USD_PER_MILLION, key=len, reverse=True):
        rest = model.removeprefix(name)
        if model.startswith(name) and (not rest or rest.lstrip("-").replace("-", "").isdigit()):
            return Price(*_USD_PER_MILLION[name], f"unchecked table of {AS_OF}")
    return None


def _local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_private


@dataclass(frozen=True, slots=True)
class Reservation:
    """The most that a request can use, reserved until its reply states what it used."""

    prompt: int
    generated: int
    usd: float = 0.0


class Budget:
    """Counts the dollars spent, and holds requests back that might exceed the limit."""

    def __init__(self, price: Price | None, most: float | None, model: str) -> None:
        if most is not None and price is None:
            raise UsageError(
                f"--max-usd {most:g}: the price of {model} is not known here; give it with price=IN/OUT,"
                " in dollars per million tokens"
            )
        self.price = price
        self.most = most
        self.prompt = 0
        self.generated = 0
        self.reserved = 0.0
        self.unreported = 0
        """Answers without a plausible token count. They are charged with the most that they can have used."""
        self.unanswered = 0
        """Requests that brought no reply back. They are charged in full, since the server may charge for them."""
        self.open = 0
        """Requests with a reservation. They are counted, since sums of dollars rarely return to exactly 0."""

    @property
    def spent(self) -> float | None:
        return None if self.price is None else self.price.of(self.prompt, self.generated)

    def fits(self, prompt: int, generated: int) -> bool:
        if self.price is None or self.most is None:
            return True
        return (self.spent or 0.0) + self.reserved + self.price.of(prompt, generated) <= self.most

    def reserve(self, prompt: int, generated: int) -> Reservation:
        """Reserve the most that a request can cost. EngineError if it would exceed the limit."""
        if self.price is None or self.most is None:
            return Reservation(prompt, generated)
        if not self.fits(prompt, generated):
            raise BudgetReached(
                f"--max-usd {self.most:g} is reached: {self.spent:.4f} spent; what was answered is kept,"
                " and the same command with a higher limit goes on from there"
            )
        cost = self.price.of(prompt, generated)
        self.reserved += cost
        self.open += 1
        return Reservation(prompt, generated, cost)

    def release(self, held: Reservation) -> None:
        """Release the reservation of a request that has ended."""
        if self.price is not None and self.most is not None:
            self.open -= 1
            self.reserved = self.reserved - held.usd if self.open else 0.0

    def charge_without_reply(self, held: Reservation) -> None:
        """A request that timed out or broke off: all that was reserved for it."""
        self.unanswered += 1
        self.prompt += held.prompt
        self.generated += held.generated

    def charge(self, held: Reservation, used: TokensUsed) -> None:
        """Charge a request with what it used, or with all that was reserved if a count is missing or implausible."""
        if used.prompt is None or used.generated is None:
            self.unreported += 1
            used = TokensUsed(held.prompt, held.generated)
        self.prompt += used.prompt or 0
        self.generated += used.generated or 0
