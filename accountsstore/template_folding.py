"""Templates whose steady parts are drawn once for each language.

Most tags of a page give the same text every time: addresses, icons, translated words, files. `fold` puts each run of
them, with the text between, into one node that keeps what it drew.
"""

from django.template import Context
from django.template.base import FilterExpression, Node, NodeList, TextNode, Variable
from django.template.defaulttags import CommentNode, IfNode, LoadNode, URLNode
from django.template.library import SimpleNode
from django.templatetags.i18n import TranslateNode
from django.templatetags.static import StaticNode
from django.urls import get_script_prefix
from django.utils.translation import get_language

from accountsstore.templatetags.store import icon


class SteadyNode(Node):
    """Nodes whose text depends on nothing but the language."""

    child_nodelists = ()

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = NodeList(nodes)
        self._drawn: dict[tuple[str | None, bool], str] = {}

    def render(self, context: Context) -> str:
        # A request may name a prefix, which addresses then begin with: for itself alone.
        if get_script_prefix() != "/":
            return self._nodes.render(context)
        key = get_language(), context.autoescape
        text = self._drawn.get(key)
        if text is None:
            text = self._drawn[key] = self._nodes.render(context)
        return text


def fold(nodes: NodeList) -> None:
    """Replace runs of steady nodes, in the list and in those below, before anybody renders them. Safe to repeat."""
    folded: list[Node] = []
    run: list[Node] = []
    for node in nodes:
        if _is_steady(node):
            run.append(node)
            continue
        folded += _one(run)
        folded.append(node)
        run = []
        for below in _lists_below(node):
            fold(below)
    nodes[:] = folded + _one(run)


def _one(run: list[Node]) -> list[Node]:
    return run if all(isinstance(node, TextNode) for node in run) else [SteadyNode(run)]


def _lists_below(node: Node) -> list[NodeList]:
    if isinstance(node, IfNode):
        return [nodes for _condition, nodes in node.conditions_nodelists]
    below = (getattr(node, name, None) for name in node.child_nodelists)
    return [nodes for nodes in below if isinstance(nodes, NodeList)]


def _is_steady(node: Node) -> bool:
    match node:
        case TextNode() | CommentNode() | LoadNode():
            return True
        case TranslateNode(asvar=None, message_context=None):
            return _is_constant(node.filter_expression)
        case URLNode(asvar=None):
            return all(map(_is_constant, [node.view_name, *node.args, *node.kwargs.values()]))
        case StaticNode(varname=None):
            return _is_constant(node.path)
        case SimpleNode(target_var=None) if node.func is icon:
            return all(map(_is_constant, [*node.args, *node.kwargs.values()]))
    return False


def _is_constant(value: FilterExpression) -> bool:
    return not value.filters and (not isinstance(value.var, Variable) or value.var.literal is not None)
