"""Photos of a listing in a bucket, behind a CDN."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from accounts.models import User
from listings.cards import picture_url
from listings.models import ListingImage
from listings.tests.factories import ListingFactory
from uploads.tests import samples
from uploads.tests.factories import stored_file
from uploads.tests.s3_for_tests import CDN, browser_sends, bucket, cdn, cdn_key, keys, s3_url

__all__ = ["bucket", "cdn", "cdn_key", "s3_url"]

pytestmark = pytest.mark.stack


def test_the_cover_is_addressed_at_the_cdn(buyer: User, cdn: rsa.RSAPublicKey, bucket: Any) -> None:
    listing = ListingFactory(cover=stored_file(buyer))
    key = f"public/listing_image/{listing.cover_id.hex}-card.webp"
    assert picture_url(listing) == f"https://{CDN}/{key}"
    assert key in keys(bucket)


def test_several_photos_come_in_the_order_in_which_the_form_names_them(seller: User, bucket: Any) -> None:
    listing, client = ListingFactory(seller=seller), Client()
    client.force_login(seller)
    about = {"purpose": "listing_image", "type": "image/png", "size": 100}
    begun = [client.post("/files/incoming/", about | {"name": f"{number}.png"}).json() for number in range(3)]
    for one in reversed(begun):
        browser_sends(one, samples.encoded(samples.drawing(), "PNG"), "image/png")
    named = {"incoming": [f"photos:{one['id']}" for one in begun]}
    client.post(f"/sell/listings/{listing.code}/photos/", named, headers={"X-Upload": "progress"})
    names = [image.file.original_name for image in ListingImage.objects.filter(listing=listing).order_by("position")]
    assert names == ["0.png", "1.png", "2.png"]
