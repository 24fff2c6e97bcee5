"""Every setting of the store. Values come from the environment; `.env.example` lists and explains them.

Embedded (the default, DEBUG=true) needs nothing but what `make run` writes to `var/dev.env`. In production a
missing secret stops the start with a sentence that says what to set.
"""

import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from kombu import Queue

from accountsstore.redis import channels_redis_host

BASE_DIR = Path(__file__).resolve().parent.parent
TESTING = "pytest" in sys.modules
# These run where the store's secrets are not yet, or never: they know an inventory and the servers' passwords alone.
KEYLESS = len(sys.argv) > 1 and sys.argv[1] in ("render_deploy", "bootstrap_servers")

env = environ.Env()
# Where a store on one machine keeps its data. Each test process has a folder of its own (valkey_for_tests.py).
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
# Tests read no file: what somebody sets for their own store must not change what they prove.
for _file in () if TESTING else (BASE_DIR / ".env", VAR_DIR / "dev.env"):
    if _file.is_file():
        env.read_env(_file)

DEBUG = env.bool("DEBUG", default=False)


def secret(name: str, hint: str) -> str:
    """A setting without which no program of the store starts, but its own tests and what needs no secret."""
    value = env.str(name, default="test-only-" * 5 if TESTING or KEYLESS else "")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {hint} See .env.example; `make run` makes one for a laptop.")
    return value


SECRET_KEY = secret("SECRET_KEY", "Set it to 50 or more random characters.")
# What was signed with these is still believed, while the key is changed (docs/operations/secrets.md).
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG or TESTING else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# ---------------------------------------------------------------- the store
STORE_NAME = env.str("STORE_NAME", default="Accounts Store")
STORE_CURRENCY = env.str("STORE_CURRENCY", default="USD")
STORE_SUPPORT_EMAIL = env.str("STORE_SUPPORT_EMAIL", default="support@store.example")
# The address in mails. On a laptop `make run` sets it to the port in use.
STORE_URL = env.str("STORE_URL", default="http://localhost:8000").rstrip("/")
TERMS_VERSION = env.str("TERMS_VERSION", default="2026-11")
TIME_ZONE = "UTC"
USE_TZ = True
# What people see; storage stays in UTC.
STORE_TIME_ZONE = env.str("STORE_TIME_ZONE", default="UTC")

# Durations of the order table; a category may override the last three.
ORDER_RESPOND_HOURS = env.int("ORDER_RESPOND_HOURS", default=24)
ORDER_DELIVER_HOURS = env.int("ORDER_DELIVER_HOURS", default=24)
ORDER_INSPECT_HOURS = env.int("ORDER_INSPECT_HOURS", default=48)
ORDER_WARRANTY_DAYS = env.int("ORDER_WARRANTY_DAYS", default=7)
# The seller's fee until the first FeePolicy row exists: basis points of the released share.
FEE_BASIS_POINTS = env.int("FEE_BASIS_POINTS", default=800)
LISTING_PRICE_MIN_MINOR = env.int("LISTING_PRICE_MIN_MINOR", default=100)
LISTING_PRICE_MAX_MINOR = env.int("LISTING_PRICE_MAX_MINOR", default=5_000_000)
DEPOSIT_MIN_MINOR = env.int("DEPOSIT_MIN_MINOR", default=500)
DEPOSIT_MAX_MINOR = env.int("DEPOSIT_MAX_MINOR", default=10_000_000)
DEPOSIT_REVIEW_HOURS = env.int("DEPOSIT_REVIEW_HOURS", default=12)
DEPOSIT_CLAIM_MINUTES = env.int("DEPOSIT_CLAIM_MINUTES", default=15)
# Support tickets: within how long staff promise an answer, how long a solved one is open again by writing in it, and
# how many of them a person opens in a day.
TICKET_REPLY_HOURS = env.int("TICKET_REPLY_HOURS", default=24)
TICKET_REOPEN_DAYS = env.int("TICKET_REOPEN_DAYS", default=7)
TICKETS_PER_DAY = env.int("TICKETS_PER_DAY", default=10)
# New direct conversations that a person begins in a day, and that an account of its first day does.
DIRECT_STARTS_PER_DAY = env.int("DIRECT_STARTS_PER_DAY", default=20)
DIRECT_STARTS_FIRST_DAY = env.int("DIRECT_STARTS_FIRST_DAY", default=5)
WITHDRAWAL_MIN_MINOR = env.int("WITHDRAWAL_MIN_MINOR", default=1_000)
PAYOUT_COOL_OFF_HOURS = env.int("PAYOUT_COOL_OFF_HOURS", default=0 if DEBUG or TESTING else 24)
MESSAGE_CHANGE_MINUTES = env.int("MESSAGE_CHANGE_MINUTES", default=15)
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=10 * 1024 * 1024)
# 40 Mpx: above any phone's photo sold today at full size, below what exhausts a small worker when decoded.
UPLOAD_MAX_PIXELS = env.int("UPLOAD_MAX_PIXELS", default=40_000_000)
# The store's name in a corner of listing photos, of those that are sent from now on.
LISTING_WATERMARK = env.bool("LISTING_WATERMARK", default=False)

