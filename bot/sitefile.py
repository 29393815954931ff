"""sre-bot.yaml: from its text to a `Site`, or to every problem it has, in one go.

The schema is commands/site and nothing else: this module walks the YAML nodes along the dataclasses,
so that each problem carries file, line, column, the full key path and the nearest right key. What a
value is, is decided by the schema and not by YAML 1.1: a text is the text that stands there (`on`, `08`
and `2026-01-05` included), a number is a decimal number, a boolean is true or false.

Nothing here reads a file or the environment (bot/settings.py does), and no message shows a value that
looks like a secret.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml

from bot.secret import looks_secret, without_tokens
from bot.siterules import Objection, as_path, derive, section_objections, site_objections
from bot.siteschema import Where, bare, keys_of, nearest
from bot.sitevalues import SCALARS, Wrong, bad_member, choice, either, kind, objection, text_of
from commands.errors import SreError
from commands.site import QUERIES, ClusterSite, OnCall, OneOrMany, Sections, ServiceSite, Site

MOST_BYTES = 1 << 20
_MOST_NODES = 20_000  # after aliases are followed: a site of a hundred clusters has a tenth of it
_DEEPEST = 24


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend. line and column count from 1; 0 where there is no place to point at."""

    source: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.source}{place}: {self.text}"


