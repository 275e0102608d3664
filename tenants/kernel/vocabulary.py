"""Words that every package shares."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Tier(StrEnum):
    """The three tiers of technology; each includes the ones before it."""

    BASIC = "basic"
    ENHANCED = "enhanced"
    LEADING = "leading"

    @property
    def rank(self) -> int:
        """Return 0, 1 or 2: a subscription covers every offering of its own rank or below."""
        return tuple(Tier).index(self)

    def covers(self, other: Tier) -> bool:
        """Tell whether a subscription of this tier may rent an offering of ``other``."""
        return self.rank >= other.rank


class ParkSize(StrEnum):
    """Size class of a park; it decides the subsidy rate."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class OrganisationKind(StrEnum):
    """What an organisation is on the platform."""

    PARK = "park"
    PROVIDER = "provider"
    AUTHORITY = "authority"
    OPERATOR = "operator"


class UsageUnit(StrEnum):
    """What one unit of a rented service is."""

    RUN = "run"
    REPORT = "report"
    HOUR = "hour"
    SITE_MONTH = "site_month"
    TEST = "test"


class Priority(IntEnum):
    """Order in which jobs start: higher first."""

    BACKGROUND = -1000
    NORMAL = 0
    MONEY = 1000


class Role(StrEnum):
    """What a person is in an organisation."""

    PARK_ADMIN = "park_admin"
    PARK_MEMBER = "park_member"
    PARK_FINANCE = "park_finance"
    SUBSIDY_OFFICER = "subsidy_officer"
    SUBSIDY_APPROVER = "subsidy_approver"
    CLAIM_REVIEWER = "claim_reviewer"
    FINANCE = "finance"
    PROVIDER = "provider"
    OPERATOR = "operator"


class Permission(StrEnum):
    """One thing a person may do. Use cases ask for exactly one as their first line."""

    SIGN_UP = "park:sign_up"
    VERIFY_PARK = "park:verify"
    MANAGE_STANDING = "standing:manage"
    READ_PARK = "park:read"
    READ_ALL_PARKS = "park:read_all"
    MANAGE_MEMBERS = "member:manage"
    MANAGE_API_KEYS = "api_key:manage"
    SUBSCRIBE = "subscription:manage"
    READ_CATALOGUE = "catalogue:read"
    MANAGE_CATALOGUE = "catalogue:manage"
    MANAGE_INSTRUMENT = "instrument:manage"
    ASK_QUOTE = "quote:ask"
    PLACE_ORDER = "order:place"
    READ_ORDER = "order:read"
    CANCEL_ORDER = "order:cancel"
    UPLOAD_DATA = "data:upload"
    EXECUTE_RUN = "run:execute"
    REPORT_INSPECTION = "inspection:report"
    ATTEND_BOOKING = "booking:attend"
    LIFT_SUSPENSION = "suspension:lift"
    DECIDE_DISPUTE = "dispute:decide"
    DECIDE_QUALIFICATION = "qualification:decide"
    METER_USAGE = "usage:meter"
    SEND_EVENTS = "usage:send"
    READ_USAGE = "usage:read"
    READ_INVOICE = "invoice:read"
    ISSUE_INVOICE = "invoice:issue"
    MANAGE_ISSUER = "issuer:manage"
    CONFIGURE_INVOICES = "invoice:configure"
    TOP_UP_WALLET = "wallet:top_up"
    READ_WALLET = "wallet:read"
    MANAGE_BUDGET = "budget:manage"
    WRITE_PROGRAMME = "programme:write"
    APPROVE_PROGRAMME = "programme:approve"
    READ_PROGRAMME = "programme:read"
    SIMULATE_PROGRAMME = "programme:simulate"
    WRITE_EXEMPTION = "exemption:write"
    APPROVE_EXEMPTION = "exemption:approve"
    REVOKE_EXEMPTION = "exemption:revoke"
    MANAGE_FUND = "fund:manage"
    APPROVE_FUND = "fund:approve"
    READ_FUND = "fund:read"
    IMPORT_STATEMENT = "bank:import"
    RECONCILE = "books:reconcile"
    CLOSE_PERIOD = "books:close"
    READ_LEDGER = "books:read"
    CLAIM = "claim:write"
    CLAIM_ENTITLEMENT = "entitlement:claim"
    REVIEW_CLAIM = "claim:review"
    DISBURSE = "claim:disburse"
    READ_CLAIM = "claim:read"
    ACCEPT_DELIVERY = "delivery:accept"
    RETURN_DELIVERY = "delivery:return"
    READ_CLAWBACK = "clawback:read"
    OPEN_CLAWBACK = "clawback:open"
    DECIDE_CLAWBACK = "clawback:decide"
    RECORD_REPAYMENT = "clawback:repay"
    READ_AUDIT = "audit:read"
    MANAGE_SITE = "site:manage"
    READ_SITE = "site:read"
    HANDLE_ALERT = "alert:handle"
    READ_CARBON = "carbon:read"
    RECORD_CARBON = "carbon:record"
    MANAGE_FACTORS = "factors:manage"
    READ_JOINT = "joint:read"
    WRITE_JOINT = "joint:write"
    PROPOSE_JOINT = "joint:propose"
    SIGN_JOINT = "joint:sign"
    REGISTER_JOINT = "joint:register"
    RECORD_JOINT = "joint:record"
    LEND_JOINT = "joint:lend"
    IMPORT_COMPANIES = "companies:import"
    CLAIM_LEAD = "lead:claim"
    RUN_PLATFORM = "platform:run"