# Keys that wrap the data key of each credential: "id:base64 of 32 bytes", newest first. `manage.py rotate_keys`.
CREDENTIAL_KEYS = env.list(
    "CREDENTIAL_KEYS", default=["test:" + "dGVzdC1vbmx5LWtleS10ZXN0LW9ubHkta2V5LTMyYnk="] if TESTING or KEYLESS else []
)
if not CREDENTIAL_KEYS:
    raise ImproperlyConfigured(
        "CREDENTIAL_KEYS is not set. Set it to `k1:` and 32 random bytes in base64, for example from "
        "`openssl rand -base64 32`. See .env.example; `make run` makes one for a laptop."
    )

# ---------------------------------------------------------------- applications
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "channels",
    # Without its automatic set-up, which would put a loader of its own in the place of ours.
    "django_cotton.apps.SimpleAppConfig",
    "django_htmx",
    "django_prometheus",
    "heroicons",
    "csp",
    "accountsstore",
    "accounts",
    "uploads",
    "listings",
    "payments",
    "chat",
]

MIDDLEWARE = [
    "accountsstore.metrics.http.MetricsMiddleware",
    "accountsstore.middleware.HealthMiddleware",
    "accountsstore.middleware.RequestIdMiddleware",
    "accountsstore.middleware.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "accountsstore.middleware.ServerAwayMiddleware",
    "uploads.middleware.PublicFileMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accountsstore.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.middleware.DoorMiddleware",
    "accounts.middleware.StaffDeskMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accountsstore.middleware.StoreErrorMiddleware",
    "accountsstore.middleware.ScriptedUploadMiddleware",
    "uploads.middleware.IncomingFilesMiddleware",
]

ROOT_URLCONF = "accountsstore.urls"
WSGI_APPLICATION = "accountsstore.wsgi.application"
ASGI_APPLICATION = "accountsstore.asgi.application"
AUTH_USER_MODEL = "accounts.User"
FORM_RENDERER = "accountsstore.forms.StoreFormRenderer"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "accountsstore" / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            # Cotton reads the component tags. Each template is compiled once; in development, again when it changes.
            "loaders": [
                (
                    f"accountsstore.template_loader.{'ReloadingLoader' if DEBUG else 'Loader'}",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": [
                "django_cotton.templatetags.cotton",
                "django.templatetags.i18n",
                "django.templatetags.static",
                "accountsstore.templatetags.store",
            ],
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "chat.announcements.banner",
                "accountsstore.context.store",
            ],
        },
    }
]

