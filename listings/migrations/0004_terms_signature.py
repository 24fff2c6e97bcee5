import itertools

from django.db import migrations, models

BATCH = 1_000


def fill(apps, editor):
    """Only MongoDB reads signatures. Safe to repeat."""
    if editor.connection.vendor != "mongodb":
        return
    from pymongo import UpdateOne

    from listings.terms import signature

    listings = editor.connection.get_collection("listings_listing")
    writes = (
        UpdateOne({"_id": row["_id"]}, {"$set": {"terms_signature": signature(row["terms"])}})
        for row in listings.find({}, {"terms": 1})
    )
    while batch := list(itertools.islice(writes, BATCH)):
        listings.bulk_write(batch, ordered=False)


class Migration(migrations.Migration):

    dependencies = [
        ('listings', '0003_staff_lists'),
    ]

    operations = [
        migrations.AddField(
            model_name='listing',
            name='terms_signature',
            field=models.BinaryField(default=bytes),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
