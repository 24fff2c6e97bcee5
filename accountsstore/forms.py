"""How the store draws forms."""

from django.forms.renderers import TemplatesSetting


class StoreFormRenderer(TemplatesSetting):
    """`{{ form }}` and `{{ field.as_field_group }}` come out in the store's recipes."""

    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"