# ---------------------------------------------------------------- database
DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'store.sqlite3'}")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The alias for reads that may be seconds old; on SQLite there is only one.
STALE_READS = "default"
if DATABASE_URL.startswith(("mongodb://", "mongodb+srv://")):
    _options = {
        "appname": "accounts-store",
        "maxPoolSize": 150,
        "minPoolSize": 0 if TESTING else 50,
        "w": "majority",
        "retryWrites": True,
        # Longer than an election: with 5 s a fail-over surfaced errors in spite of retryWrites.
        "serverSelectionTimeoutMS": 15_000,
        "socketTimeoutMS": 45_000,
        # A server that hangs is given up, with the connections that wait for it, when its heartbeat (every 10 s) is
        # this late: with the driver's 20 s a page waited for it until socketTimeoutMS.
        "connectTimeoutMS": 5_000,
    }
    # What the address itself says wins: mongodb://…/accountsstore?replicaSet=rs0&minPoolSize=5
    _options = {name: value for name, value in _options.items() if f"{name.lower()}=" not in DATABASE_URL.lower()}
    DATABASES = {
        "default": {"ENGINE": "accountsstore.mongo", "HOST": DATABASE_URL, "OPTIONS": _options},
        "replica": {
            "ENGINE": "accountsstore.mongo",
            "HOST": DATABASE_URL,
            "OPTIONS": _options | {"readPreference": "secondaryPreferred", "minPoolSize": 0},
            "TEST": {"MIRROR": "default"},
        },
    }
    # A test reads what it has just written.
    STALE_READS = "default" if TESTING else "replica"
    DEFAULT_AUTO_FIELD = ALLAUTH_DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
    _with_object_ids = {
        "django.contrib.admin": "accountsstore.mongo.apps.MongoAdminConfig",
        "django.contrib.auth": "accountsstore.mongo.apps.MongoAuthConfig",
        "django.contrib.contenttypes": "accountsstore.mongo.apps.MongoContentTypesConfig",
    }
    INSTALLED_APPS = [_with_object_ids.get(app, app) for app in INSTALLED_APPS]
    MIGRATION_MODULES = {
        app: f"accountsstore.mongo.migrations.{app}" for app in ("account", "admin", "auth", "contenttypes")
    }
else:
    DATABASES = {"default": env.db_url_config(DATABASE_URL)}
    if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
        DATABASES["default"] |= {
            # Measured with 3 processes x 12 threads: IMMEDIATE and a 20 s wait gave no "database is locked".
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
            },
            "TEST": {"NAME": VAR_DIR / "test.sqlite3"},
        }

# ---------------------------------------------------------------- Redis: realtime, cache, limits, presence
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
# In front of every key and channel: several stores may share a cluster.
REDIS_PREFIX = env.str("REDIS_PREFIX", default="store")
CHANNEL_LAYER = env.str("CHANNEL_LAYER", default="ours")
if CHANNEL_LAYER not in ("ours", "channels_redis"):
    raise ImproperlyConfigured(f"CHANNEL_LAYER is {CHANNEL_LAYER!r}. It is ours or channels_redis.")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "accountsstore.layer.ClusterChannelLayer",
        "CONFIG": {"url": REDIS_URL, "prefix": REDIS_PREFIX},
    }
    if CHANNEL_LAYER == "ours"
    else {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [channels_redis_host(REDIS_URL)], "prefix": REDIS_PREFIX},
    }
}
CACHES: dict[str, dict[str, Any]] = {
    name: {"BACKEND": "accountsstore.cache.StoreCache", "KEY_PREFIX": f"{REDIS_PREFIX}:{name}"}
    for name in ("default", "limits", "sessions")
}
# A session that changes or ends while Redis is away would come back with it as it was: its copy there lives for a minute.
CACHES["sessions"]["OPTIONS"] = {"longest_seconds": 60}
RATELIMIT_USE_CACHE = "limits"
# While Redis is away: does everybody pass what is limited (true), or nobody? Signing in is limited too.
RATELIMIT_FAIL_OPEN = env.bool("RATELIMIT_FAIL_OPEN", default=True)
# A person is online while a process says so within the lease. It outlives one heartbeat that fails, and a killed
# process by less than a minute.
PRESENCE_LEASE_SECONDS = env.int("PRESENCE_LEASE_SECONDS", default=50)
PRESENCE_HEARTBEAT_SECONDS = env.int("PRESENCE_HEARTBEAT_SECONDS", default=20)
# A socket that says nothing for so long is asked whether it is there, and has so long to answer. Longer than the 25 s
# between two pings of our client; with the two seconds between two looks, a dead peer has left after 62 s.
SOCKET_PING_SECONDS = env.int("SOCKET_PING_SECONDS", default=30)
SOCKET_PONG_SECONDS = env.int("SOCKET_PONG_SECONDS", default=30)
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_CACHE_ALIAS = "sessions"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14

