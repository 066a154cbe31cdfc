"""URLs of enrollments under /api/v1/."""

from rest_framework.routers import SimpleRouter

from enrollments.api import views

router = SimpleRouter()
router.register("enrollments", views.Enrollments, basename="enrollment")
router.register("pauses", views.Pauses, basename="pause")

urlpatterns = router.urls
