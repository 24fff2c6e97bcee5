"""The deposit methods a new store begins with. From then on they are edited in the admin."""

from django.conf import settings

from accountsstore.db import atomic
from payments.models import DepositMethod

BANK = {
    "code": "bank",
    "name_en": "Bank transfer",
    "name_ar": "تحويل بنكي",
    "instructions_en": (
        "Transfer the amount to this account:\n\n{details}\n\n"
        "Put the store's reference, shown on this page, into the purpose of the transfer. "
        "Then upload the receipt or a screenshot of the finished transfer."
    ),
    "instructions_ar": (
        "حوّل المبلغ إلى هذا الحساب:\n\n{details}\n\n"
        "اكتب مرجع المتجر الظاهر في هذه الصفحة في خانة الغرض من التحويل، ثم ارفع الإيصال أو صورة للتحويل بعد اكتماله."
    ),
    "reference_label_en": "Bank reference",
    "reference_label_ar": "مرجع البنك",
}
WALLET = {
    "code": "wallet",
    "name_en": "E-wallet",
    "name_ar": "محفظة إلكترونية",
    "instructions_en": (
        "Send the amount to this wallet:\n\n{details}\n\n"
        "Put the store's reference, shown on this page, into the note. "
        "Then upload a screenshot that shows the amount, the time and the transaction number."
    ),
    "instructions_ar": (
        "أرسل المبلغ إلى هذه المحفظة:\n\n{details}\n\n"
        "اكتب مرجع المتجر الظاهر في هذه الصفحة في الملاحظة، ثم ارفع صورة شاشة يظهر فيها المبلغ والوقت ورقم العملية."
    ),
    "reference_label_en": "Transaction number",
    "reference_label_ar": "رقم العملية",
}


@atomic
def deposit_methods_install(*, bank: str = "", wallet: str = "") -> list[DepositMethod]:
    """Make the methods that are missing; returns those. Safe to repeat: what is there stays.

    `bank` and `wallet` say where the money goes. A method without it is made but not offered: nobody must pay into
    an example.
    """
    made = []
    for position, (plan, details) in enumerate(((BANK, bank), (WALLET, wallet))):
        if DepositMethod.objects.filter(code=plan["code"]).exists():
            continue
        texts = {name: text.replace("{details}", details or "–") for name, text in plan.items()}
        made.append(
            DepositMethod.objects.create(
                **texts, currency=settings.STORE_CURRENCY, is_active=bool(details), position=position * 10
            )
        )
    return made