# ---------------------------------------------------------------- jobs
# redis://…, or the Sentinels that know its master: sentinel://:password@host:port;sentinel://:password@host:port;…
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
if "cluster:" in CELERY_BROKER_URL:
    raise ImproperlyConfigured(
        "CELERY_BROKER_URL is not set. A Redis Cluster carries no jobs: set it to redis://… or sentinel://…, a Redis of "
        "its own that evicts nothing. See .env.example."
    )
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    # Above the longest job. What a killed worker held is given to another one after this; the clock does not wait for
    # it (outbox.py).
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # Seconds. Above the second that a worker waits for a job at a time; a page that queues one waits no longer.
    "socket_timeout": 2,
    "socket_connect_timeout": 1,
    # A worker notices after twice this that its master hangs, instead of after 50 seconds.
    "health_check_interval": 5,
}
if CELERY_BROKER_URL.startswith("sentinel:"):
    _first = urlsplit(CELERY_BROKER_URL.partition(";")[0])
    CELERY_BROKER_TRANSPORT_OPTIONS |= {
        "master_name": env.str("CELERY_SENTINEL_MASTER", default="jobs"),
        "sentinel_kwargs": {
            # A password of their own belongs to their default user.
            "username": None if "CELERY_SENTINEL_PASSWORD" in env else _first.username or None,
            "password": env.str("CELERY_SENTINEL_PASSWORD", default=_first.password or "") or None,
            "socket_timeout": 1,
            "socket_connect_timeout": 1,
        },
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.2}
# A worker that is told nothing else listens to all of them.
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in ("mail", "images", "money", "default")]
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = {
    "accountsstore.tasks.mail_send": {"queue": "mail"},
    # Deadlines that pass move money.
    "accountsstore.tasks.clock_tick": {"queue": "money"},
    "uploads.tasks.*": {"queue": "images"},
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# What ends a start is a sentence for people, not a line of the log.
CELERY_WORKER_REDIRECT_STDOUTS = False
# Any number of beats: each queues a tick a second, and the database gives each turn once (clock.py). They keep no file.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    # Ticks that no worker took for five seconds are dropped: a stopped worker finds no heap of them.
    "clock": {"task": "accountsstore.tasks.clock_tick", "schedule": 1.0, "options": {"expires": 5}}
}

