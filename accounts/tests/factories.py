from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.models import SellerProfile, User

PASSWORD = "correct-horse-battery"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        from allauth.account.models import EmailAddress

        user = model_class.objects.create_user(password=kwargs.pop("password", PASSWORD), **kwargs)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user


class SellerFactory(UserFactory):
    @factory.post_generation
    def profile(self, create: bool, extracted: object, **kwargs: object) -> None:
        SellerProfile.objects.create(user=self, state=SellerProfile.State.APPROVED)


class StaffFactory(UserFactory):
    is_staff = True
    is_superuser = True
