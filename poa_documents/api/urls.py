"""URLs of this package under /api/v1/."""

from rest_framework.routers import SimpleRouter

from poa_documents.api import views

router = SimpleRouter()
router.register("plan-promises", views.PlanPromises, basename="plan-promise")
router.register("poa-requests", views.PoaRequests, basename="poa-request")

urlpatterns = router.urls
