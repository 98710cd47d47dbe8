"""Reads the two price lists out of their packages and prints them as one JSON object.

The packages are opened as archives: nothing in them is installed, imported or run. The first list is Python
source and is read as a syntax tree; the second is JSON. Every number leaves as the text that stood in the
list, so that no price ever passes through a binary fraction.

The first list names models by clauses (prefixes, patterns); they are answered here, with Python's own regular
expressions, for every id that either list holds. All other decisions are taken in Rust.

Usage: read_lists.py GENAI_PRICES_WHEEL LITELLM_WHEEL
"""

import ast
import json
import re
import sys
import zipfile

PRICES = "genai_prices/data.py"
MODELS = "litellm/model_prices_and_context_window_backup.json"


def value(node):
    """The plain value of a literal or of a constructor call (whose name is kept under `_`)."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {value(k): value(v) for k, v in zip(node.keys, node.values)}
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if name == "Decimal":
            return str(node.args[0].value)
        if name == "date":
            return "%04d-%02d-%02d" % tuple(value(a) for a in node.args)
        if name == "time":
            return ":".join("%02d" % value(a) for a in node.args[:2])
        return {"_": name, **{k.arg: value(k.value) for k in node.keywords}}
    raise SystemExit(f"{PRICES}:{node.lineno}: an expression this reader does not know: {ast.unparse(node)}")


def matches(clause, text):
    """Whether a clause of the first list names `text` (already in lower case)."""
    kind = clause["_"]
    if kind == "ClauseEquals":
        return text == clause["equals"].lower()
    if kind == "ClauseStartsWith":
        return text.startswith(clause["starts_with"].lower())
    if kind == "ClauseEndsWith":
        return text.endswith(clause["ends_with"].lower())
    if kind == "ClauseContains":
        return clause["contains"].lower() in text
    if kind == "ClauseRegex":
        return bool(re.search(clause["regex"], text))
    if kind == "ClauseOr":
        return any(matches(c, text) for c in clause["or_"])
    if kind == "ClauseAnd":
        return all(matches(c, text) for c in clause["and_"])
    raise SystemExit(f"{PRICES}: a match clause this reader does not know: {kind}")


def literals(clause):
    """The ids that a clause spells out in full."""
    if clause["_"] == "ClauseEquals":
        return [clause["equals"]]
    if clause["_"] == "ClauseOr":
        return [text for part in clause["or_"] for text in literals(part)]
    return []


def main(prices_wheel, models_wheel):
    tree = ast.parse(zipfile.ZipFile(prices_wheel).read(PRICES))
    providers = next(value(s.value) for s in tree.body if isinstance(s, ast.AnnAssign) and s.target.id == "providers")
    models = json.loads(zipfile.ZipFile(models_wheel).read(MODELS), parse_float=str, parse_int=str)
    models.pop("sample_spec", None)
    ids = set(models) | {key.split("/", 1)[1] for key in models if "/" in key}
    # What other hosts call `anthropic.NAME-v1:0` and `NAME@DATE`, the maker calls NAME and NAME-DATE.
    ids |= {m for m in re.findall(r"anthropic\.(claude-[a-z0-9-]+?)-v\d", " ".join(models))}
    ids |= {text.replace("@", "-") for text in ids if "@" in text}
    out = []
    for provider in providers:
        rows = [
            {
                "id": m["id"],
                "ids": literals(m["match"]),
                "context": m.get("context_window"),
                "prices": m["prices"],
            }
            for m in provider["models"]
        ]
        asked = ids | {m["id"] for m in provider["models"]} | {text for row in rows for text in row["ids"]}
        named = {}
        for text in sorted(asked):
            lower = text.lower()
            found = next((i for i, m in enumerate(provider["models"]) if matches(m["match"], lower)), None)
            if found is not None:
                named[text] = found
        out.append({"id": provider["id"], "models": rows, "named": named})
    json.dump({"prices": out, "models": models}, sys.stdout)


main(*sys.argv[1:])
