"""Pages from the templates in the folder beside this file, where every text is a stranger's."""

from __future__ import annotations

import base64
import math

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from latent_lab.console import escape_text


def one_line(value: object) -> Markup | str:
    """Show a value letter by letter, in one line; what a template made stays as it is."""
    return value if isinstance(value, Markup) else escape_text(value)


def data_uri(content: bytes) -> Markup:
    """Write a PNG file as an address that holds it."""
    return Markup(f"data:image/png;base64,{base64.b64encode(content).decode()}")


def number(value: float) -> str:
    """Round a number to three digits; one that is missing (nan) is empty."""
    return "" if math.isnan(value) else f"{value:.3g}"


ENVIRONMENT = Environment(
    loader=PackageLoader("latent_lab.figures"),
    autoescape=True,
    finalize=one_line,
    undefined=StrictUndefined,
    trim_blocks=True,
)
ENVIRONMENT.filters |= {"data_uri": data_uri, "number": number}
ENVIRONMENT.tests["png"] = lambda content: isinstance(content, bytes)


def render(name: str, **values: object) -> Markup:
    """Fill the template of that name; all that is no :class:`Markup` is escaped, also within attributes."""
    return Markup(ENVIRONMENT.get_template(f"{name}.html").render(values))
