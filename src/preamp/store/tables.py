"""The tables. Times are integer milliseconds; JSON documents are text, decoded by `documents`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()
# SQLite gives ids of their own, never reused, only to INTEGER PRIMARY KEY AUTOINCREMENT.
Serial = BigInteger().with_variant(Integer, "sqlite")

keys = Table(
    "keys",
    metadata,
    Column("access_key_id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("policy", Text),
    Column("enabled", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

apps = Table(
    "apps",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("app_id", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("tags", Text, nullable=False),
    # For private repositories; sealed, and never given back to a client.
    Column("access_token_sealed", LargeBinary),
    # What Amplify's API has no member for: `model.hosting`.
    Column("hosting", Text, nullable=False, server_default="{}"),
    Column("ssh_key_sealed", LargeBinary),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("apps_by_scope", "account", "region", "seq"),
    sqlite_autoincrement=True,
)

branches = Table(
    "branches",
    metadata,
    Column("branch_id", Serial, primary_key=True, autoincrement=True),
    Column("app_id", Text, ForeignKey("apps.app_id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("hosting", Text, nullable=False, server_default="{}"),
    Column("last_job", Integer, nullable=False, server_default="0"),
    Column("job_count", Integer, nullable=False, server_default="0"),
    Column("active_job", Integer),
    Column("active_release", Text),
    UniqueConstraint("app_id", "name", name="branches_by_name"),
    UniqueConstraint("app_id", "label", name="branches_by_label"),
    Index("branches_by_app", "app_id", "branch_id"),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("branch_id", Serial, ForeignKey("branches.branch_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("app_id", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stop_requested_ms", BigInteger),
    Column("reason", Text),
    Column("commit_id", Text),
    Column("commit_message", Text),
    Column("commit_time_ms", BigInteger),
    Column("source_url", Text),
    Column("source_url_type", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("worker_id", Text),
    Column("status_reason", Text),
    # Started by a push and not by a call of the API: a newer push may take its place while it waits.
    Column("pushed", Boolean, nullable=False, server_default=text("false")),
    # `ended_ms IS NULL` is what "unfinished" means; both indexes hold only those few rows.
    Index(
        "jobs_open_by_branch",
        "branch_id",
        "number",
        sqlite_where=text("ended_ms IS NULL"),
        postgresql_where=text("ended_ms IS NULL"),
    ),
    Index(
        "jobs_open_by_scope",
        "account",
        "region",
        "state",
        sqlite_where=text("ended_ms IS NULL"),
        postgresql_where=text("ended_ms IS NULL"),
    ),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("branch_id", Serial, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("worker_id", Text, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("outcome", Text),
    sqlite_with_rowid=False,
)

steps = Table(
    "steps",
    metadata,
    Column("branch_id", Serial, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("status_reason", Text),
    Column("context", Text),
    sqlite_with_rowid=False,
)

releases = Table(
    "releases",
    metadata,
    Column("release_id", Text, primary_key=True),
    Column("branch_id", Serial, ForeignKey("branches.branch_id", ondelete="CASCADE"), nullable=False),
    Column("job", Integer, nullable=False),
    Column("manifest_blob", Text, nullable=False),
    Column("manifest_size", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("total_bytes", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("branch_id", "job", name="releases_by_job"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("branch_id", Serial, ForeignKey("branches.branch_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    # Names the file in upload URLs, which have to be short; a path may be long.
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    # In the site; empty for the one zip of a deployment without a file map.
    Column("path", Text, nullable=False),
    Column("md5", Text),
    Column("blob", Text),
    Column("size", BigInteger),
    Column("received_ms", BigInteger),
    sqlite_with_rowid=False,
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_start", BigInteger, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    # Grows as long as a worker of a shared database lives; a count and not a time, so that no clock matters.
    Column("beat", BigInteger, nullable=False, server_default="0"),
)

# What tests left, and pictures of pages; what a build publishes is in `releases`.
artifacts = Table(
    "artifacts",
    metadata,
    Column("branch_id", Serial, ForeignKey("branches.branch_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("blob", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# For builds; sealed with the app, the branch and the name, so that none can be put in another's place.
secrets = Table(
    "secrets",
    metadata,
    Column("app_id", Text, ForeignKey("apps.app_id", ondelete="CASCADE"), primary_key=True),
    # Empty: of every branch of the app.
    Column("branch", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value_sealed", LargeBinary, nullable=False),
    # Whether builds also see it as a variable of its own.
    Column("as_variable", Boolean, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("webhook_id", Text, nullable=False, unique=True),
    Column("app_id", Text, ForeignKey("apps.app_id", ondelete="CASCADE"), nullable=False),
    # Not the branch's name: a URL must not start builds of another branch that took the name later.
    Column("branch_id", BigInteger, ForeignKey("branches.branch_id", ondelete="CASCADE"), nullable=False),
    Column("description", Text, nullable=False),
    Column("token_sealed", LargeBinary, nullable=False),
    Column("tags", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("webhooks_by_app", "app_id", "seq"),
    Index("webhooks_by_branch", "branch_id"),
    sqlite_autoincrement=True,
)

backend_environments = Table(
    "backend_environments",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("app_id", Text, ForeignKey("apps.app_id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("stack_name", Text, nullable=False),
    Column("deployment_artifacts", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    UniqueConstraint("app_id", "name", name="backend_environments_by_name"),
    Index("backend_environments_by_app", "app_id", "seq"),
    sqlite_autoincrement=True,
)

# What was changed from the defaults; no row: the default. A value of NULL: no limit.
quotas = Table(
    "quotas",
    metadata,
    Column("account", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", BigInteger),
)

# CreateApp calls of the last hour, also of apps that are deleted again.
app_creations = Table(
    "app_creations",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("account", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("app_creations_by_scope", "account", "region", "at_ms"),
)

domains = Table(
    "domains",
    metadata,
    Column("domain_id", Serial, primary_key=True, autoincrement=True),
    Column("app_id", Text, ForeignKey("apps.app_id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("tags", Text, nullable=False, server_default="{}"),
    Column("status", Text, nullable=False),
    Column("update_status", Text),
    Column("status_reason", Text),
    # When a name below it was first seen to lead here; it is not taken back.
    Column("verified_ms", BigInteger),
    # When the worker is to look at it again; none when nothing is left to do.
    Column("next_check_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    UniqueConstraint("app_id", "name", name="domains_by_name"),
    Index("domains_by_app", "app_id", "domain_id"),
    Index(
        "domains_to_check",
        "next_check_ms",
        sqlite_where=text("next_check_ms IS NOT NULL"),
        postgresql_where=text("next_check_ms IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

subdomains = Table(
    "subdomains",
    metadata,
    Column("domain_id", Serial, ForeignKey("domains.domain_id", ondelete="CASCADE"), primary_key=True),
    # As the client gave it: empty for the domain itself, `*` for every name right below it.
    Column("prefix", Text, primary_key=True),
    Column("branch_id", Serial, ForeignKey("branches.branch_id", ondelete="CASCADE"), nullable=False),
    Column("host", Text, nullable=False),
    Column("is_auto", Boolean, nullable=False),
    # Of all apps together one may have a host; the others' associations have failed.
    Column("claimed", Boolean, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("verified_ms", BigInteger),
    Column("problem", Text),
    Index(
        "subdomains_claimed",
        "host",
        unique=True,
        sqlite_where=text("claimed = 1"),
        postgresql_where=text("claimed"),
    ),
    Index("subdomains_by_branch", "branch_id"),
    sqlite_with_rowid=False,
)

# Which release a branch was made to serve by hand; jobs that succeed are not in here.
switches = Table(
    "switches",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("branch_id", BigInteger, ForeignKey("branches.branch_id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("from_job", Integer),
    Column("to_job", Integer, nullable=False),
    # Of a promotion: where the release came from. A name, because that branch may be deleted.
    Column("source_branch", Text),
    Column("source_job", Integer),
    Column("actor", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("switches_by_branch", "branch_id", "seq"),
    sqlite_autoincrement=True,
)

# Every call that changes something, whatever became of it.
audit = Table(
    "audit",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("account", Text),
    Column("actor", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("app_id", Text),
    Column("target", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Index("audit_by_app", "app_id", "seq"),
    sqlite_autoincrement=True,
)

# What the edge watches: one row each time something that changes answers was written.
changes = Table(
    "changes",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("app_id", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
