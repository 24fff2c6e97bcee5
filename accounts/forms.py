from allauth.account.forms import SignupForm


class SignUpForm(SignupForm):
    """Registration."""
