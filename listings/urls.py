from django.urls import path

from listings.views import browse, desk, home, listing, people, photos, stock

app_name = "listings"
urlpatterns = [
    path("", home.home, name="home"),
    path("browse/", browse.browse, name="browse"),
    path("listing/<code>/", listing.detail, name="listing_short"),
    path("listing/<code>/<slug>/", listing.detail, name="listing"),
    path("report/<code>/", listing.report, name="report"),
    path("sellers/<username>/", people.seller, name="seller"),
    path("favourites/", people.favourite_list, name="favourites"),
    path("favourites/<code>/", listing.favourite, name="favourite_toggle"),
    path("sell/listings/", desk.listing_list, name="desk_listings"),
    path("sell/listings/new/", desk.listing_new, name="listing_new"),
    path("sell/listings/new/fields/", desk.listing_fields, name="listing_fields"),
    path("sell/listings/<code>/", desk.listing_edit, name="listing_edit"),
    path("sell/listings/<code>/photos/", photos.listing_photos, name="listing_photos"),
    path("sell/listings/<code>/photos/<uuid:image_id>/<action>/", photos.photo_action, name="photo_action"),
    path("sell/listings/<code>/stock/", stock.listing_stock, name="listing_stock"),
    path("sell/listings/<code>/stock/preview/", stock.stock_preview, name="stock_preview"),
    path("sell/listings/<code>/stock/<uuid:item_id>/withdraw/", stock.stock_take_back, name="stock_withdraw"),
    path("sell/listings/<code>/do/<action>/", desk.listing_action, name="listing_action"),
]
