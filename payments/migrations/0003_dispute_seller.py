import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A row at a time: an engine without joins in updates has no other way, and disputes are few."""
    disputes = apps.get_model("payments", "Dispute").objects
    for pk, seller_id in disputes.filter(seller=None).values_list("pk", "order__seller_id").iterator():
        disputes.filter(pk=pk).update(seller_id=seller_id)


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0002_staff_lists"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="dispute",
            name="seller",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name="dispute",
            name="seller",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(fields=["created_at"], name="dispute_created"),
        ),
    ]