class BadSettings(SreError):
    """The configuration cannot be used; `problems` is everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def parse(text: str, source: str = "sre-bot.yaml") -> Site:
    """The site this text describes; raises BadSettings with every problem."""
    reader = _Reader(source)
    root = reader.compose(text)
    found = reader.site(root) if root is not None else Site()
    if reader.problems:
        raise BadSettings(tuple(sorted(reader.problems)))
    return found


# --- Secrets that do not belong into the file -----------------------------------------------------

_SECRET_KEY = re.compile(r"(?i)token|secret|passw|credential|api[_-]?key|private[_-]?key|access[_-]?key|dsn")

# First match wins: what the path or the value speaks of, and the variable to use.
_VARIABLES: tuple[tuple[str, str], ...] = (
    (r"xapp|app[_-]?(level)?[_-]?token", "SLACK_APP_TOKEN"),
    (r"signing", "SLACK_SIGNING_SECRET"),
    (r"akia|asia|aws|access[_-]?key", "AWS"),
    (r"glsa_|grafana", "GRAFANA_TOKEN"),
    (r"alertmanager|webhook[_-]?token", "ALERTMANAGER_WEBHOOK_TOKEN"),
    (r"redis", "REDIS_URL"),
    (r"status[_-]?page|hooks\.slack\.com", "STATUS_PAGE_TOKEN"),
    (r"gh[opusr]_|github|glpat|git", "GIT_TOKEN"),
    (r"xox|slack|bot", "SLACK_BOT_TOKEN"),
)


def _instead(path: str, value: str) -> str:
    """Where a secret belongs, told by its own look first and by its key second."""
    variable = ""
    for clue in (value, path):
        hits = (name for shape, name in _VARIABLES if re.search(shape, clue, re.IGNORECASE))
        variable = variable or next(hits, "")
    if variable == "AWS":
        return "AWS access comes from IRSA or Pod Identity, and from no key at all"
    return f"set the environment variable {variable}" if variable else "set it in the environment"


# --- The walk -------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: set[Problem] = set()
        self.marks: dict[Where, yaml.Mark] = {}
        self._bad: set[Where] = set()
        self._tainted: set[int] = set()  # nodes that are reported as secrets: never looked at again

    def wrong(self, mark: yaml.Mark | None, path: Where, text: str) -> None:
        self._bad |= {path[: length + 1] for length in range(len(path))}
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        label = f"{'.'.join(path)}: ".replace(".[", "[") if path else ""
        self.problems.add(Problem(self.source, line, column, without_tokens(label) + text))

    # -- From text to nodes

    def compose(self, text: str) -> yaml.MappingNode | None:
        """The root mapping, or None after reporting why there is none."""
        try:
            root = self._root(text)
        except yaml.MarkedYAMLError as error:
            self._syntax(text, error)
        except Wrong as wrong:
            self.wrong(wrong.node.start_mark if wrong.node else None, (), wrong.text)
        else:
            return root if self._survey(root) else None
        return None

    def _root(self, text: str) -> yaml.MappingNode:
        if len(text.encode("utf-8", "replace")) > MOST_BYTES:
            raise Wrong("is larger than 1 MiB")
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.reader.ReaderError as error:
            raise Wrong(f"is not YAML: it has the character #x{int(error.character):04x}") from error
        except RecursionError:
            raise Wrong("is nested too deeply") from None
        if root is None:
            raise Wrong("is empty; write {} to run with every default")
        if not isinstance(root, yaml.MappingNode):
            raise Wrong(f"must be keys with values, not {kind(root)}", root)
        return root

    def _syntax(self, text: str, error: yaml.MarkedYAMLError) -> None:
        """Without the line and the names in it: what YAML stumbled over may be the secret itself."""
        mark = error.problem_mark or error.context_mark
        lines = text.splitlines()
        line = lines[mark.line] if mark and mark.line < len(lines) else ""
        tab = "\t" in line[: len(line) - len(line.lstrip())]
        reason = "a tab in the indentation: YAML takes spaces only" if tab else _unnamed(str(error.problem))
        self.wrong(mark, (), f"is not YAML: {reason}")

    def _survey(self, root: yaml.Node) -> bool:
        """Refuse custom tags and secrets anywhere, and a tree that aliases blow up."""
        pending: list[tuple[yaml.Node, Where]] = [(root, ())]
        for _ in range(_MOST_NODES):
            if not pending:
                return True
            node, path = pending.pop()
            if len(path) > _DEEPEST:
                self.wrong(node.start_mark, path[:3], "is nested too deeply (an alias within itself?)")
                return False
            self._inspect(node, path)
            pending += _children(node, path)
        self.wrong(root.start_mark, (), f"has more than {_MOST_NODES} values once its aliases are followed")
        return False

    def _inspect(self, node: yaml.Node, path: Where) -> None:
        if not re.fullmatch(
            r"tag:yaml\.org,2002:(str|int|float|bool|null|timestamp|map|seq|merge|value)", node.tag
        ):
            self.wrong(
                node.start_mark, path, "tags are not taken here: a text that begins with ! needs quotes"
            )
            self._tainted.add(id(node))
        elif isinstance(node, yaml.ScalarNode) and looks_secret(node.value):
            place = _instead(".".join(path), node.value)
            self.wrong(node.start_mark, path, f"a secret does not belong into this file: {place}")
            self._tainted.add(id(node))

    def entries(self, node: yaml.Node, path: Where) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The keys of a mapping with their nodes; merge keys (<<) fill in what the mapping lacks."""
        if not isinstance(node, yaml.MappingNode):
            raise Wrong(f"must be a mapping of keys to values, not {kind(node)}")
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if key.tag.endswith(":merge"):
                sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for source in sources:
                    merged = {**self.entries(source, path), **merged}
            elif not isinstance(key, yaml.ScalarNode):
                self.wrong(key.start_mark, path, f"a key must be a text, not {kind(key)}")
            elif id(key) in self._tainted:
                continue
            elif key.value in own:
                first = own[key.value][0].start_mark.line + 1
                self.wrong(key.start_mark, (*path, key.value), f"is given twice, first in line {first}")
            else:
                own[key.value] = (key, value)
        return {**merged, **own}

    # -- From nodes to values

    def value(self, node: yaml.Node, hint: Any, base: Any, path: Where) -> Any:
        """The value of a node for a type; `base` is what it inherits from. Raises Wrong."""
        if id(node) in self._tainted:
            raise Wrong("")
        inner, constraints = bare(hint)
        if inner is OnCall and isinstance(node, yaml.ScalarNode):
            return self._single_oncall(node)
        if any(isinstance(each, OneOrMany) for each in constraints) and isinstance(node, yaml.ScalarNode):
            return (self.value(node, get_args(inner)[0], None, path),)
        found = self._unconstrained(node, inner, base, path)
        for constraint in constraints:
            against = objection(found, constraint)
            if against:
                raise Wrong(against)
        return found

    def _unconstrained(self, node: yaml.Node, hint: Any, base: Any, path: Where) -> Any:
        origin = get_origin(hint)
        if isinstance(hint, type) and is_dataclass(hint):
            return self.record(node, hint, base, path)
        if origin is tuple:
            return self._list(node, get_args(hint)[0], path)
        if origin is Mapping:
            return self._mapping(node, get_args(hint)[1], base, path)
        if origin is Literal:
            return choice(node, get_args(hint))
        if origin in (Union, UnionType):
            return either(node, get_args(hint))
        return SCALARS[hint](node)

    def record(
        self, node: yaml.Node, record: type, base: Any, path: Where, aside: frozenset[str] = frozenset()
    ) -> Any:
        """A dataclass from a mapping, over its base; keys in `aside` are somebody else's to read."""
        known = keys_of(record)
        given: dict[str, Any] = {}
        for name, (key_node, value_node) in self.entries(node, path).items():
            at = (*path, name)
            if name in aside:
                continue
            if name not in known:
                self._unknown(key_node, value_node, at, [key for key in known if key not in aside])
                continue
            key = known[name]
            self.marks[at] = value_node.start_mark
            inherited = getattr(base, key.attribute) if base is not None else key.default
            with _Caught(self, value_node, at):
                given[key.attribute] = self.value(value_node, key.hint, inherited, at)
        return replace(base, **given) if base is not None else self._complete(node, record, given, path)

    def _complete(self, node: yaml.Node, record: type, given: dict[str, Any], path: Where) -> Any:
        """A record that inherits from nothing: what has no default must be there."""
        needed = [key for key in keys_of(record).values() if key.default is MISSING]
        missing = [key.name for key in needed if (*path, key.name) not in self.marks]
        if missing:
            raise Wrong(f"needs {' and '.join(f'`{name}`' for name in missing)}", node)
        if any(key.attribute not in given for key in needed):
            raise Wrong("")
        return record(**given)

    def _list(self, node: yaml.Node, hint: Any, path: Where) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode):
            raise Wrong(f"must be a list such as [a, b], not {kind(node)}")
        found = []
        for index, item in enumerate(node.value):
            at = (*path, f"[{index}]")
            with _Caught(self, item, at):
                found.append(self.value(item, hint, None, at))
        return tuple(found)

    def _mapping(self, node: yaml.Node, hint: Any, base: Any, path: Where) -> Mapping[str, Any]:
        """Free keys. Services are the ones named here; of everything else the inherited ones stay."""
        inner, _ = bare(hint)
        is_record = isinstance(inner, type) and is_dataclass(inner)
        found: dict[str, Any] = {} if inner is ServiceSite else dict(base or {})
        for name, (key_node, value_node) in self.entries(node, path).items():
            at = (*path, name)
            self.marks[at] = value_node.start_mark
            with _Caught(self, key_node, at):
                _check_free_key(path, name)
            inherited = (base or {}).get(name)
            if is_record and inherited is None:
                inherited = ServiceSite(name=name) if inner is ServiceSite else inner()
            with _Caught(self, value_node, at):
                found[name] = self.value(value_node, hint, inherited, at)
        if inner is ServiceSite and not found:
            raise Wrong("" if node.value else "names no service; leave the key out to keep the manual's")
        return found

    def _single_oncall(self, node: yaml.Node) -> OnCall:
        text = text_of(node)
        against = bad_member(text)
        if against:
            raise Wrong(against)
        return OnCall(rota=(text,))

    def _unknown(self, key: yaml.Node, value: yaml.Node, path: Where, siblings: list[str]) -> None:
        name = path[-1]
        if id(value) in self._tainted:
            return
        if _SECRET_KEY.search(name):
            place = _instead(".".join(path), "")
            self.wrong(key.start_mark, path, f"a secret does not belong into this file: {place}")
        elif path[:1] == ("clusters",) and len(path) == 3 and name == "name":
            text = f"`{path[1]}` is the name; for another name at EKS write `eks: {_bare_text(value)}`"
            self.wrong(key.start_mark, path, text)
        else:
            near = nearest(path, siblings)
            self.wrong(
                key.start_mark, path, "is not a key here" + (f"; did you mean `{near}`?" if near else "")
            )

    # -- The whole file

    def site(self, root: yaml.MappingNode) -> Site:
        entries = self.entries(root, ())
        base: Site = self.record(root, Site, Site(), (), frozenset({"cluster", "clusters"}))
        base = derive(base, lambda path: as_path(path) in self.marks)
        self._object(section_objections(base), ())
        if "cluster" in entries and "clusters" in entries:
            self.wrong(
                entries["cluster"][0].start_mark, ("cluster",), "give `cluster` or `clusters`, not both"
            )
            return base
        if "clusters" in entries:
            found = self._clusters(entries["clusters"][1], base)
        else:
            found = self._only_cluster(entries["cluster"][1] if "cluster" in entries else None, base)
        return self._checked(base, found)

    def _checked(self, base: Site, clusters: dict[str, ClusterSite]) -> Site:
        if not clusters:
            return base  # the reason is reported
        wanted = base.default_cluster if ("default_cluster",) in self.marks else ""
        whole = replace(base, clusters=clusters, default_cluster=wanted)
        self._object(site_objections(whole), ())
        return whole

    def _only_cluster(self, node: yaml.Node | None, base: Site) -> dict[str, ClusterSite]:
        found: dict[str, ClusterSite] = {}
        node = node or yaml.MappingNode("tag:yaml.org,2002:map", [])
        with _Caught(self, node, ("cluster",)):
            one = self._cluster(node, base, ClusterSite().name, ("cluster",), frozenset())
            found[one.name] = one
        return found

    def _clusters(self, node: yaml.Node, base: Site) -> dict[str, ClusterSite]:
        found: dict[str, ClusterSite] = {}
        with _Caught(self, node, ("clusters",)):
            entries = self.entries(node, ("clusters",))
            if not entries:
                raise Wrong("names no cluster")
            for name, (key, value) in entries.items():
                at = ("clusters", name)
                with _Caught(self, key, at):
                    _check_cluster_name(name, tuple(found))
                with _Caught(self, value, at):
                    found[name] = self._cluster(value, base, name, at, frozenset({"name"}))
        return found

    def _cluster(
        self, node: yaml.Node, base: Site, name: str, path: Where, aside: frozenset[str]
    ) -> ClusterSite:
        shared = {of.name: getattr(base, of.name) for of in fields(Sections)}
        if "name" in aside and "name" in (own := self.entries(node, path)):
            self._unknown(*own["name"], (*path, "name"), [])
        cluster: ClusterSite = self.record(node, ClusterSite, ClusterSite(name=name, **shared), path, aside)
        _check_cluster_name(cluster.name, ())
        if cluster.name != ClusterSite().name and (*path, "nodegroups") not in self.marks:
            # The manual's node group belongs to the manual's cluster; another's cannot be guessed.
            cluster = replace(cluster, nodegroups=())
        cluster = derive(
            cluster, lambda key: (*path, *as_path(key)) in self.marks or as_path(key) in self.marks
        )
        self._object(section_objections(cluster), path)
        return cluster

    def _object(self, objections: Iterable[Objection], path: Where) -> None:
        """Report what contradicts itself, at the first key of it that is given here."""
        for dotted, text in objections:
            absolute = [(*path, *as_path(each)) for each in dotted]
            given = [at for at in absolute if at in self.marks]
            if given and not self._bad & {*absolute, *map(as_path, dotted)}:
                self.wrong(self.marks[given[0]], given[0], text)