# ---------------------------------------------------------------- people
AUTHENTICATION_BACKENDS = [
    "accounts.backends.StoreAuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}}]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
# Three minutes, allauth's default, are over before a slow mail arrives.
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 15 * 60
# Six digits with three tries: a guess succeeds once in 333,333 mails.
ALLAUTH_USER_CODE_FORMAT = {"numeric": True, "length": 6, "dashed": False}
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PRESERVE_USERNAME_CASING = False
ACCOUNT_USERNAME_MIN_LENGTH = 3
ACCOUNT_USERNAME_BLACKLIST = ["admin", "staff", "support", "store", "system", "escrow", "me"]
ACCOUNT_FORMS = {
    "login": "accounts.forms.LoginForm",
    "signup": "accounts.forms.SignUpForm",
    "confirm_email_verification_code": "accounts.forms.EmailCodeForm",
    "confirm_password_reset_code": "accounts.forms.ResetCodeForm",
    "reset_password": "accounts.forms.PasswordForgottenForm",
    "reset_password_from_key": "accounts.forms.PasswordResetForm",
    "change_password": "accounts.forms.PasswordChangeForm",
    "reauthenticate": "accounts.forms.ReauthenticateForm",
    "add_email": "accounts.forms.EmailChangeForm",
}

# ---------------------------------------------------------------- mail
if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = VAR_DIR / "mail"
# With DEBUG, /dev/mail/ shows what was written here: by the file backend, or by the mail server of `manage.py stack`.
DEV_MAILBOX = env.str("DEV_MAILBOX", default="" if env.str("EMAIL_URL", default="") else str(VAR_DIR / "mail"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"{STORE_NAME} <no-reply@store.example>")
# A dozen answers at this stay within a mail's lease (outbox.py).
EMAIL_TIMEOUT = 5

# ---------------------------------------------------------------- files
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(VAR_DIR / "media"))
# A bucket takes the place of MEDIA_ROOT, and browsers send to it directly (uploads/s3.py).
S3_BUCKET = env.str("S3_BUCKET", default="")
S3_REGION = env.str("S3_REGION", default="us-east-1")
# Another service than Amazon's: MinIO, moto.
S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", default="").rstrip("/")
S3_ACCESS_KEY_ID = env.str("S3_ACCESS_KEY_ID", default="")
S3_SECRET_ACCESS_KEY = env.str("S3_SECRET_ACCESS_KEY", default="")
# Where browsers send files to.
S3_ORIGIN = S3_ENDPOINT_URL or f"https://{S3_BUCKET}.s3.{S3_REGION}.amazonaws.com"
# The CloudFront in front of the bucket: public pictures at once, private files with the key pair that it trusts.
CDN_DOMAIN = env.str("CDN_DOMAIN", default="")
CLOUDFRONT_KEY_ID = env.str("CLOUDFRONT_KEY_ID", default="")
CLOUDFRONT_PRIVATE_KEY = env.str("CLOUDFRONT_PRIVATE_KEY", default="").replace("\\n", "\n")
if bool(CLOUDFRONT_KEY_ID) != bool(CLOUDFRONT_PRIVATE_KEY):
    raise ImproperlyConfigured("CLOUDFRONT_KEY_ID and CLOUDFRONT_PRIVATE_KEY go together: set both or neither.")
if CDN_DOMAIN and not S3_BUCKET:
    raise ImproperlyConfigured("CDN_DOMAIN is set, but S3_BUCKET is not: the CDN serves what lies in the bucket.")

# ---------------------------------------------------------------- backups (accountsstore/backup/)
# What encrypts them: "id:base64 of 32 bytes", newest first.
BACKUP_KEYS = env.list("BACKUP_KEYS", default=[])
BACKUP_FOLDER = env.path("BACKUP_FOLDER", default=str(VAR_DIR / "backup"))
# A bucket takes the place of the folder.
BACKUP_S3_BUCKET = env.str("BACKUP_S3_BUCKET", default="")
# How many days, weeks and months keep the newest backup of theirs.
BACKUP_KEEP_DAYS = env.int("BACKUP_KEEP_DAYS", default=7)
BACKUP_KEEP_WEEKS = env.int("BACKUP_KEEP_WEEKS", default=5)
BACKUP_KEEP_MONTHS = env.int("BACKUP_KEEP_MONTHS", default=12)

# ---------------------------------------------------------------- where files lie
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "accountsstore" / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
]
STORAGES = {
    "default": {"BACKEND": "uploads.s3.Bucket" if S3_BUCKET else "django.core.files.storage.FileSystemStorage"},
    "backup": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": BACKUP_S3_BUCKET,
            "region_name": env.str("BACKUP_S3_REGION", default=S3_REGION),
            "endpoint_url": env.str("BACKUP_S3_ENDPOINT_URL", default=S3_ENDPOINT_URL) or None,
            "access_key": env.str("BACKUP_S3_ACCESS_KEY_ID", default=S3_ACCESS_KEY_ID) or None,
            "secret_key": env.str("BACKUP_S3_SECRET_ACCESS_KEY", default=S3_SECRET_ACCESS_KEY) or None,
            "default_acl": None,
        },
    }
    if BACKUP_S3_BUCKET
    else {"BACKEND": "accountsstore.backup.vault.Folder", "OPTIONS": {"location": BACKUP_FOLDER}},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# Seconds that a browser uses a static file without asking, where its name does not change with it.
