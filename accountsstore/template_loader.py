"""Where compiled templates are kept: `Loader` for production; in development a changed template shows at the next request."""

from pathlib import Path
from typing import Any

from django.template import Template
from django.template.loaders import base, cached

from accountsstore.template_folding import fold


class _Folding(base.Loader):
    def get_template(self, template_name: str, skip: Any = None) -> Template:
        template = super().get_template(template_name, skip)
        fold(template.nodelist)
        return template


class Loader(cached.Loader, _Folding):
    """Compiles each template once, with its steady parts folded. In this order of bases nobody meets one half folded."""


class ReloadingLoader(Loader):
    """Forgets a compiled template when its file has changed, and every template that was not found."""

    def get_template(self, template_name: str, skip: Any = None) -> Template:
        key = self.cache_key(template_name, skip)
        known = self.get_template_cache.get(key)
        if known is not None and not _is_current(known):
            # Another request may have forgotten it in this moment.
            self.get_template_cache.pop(key, None)
        template = super().get_template(template_name, skip)
        if not hasattr(template, "changed_at"):
            template.changed_at = _changed_at(template)  # type: ignore[attr-defined]  # our own mark
        return template


def _is_current(known: Any) -> bool:
    return isinstance(known, Template) and getattr(known, "changed_at", 0) == _changed_at(known)


def _changed_at(template: Template) -> int:
    """When the template's file was written, in nanoseconds; 0 when it is gone."""
    try:
        return Path(template.origin.name).stat().st_mtime_ns
    except OSError:
        return 0
