"""Everything we import from django-unfold; no other module imports it."""

from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import display as skin_display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.templatetags.unfold import header_title
from unfold.views import ChangeList

__all__ = [
    "AdminPasswordChangeForm",
    "ChangeList",
    "ModelAdmin",
    "StackedInline",
    "TabularInline",
    "UserChangeForm",
    "UserCreationForm",
    "header_title",
    "skin_display",
]
