"""API URLs of customers, sites, installations and PTO reports, under /api/v1/."""

from rest_framework.routers import SimpleRouter

from installations.api import views

router = SimpleRouter()
router.register("customers", views.Customers, basename="customer")
router.register("sites", views.Sites, basename="site")
router.register("installations", views.Installations, basename="installation")
router.register("pto-reports", views.PtoReports, basename="pto-report")

urlpatterns = router.urls