def _unnamed(problem: str) -> str:
    """What YAML complains of, without the text it quotes: `*pass` is an alias to it, and `&pass` an anchor."""
    if problem.startswith("found undefined alias"):
        return "an alias without an anchor: a text that begins with * needs quotes"
    if problem == "second occurrence":
        return "an anchor is given twice: a text that begins with & needs quotes"
    return re.sub(r"""'[^']*'|"[^"]*\"""", _unless_named, problem)


def _unless_named(quoted: re.Match[str]) -> str:
    """Single characters and the names of YAML's own tokens give nothing away."""
    return quoted[0] if len(quoted[0]) == 3 or re.fullmatch(r"'<[a-z ]+>'", quoted[0]) else "…"


def _children(node: yaml.Node, path: Where) -> list[tuple[yaml.Node, Where]]:
    if isinstance(node, yaml.MappingNode):
        pairs = [(key, value, (*path, str(key.value)[:40])) for key, value in node.value]
        return [(key, at) for key, _, at in pairs] + [(value, at) for _, value, at in pairs]
    if isinstance(node, yaml.SequenceNode):
        return [(item, (*path, f"[{index}]")) for index, item in enumerate(node.value)]
    return []


def _bare_text(node: yaml.Node) -> str:
    return kind(node).strip('"')


