"""Which metrics, labels and label values a PromQL expression names. It reads as much of the language as rules and
dashboards use.
"""

import re

# A metric, and (label, operator, value) of each of its matchers.
Selector = tuple[str, list[tuple[str, str, str]]]

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[a-zA-Z_:][a-zA-Z0-9_:]*|=~|!~|!=|[0-9][0-9.a-z]*|\S')
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_OPERATORS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}


def selectors(expression: str) -> list[Selector]:
    """Returns [(metric, [(label, operator, value)])] of every selector, in order."""
    tokens = _TOKENS.findall(expression)
    found, at = [], 0
    while at < len(tokens):
        token, following = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ""
        if token.lower() in _GROUPING and following == "(":
            at = tokens.index(")", at)
        elif token == "[":
            at = tokens.index("]", at)
        elif _WORD.fullmatch(token) and token.lower() not in _OPERATORS and following not in ("(", *_GROUPING):
            matchers = []
            if following == "{":
                end = tokens.index("}", at)
                parts = [part for part in tokens[at + 2 : end] if part != ","]
                matchers = [
                    (label, operator, value[1:-1])
                    for label, operator, value in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
                ]
                at = end
            found.append((token, matchers))
        at += 1
    return found


def grouping_labels(expression: str) -> set[str]:
    """Returns every label that is named in by (…), on (…) and the like."""
    lists = re.findall(rf"\b(?:{'|'.join(_GROUPING)})\s*\(([^)]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",") if label.strip()}
