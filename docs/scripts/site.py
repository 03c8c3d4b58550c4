"""MkDocs hook: formulas become MathML, so that a page needs neither a script nor a font; notebooks, and two files of
the root, become pages."""

from __future__ import annotations

import html
import json
import logging
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LOG = logging.getLogger("mkdocs.hooks.site")
ROOT = Path(__file__).resolve().parents[2]
PAGES = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the root that are pages too, and a page for each notebook."""
    for page, file in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / file)))
    for book in [file for file in files if file.src_uri.endswith(".ipynb")]:
        text = markdown_of(json.loads(book.content_string), Path(book.src_uri).name)
        files.append(File.generated(config, book.src_uri.removesuffix("ipynb") + "md", content=text))
    return files


def markdown_of(notebook: dict, name: str) -> str:
    """Return the cells of a notebook as Markdown, with what they printed and drew, and a link to the notebook."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                parts.append(f"```text\n{''.join(output['text'])}```")
            else:
                parts.append(f"![what the code draws](data:image/png;base64,{output['data']['image/png']})")
    return "\n\n".join([*parts, f"[This page as a notebook]({name})", ""])


def on_page_content(text: str, page: Page, **_: object) -> str:
    """Write every formula of a page as MathML, which browsers show by themselves; warn of one that is no formula."""

    def write(match: re.Match[str]) -> str:
        # which latex2mathml does not know
        formula = html.unescape(match[2]).strip().replace(r"\arg", r"\mathrm{arg}\,")
        try:
            made = convert(formula, display="block" if match[1] == "div" else "inline")
        except Exception as error:
            LOG.warning("%s: %r is no formula (%s)", page.file.src_uri, formula, type(error).__name__)
            return match[0]
        for unknown in re.findall(r">(\\[a-zA-Z]+)<", made):
            LOG.warning("%s: %s is not known in %r", page.file.src_uri, unknown, formula)
        return made

    return FORMULA.sub(write, text)