WHITENOISE_MAX_AGE = env.int("STATIC_MAX_AGE", default=0 if DEBUG else 60)
# Found when asked for, so that no test client looks through all folders first.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG or TESTING
FILE_UPLOAD_HANDLERS = [
    "uploads.handlers.UpToTheLimit",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
DATA_UPLOAD_MAX_NUMBER_FILES = 12

# ---------------------------------------------------------------- languages
USE_I18N = True
LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", _("English")), ("ar", _("Arabic"))]
FORMAT_MODULE_PATH = ["accountsstore.formats"]
LOCALE_PATHS = [BASE_DIR / "accountsstore" / "locale"]

# ---------------------------------------------------------------- security
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *([f"https://{CDN_DOMAIN}"] if CDN_DOMAIN else [])],
        "connect-src": [SELF, *([S3_ORIGIN] if S3_BUCKET else [])],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}
# django-unfold evaluates expressions in its pages (Alpine): the admin alone may.
ADMIN_CONTENT_SECURITY_POLICY = CONTENT_SECURITY_POLICY["DIRECTIVES"] | {
    "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
}
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
HTTPS = env.bool("HTTPS", default=not (DEBUG or TESTING))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = False  # nginx redirects
# What `check --deploy` would say of the line above; and a browser's preload list is for ever: its name's owner decides.
SILENCED_SYSTEM_CHECKS = ["security.W008", "security.W021"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
# Only set behind a proxy that overwrites the header (deploy/nginx does).
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=1 if env.bool("BEHIND_PROXY", default=False) else 0)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT

# ---------------------------------------------------------------- metrics
# What the processes of this host count, for each other. Nobody else's: a folder for each host.
METRICS_DIR = env.path("METRICS_DIR", default=str(VAR_DIR / "metrics"))
# Who finds /metrics: peers from here that do not come through a proxy (accountsstore/metrics/page.py).
try:
    METRICS_ALLOWED_NETWORKS = [
        ip_network(text) for text in env.list("METRICS_ALLOWED_NETWORKS", default=["127.0.0.0/8", "::1/128"])
    ]
except ValueError as error:
    raise ImproperlyConfigured(f"METRICS_ALLOWED_NETWORKS names a network that is none: {error}.") from None

# ---------------------------------------------------------------- errors and traces (accountsstore/tracing.py)
SENTRY_DSN = env.str("SENTRY_DSN", default="")
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="").rstrip("/")
# Which share of what comes in is traced.
OTEL_TRACES_SAMPLER_ARG = env.float("OTEL_TRACES_SAMPLER_ARG", default=0.01)

# ---------------------------------------------------------------- logs
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"()": "accountsstore.logs.PlainFormatter"},
        "json": {"()": "accountsstore.logs.JsonFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": env.str("LOG_FORMAT", default="plain" if DEBUG or TESTING else "json"),
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
        "daphne": {"level": "WARNING"},
        "PIL": {"level": "INFO"},
        # Two lines for each job that goes well; what a job did, its own log says.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.consumer": {"level": "WARNING"},
    },
}

# ---------------------------------------------------------------- the staff desk (django-unfold)
UNFOLD = {
    "SITE_TITLE": STORE_NAME,
    "SITE_HEADER": STORE_NAME,
    "SITE_SUBHEADER": _("Staff desk"),
    "SITE_ICON": "accountsstore.staff.icon",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "accountsstore.staff.icon"}],
    "STYLES": ["accountsstore.staff.styles"],
    "SCRIPTS": ["accountsstore.staff.script"],
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "accountsstore.staff.dashboard",
    "SIDEBAR": {"navigation": "accountsstore.staff.sidebar", "show_search": True},
    "BORDER_RADIUS": "8px",
    # The store's own teal (styles/theme.css), from paper to ink.
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .012 215)",
            "100": "oklch(94.5% .025 215)",
            "200": "oklch(89% .045 215)",
            "300": "oklch(81% .07 215)",
            "400": "oklch(71% .085 215)",
            "500": "oklch(57% .09 216)",
            "600": "oklch(46.5% .082 216)",
            "700": "oklch(40% .072 217)",
            "800": "oklch(34.5% .06 218)",
            "900": "oklch(29% .05 219)",
            "950": "oklch(22% .04 220)",
        }
    },
}

if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
