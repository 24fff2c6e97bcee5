from django.urls import path

from payments.views import checkout, deposits, orders, rules, sales, wallet, withdrawals

app_name = "payments"
urlpatterns = [
    path("checkout/<code>/", checkout.checkout, name="checkout"),
    path("orders/", orders.order_list, name="orders"),
    path("orders/<number>/", orders.order_detail, name="order"),
    path("orders/<number>/live/", orders.order_live, name="order_live"),
    path("orders/<number>/reveal/", orders.order_reveal_view, name="order_reveal"),
    path("orders/<number>/<action>/", orders.order_action, name="order_action"),
    path("wallet/", wallet.wallet_page_view, name="wallet"),
    path("wallet/statement/", wallet.statement_page, name="statement"),
    path("wallet/statement.csv", wallet.statement_csv, name="statement_csv"),
    path("wallet/deposit/", deposits.deposit_new, name="deposit_new"),
    path("wallet/deposits/<code>/", deposits.deposit_page, name="deposit"),
    path("wallet/withdraw/", withdrawals.withdrawal_new, name="withdrawal_new"),
    path("wallet/withdrawals/<code>/", withdrawals.withdrawal_page, name="withdrawal"),
    path("wallet/payout-methods/", withdrawals.payout_methods, name="payout_methods"),
    path("wallet/payout-methods/<uuid:method_id>/remove/", withdrawals.payout_method_drop, name="payout_method_remove"),
    path("sell/", sales.desk, name="desk"),
    path("sell/orders/", sales.sales_list, name="sales"),
    path("sell/earnings/", sales.earnings_page, name="earnings"),
    path("fees/", rules.fees, name="fees"),
    path("rules/", rules.rules, name="rules"),
]
