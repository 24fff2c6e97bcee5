"""Photos of the seller's own listing."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accountsstore.errors import StoreError
from listings.forms import PhotosForm
from listings.models import ListingImage
from listings.services.images import LIMIT, image_add, image_move, image_remove
from listings.views.desk import desk_context
from listings.views.guards import own_listing, seller_only


@seller_only
def listing_photos(request: HttpRequest, code: str) -> HttpResponse:
    listing = own_listing(request, code)
    form = PhotosForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        added = 0
        for upload in form.cleaned_data["photos"]:
            try:
                image_add(listing=listing, seller=request.user, upload=upload)
                added += 1
            except StoreError as error:
                form.add_error("photos", f"{upload.name}: {error}")
        if added:
            sentence = ngettext("%(n)d photo added.", "%(n)d photos added.", added)
            messages.success(request, sentence % {"n": added})
        if not form.errors:
            return redirect("listings:listing_photos", listing.code)
    images = list(listing.images.select_related("file"))
    context = {"form": form, "images": images, "room": LIMIT - len(images), **desk_context(listing, "photos")}
    return render(request, "listings/listing_photos.html", context)


@require_POST
@seller_only
def photo_action(request: HttpRequest, code: str, image_id: UUID, action: str) -> HttpResponse:
    listing = own_listing(request, code)
    image = get_object_or_404(ListingImage, pk=image_id, listing=listing)
    if action == "remove":
        image_remove(image=image, seller=request.user)
        messages.success(request, _("Photo removed."))
    elif action in ("earlier", "later", "cover"):
        before = listing.images.filter(position__lt=image.position).count()
        place = {"earlier": before - 1, "later": before + 1, "cover": 0}[action]
        image_move(image=image, seller=request.user, position=place)
    else:
        raise Http404
    return redirect("listings:listing_photos", listing.code)
