"""Everything we import from django-unfold; no other module imports it."""

from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import display as skin_display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

__all__ = [
    "AdminPasswordChangeForm",
    "ModelAdmin",
    "StackedInline",
    "TabularInline",
    "UserChangeForm",
    "UserCreationForm",
    "skin_display",
]
