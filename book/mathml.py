"""mdBook preprocessor: formulas between dollar signs become MathML when the book is built.

`$…$` is in a line, `$$…$$` on lines of its own. Code is left alone. Needs `pip install -r requirements.txt`.
"""

import html
import json
import re
import sys

# Functions and norms whose names would touch what stands beside them.
NAMED = re.compile(r"(?<=[\w}])\s*(?=\\(?:ln|log|max|min|tanh)\b)|(?<=\\ln)\s+(?=[\w\\])")
NORM = {r"\lVert": r"\lVert\,", r"\rVert": r"\,\rVert"}
CODE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?^\1`*[ ]*$|(?<!`)(`+)(?!`).*?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE)
DISPLAYED = re.compile(r"^\$\$\s*(.+?)\s*\$\$$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"\$(?! )([^$\n]+?)(?<! )\$")


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "supports":
        sys.exit(0 if sys.argv[2] == "html" else 1)
    try:
        import latex2mathml.converter as converter
    except ImportError:
        sys.exit("formulas need latex2mathml\nhint: pip install -r book/requirements.txt")
    context, book = json.load(sys.stdin)
    for item in book.get("items", book.get("sections", [])):
        visit(item, converter)
    json.dump(book, sys.stdout)


def visit(item, converter):
    chapter = item.get("Chapter") if isinstance(item, dict) else None
    if chapter is None:
        return
    chapter["content"] = formulas(chapter["content"], converter)
    for inner in chapter["sub_items"]:
        visit(inner, converter)


def formulas(text, converter):
    """The text with every formula outside of code replaced."""

    def displayed(found):
        mathml = converter.convert(spaced(found[1].replace("\n", " ")), display="block")
        return f'<div class="formula">{label(mathml, found[1])}</div>'

    def inline(found):
        return label(converter.convert(spaced(found[1])), found[1])

    def outside(piece):
        return INLINE.sub(inline, DISPLAYED.sub(displayed, piece))

    pieces, at = [], 0
    for code in CODE.finditer(text):
        pieces += [outside(text[at : code.start()]), code[0]]
        at = code.end()
    return "".join(pieces) + outside(text[at:])


def spaced(source):
    """TeX with the spaces that it leaves to the browser, which sets none."""
    for plain, wide in NORM.items():
        source = re.sub(re.escape(plain) + r"(?![A-Za-z])", lambda _: wide, source)
    return NAMED.sub(lambda _: r"\,", source)


def label(mathml, source):
    """MathML that can be copied as the TeX it was written in."""
    source = html.escape(" ".join(source.split()), quote=True)
    return mathml.replace("<math ", f'<math data-tex="{source}" ', 1)


if __name__ == "__main__":
    main()
