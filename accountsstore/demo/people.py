"""Everybody in the demo store. All of them are invented; their addresses end in .example, which nobody owns."""

import dataclasses

# One password for all of them: the demo is for trying, and this line is how people get in.
PASSWORD = "lantern-harbor-seven"


@dataclasses.dataclass(frozen=True)
class Person:
    """Somebody with a sign-in. `joined` is in days before today."""

    username: str
    name: str
    joined: int
    language: str = "en"
    about: str = ""

    @property
    def email(self) -> str:
        return f"{self.username}@demo.example"


@dataclasses.dataclass(frozen=True)
class Seller(Person):
    """Applies on the day of joining and is approved by the next."""

    legal_name: str = ""
    country: str = ""
    sells: str = ""


OWNER = Person("marta", "Marta Vell", 90)

# username → the groups of `manage.py bootstrap` they are in. Money out needs both of them.
STAFF = {
    Person("ines", "Ines Duarte", 89): ("Reviewers", "Payouts", "Disputes", "Moderators", "Support", "Auditors"),
    Person("jonas", "Jonas Brandt", 89): ("Reviewers", "Treasury", "Disputes", "Catalogue", "Support", "Auditors"),
}

SELLERS = (
    Seller(
        "northpine",
        "Northpine",
        78,
        about="I play what I sell. Emberfall since its first season, and every account is my own work.",
        legal_name="Nora Lindqvist",
        country="Sweden",
        sells="Role-playing accounts that I raised myself, with the mail address they were made with.",
    ),
    Seller(
        "juno-keys",
        "Juno Keys",
        77,
        about="Ranked shooter accounts. Three of us, online from 9 to 23 CET.",
        legal_name="Juno Okafor",
        country="Ireland",
        sells="Shooter accounts that my team ranks, each on a mail address of its own.",
    ),
    Seller(
        "oldtown",
        "Oldtown Games",
        76,
        about="Mobile games and shop credit since the days of scratch cards.",
        legal_name="Oldtown Games s.r.o.",
        country="Czechia",
        sells="Mobile game accounts, and gift codes that we buy from the shops' own distributors.",
    ),
    Seller(
        "quietharbor",
        "Quiet Harbor",
        75,
        about="Software licences with an invoice. We answer in minutes on workdays.",
        legal_name="Quiet Harbor Software GmbH",
        country="Germany",
        sells="Unused licences from publishers whose terms allow resale. Invoices on request.",
    ),
    Seller(
        "mapleforge",
        "Mapleforge",
        74,
        about="Streaming and music, new accounts only.",
        legal_name="Thomas Maple",
        country="Canada",
        sells="Subscriptions on new accounts that I open for each buyer.",
    ),
    Seller(
        "fernandflint",
        "Fern & Flint",
        72,
        about="Courses we have taken ourselves, with an honest word on each.",
        legal_name="Fern Hale and Idris Flint",
        country="United Kingdom",
        sells="Vouchers for course platforms, and transferable yearly memberships.",
    ),
    Seller(
        "zaytoun",
        "متجر زيتون",
        70,
        language="ar",
        about="اشتراكات وبطاقات رقمية، تسليم سريع ورد خلال دقائق.",
        legal_name="سامر الزيتوني",
        country="الأردن",
        sells="اشتراكات على حسابات جديدة، وبطاقات هدايا من موزعين معتمدين.",
    ),
    Seller(
        "saltpier",
        "Saltpier",
        66,
        about="Privacy tools and storage. No chatter, fast delivery.",
        legal_name="Piers Salter",
        country="Netherlands",
        sells="VPN and storage plans on new accounts, security licences from resellers.",
    ),
)

# The one whose sign-in is printed stands first.
BUYERS = (
    Person("salma", "Salma Mansour", 64),
    Person("amir", "Amir Haddad", 63),
    Person("lena", "Lena Vogt", 63),
    Person("tomas", "Tomas Kral", 61),
    Person("priya", "Priya Nair", 60),
    Person("yousef", "يوسف العمري", 60, language="ar"),
    Person("hana", "هناء القاسم", 58, language="ar"),
    Person("oskar", "Oskar Nyberg", 57),
    Person("mei", "Mei Tanaka", 55),
    Person("carla", "Carla Romero", 52),
    Person("rami", "Rami Saad", 49),
    Person("dunya", "Dunya Petrova", 45),
)

# They want to sell, and have not been let.
APPLICANTS = (
    Seller(
        "brightkiln",
        "Bright Kiln",
        2,
        legal_name="Kilian Bright",
        country="Austria",
        sells="Pottery and craft courses of my own, sold as yearly memberships on the platform that hosts them.",
    ),
    Seller(
        "hexmarket",
        "Hexmarket",
        6,
        legal_name="Alex Hexter",
        country="Poland",
        sells="Accounts for many games.",
    ),
    Seller(
        "quickflip",
        "Quickflip",
        20,
        legal_name="Q. Flip",
        country="Unknown",
        sells="Cheap logins in bulk, no questions.",
    ),
)