def _check_cluster_name(name: str, others: tuple[str, ...]) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise Wrong("a cluster's name has letters, digits, -, _ and . only")
    same = [other for other in others if other.casefold() == name.casefold()]
    if same:
        raise Wrong(f"differs from cluster `{same[0]}` in upper and lower case only")


# What a key may look like where the file chooses it, by the mapping it stands in.
_FREE_KEYS: Mapping[str, tuple[str, str]] = {
    "services": (
        r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
        "a service's name has lower case letters, digits and - only",
    ),
    "queries": (r"Q-[a-z0-9-]+", "a named query begins with Q-, such as Q-avail"),
    "rules": (r"[A-Za-z_][A-Za-z0-9_-]*", "an alert's name has letters, digits, _ and - only"),
}


def _check_free_key(path: Where, name: str) -> None:
    pattern, text = _FREE_KEYS.get(path[-1], (r"\S.*", "must not be empty"))
    if not re.fullmatch(pattern, name):
        raise Wrong(text)
    if path[-1] == "queries" and name not in QUERIES:
        near = difflib.get_close_matches(name, QUERIES, n=1)
        raise Wrong("is no named query" + (f"; did you mean `{near[0]}`?" if near else ""))


class _Caught:
    """Turns a Wrong raised inside into a problem at this place, and goes on."""

    def __init__(self, reader: _Reader, node: yaml.Node, path: Where) -> None:
        self._reader, self._node, self._path = reader, node, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Wrong):
            return False
        if error.text:
            self._reader.wrong((error.node or self._node).start_mark, self._path, error.text)
        return True
