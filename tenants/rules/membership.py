"""What each role may do, who may hold which, and who may give it.

Separation of duties: who writes a policy or asks for money does not approve it, who approves or reviews does not pay,
and who runs the platform has no right to funds or claims. A person never holds two such roles. Claims are reviewed by
two people with one right, of which the database lets each review a batch once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations

from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import OrganisationKind, Permission, Role

P = Permission

_STAFF_READS = frozenset(
    {P.READ_PARK, P.READ_ALL_PARKS, P.READ_CATALOGUE, P.READ_PROGRAMME, P.READ_ORDER, P.READ_USAGE, P.READ_AUDIT}
    | {P.READ_SITE, P.READ_JOINT}
)
_MEMBER = frozenset(
    {P.READ_PARK, P.READ_CATALOGUE, P.READ_PROGRAMME, P.ASK_QUOTE, P.READ_ORDER, P.UPLOAD_DATA, P.READ_USAGE}
    | {P.READ_CLAIM, P.READ_CLAWBACK, P.READ_SITE, P.HANDLE_ALERT}
    | {P.READ_CARBON, P.RECORD_CARBON, P.READ_JOINT, P.RECORD_JOINT, P.CLAIM_LEAD, P.ATTEND_BOOKING}
)
_PARK_FINANCE = frozenset(
    {P.READ_PARK, P.READ_CATALOGUE, P.READ_PROGRAMME, P.READ_ORDER, P.READ_USAGE, P.READ_INVOICE, P.READ_WALLET}
    | {P.READ_CLAIM, P.CLAIM_ENTITLEMENT, P.MANAGE_BUDGET, P.READ_SITE, P.READ_CARBON}
    | {P.READ_CLAWBACK, P.READ_JOINT}
)

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.PARK_MEMBER: _MEMBER,
    Role.PARK_FINANCE: _PARK_FINANCE,
    Role.PARK_ADMIN: _MEMBER
    | _PARK_FINANCE
    | {P.SUBSCRIBE, P.PLACE_ORDER, P.CANCEL_ORDER, P.MANAGE_MEMBERS, P.MANAGE_API_KEYS, P.READ_AUDIT}
    | {P.ACCEPT_DELIVERY, P.SEND_EVENTS, P.MANAGE_SITE, P.SIGN_JOINT, P.LEND_JOINT, P.PROPOSE_JOINT},
    Role.SUBSIDY_OFFICER: _STAFF_READS
    | {P.SIMULATE_PROGRAMME}
    | {P.VERIFY_PARK, P.WRITE_PROGRAMME, P.MANAGE_FUND, P.READ_FUND, P.READ_CLAIM, P.MANAGE_API_KEYS}
    | {P.MANAGE_STANDING, P.WRITE_EXEMPTION, P.REVOKE_EXEMPTION}
    | {P.READ_CLAWBACK, P.OPEN_CLAWBACK, P.WRITE_JOINT},
    Role.SUBSIDY_APPROVER: _STAFF_READS
    | {P.SIMULATE_PROGRAMME}
    | {P.APPROVE_PROGRAMME, P.APPROVE_FUND, P.READ_FUND, P.READ_LEDGER, P.REVIEW_CLAIM, P.READ_CLAIM}
    | {P.REGISTER_JOINT}
    | {P.APPROVE_EXEMPTION, P.REVOKE_EXEMPTION, P.READ_CLAWBACK, P.DECIDE_CLAWBACK, P.MANAGE_API_KEYS},
    Role.CLAIM_REVIEWER: _STAFF_READS | {P.READ_FUND, P.REVIEW_CLAIM, P.READ_CLAIM, P.MANAGE_API_KEYS},
    Role.FINANCE: _STAFF_READS
    | {P.READ_FUND, P.READ_INVOICE, P.ISSUE_INVOICE, P.READ_WALLET, P.TOP_UP_WALLET, P.IMPORT_STATEMENT}
    | {P.RECONCILE, P.CLOSE_PERIOD, P.READ_LEDGER, P.CLAIM, P.DISBURSE, P.READ_CLAIM}
    | {P.RETURN_DELIVERY, P.READ_CLAWBACK, P.RECORD_REPAYMENT, P.MANAGE_API_KEYS, P.MANAGE_ISSUER},
    Role.PROVIDER: frozenset(
        {P.READ_CATALOGUE, P.REPORT_INSPECTION, P.ATTEND_BOOKING, P.MANAGE_INSTRUMENT, P.READ_CLAIM, P.MANAGE_API_KEYS}
        | {P.LIFT_SUSPENSION, P.DECIDE_DISPUTE, P.DECIDE_QUALIFICATION}
    ),
    Role.OPERATOR: _STAFF_READS
    | {P.SEND_EVENTS}
    | {P.RUN_PLATFORM, P.VERIFY_PARK, P.MANAGE_STANDING, P.MANAGE_CATALOGUE, P.IMPORT_COMPANIES, P.METER_USAGE}
    | {P.CONFIGURE_INVOICES, P.MANAGE_MEMBERS, P.MANAGE_API_KEYS, P.MANAGE_BUDGET, P.MANAGE_ISSUER}
    | {P.READ_CARBON, P.MANAGE_FACTORS, P.LIFT_SUSPENSION, P.DECIDE_DISPUTE},
}
"""What a role may do. A provider's reach shows it every row, so it has no permission to read orders or parks at large."""

ROLES_OF: dict[OrganisationKind, frozenset[Role]] = {
    OrganisationKind.PARK: frozenset({Role.PARK_ADMIN, Role.PARK_MEMBER, Role.PARK_FINANCE}),
    OrganisationKind.PROVIDER: frozenset({Role.PROVIDER}),
    OrganisationKind.AUTHORITY: frozenset(
        {Role.SUBSIDY_OFFICER, Role.SUBSIDY_APPROVER, Role.CLAIM_REVIEWER, Role.FINANCE}
    ),
    OrganisationKind.OPERATOR: frozenset({Role.OPERATOR}),
}
"""Which roles exist in which organisation; a role elsewhere counts for nothing."""

SEPARATED = frozenset({Role.SUBSIDY_OFFICER, Role.SUBSIDY_APPROVER, Role.CLAIM_REVIEWER, Role.FINANCE, Role.OPERATOR})
"""No person holds two of these."""

TO_APPOINT: dict[OrganisationKind, frozenset[Permission]] = {
    OrganisationKind.PARK: frozenset({P.MANAGE_MEMBERS}),
    OrganisationKind.PROVIDER: frozenset({P.MANAGE_MEMBERS, P.RUN_PLATFORM}),
    OrganisationKind.OPERATOR: frozenset({P.MANAGE_MEMBERS, P.RUN_PLATFORM}),
    OrganisationKind.AUTHORITY: frozenset({P.MANAGE_MEMBERS, P.MANAGE_FUND, P.APPROVE_FUND, P.CLAIM}),
}
"""What the appointing person needs. Nobody has all that an authority's people need: only the platform itself, at its
console, appoints them, else an operator could make an approver of a friend."""


def permissions_of(kind: OrganisationKind, roles: Iterable[str]) -> frozenset[Permission]:
    """Return what a person with ``roles`` in an organisation of ``kind`` may do; a role that does not belong there adds
    nothing.
    """
    here = ROLES_OF[kind]
    return frozenset().union(*(PERMISSIONS[Role(role)] for role in roles if role in here))


def may_appoint(permissions: Collection[Permission], kind: OrganisationKind) -> bool:
    """Tell whether somebody with ``permissions`` may add people to an organisation of ``kind``."""
    return TO_APPOINT[kind] <= frozenset(permissions)


def check_roles(kind: OrganisationKind, roles: Collection[str]) -> frozenset[Role]:
    """Return the roles of one person; Invalid when one is unknown, belongs elsewhere, or two must be kept apart."""
    fitting = ROLES_OF[kind]
    strangers = sorted(set(roles) - fitting)
    if strangers or not roles:
        raise Invalid(
            "member.unfit_role",
            msg(
                "该单位不能设置角色：{roles}。请从以下角色中选择：{fitting}。",
                roles="、".join(strangers) or "—",
                fitting="、".join(sorted(fitting)),
            ),
        )
    held = frozenset(Role(role) for role in roles)
    for pair in combinations(sorted(held), 2):
        if SEPARATED.issuperset(pair):
            raise Invalid(
                "member.conflicting_roles",
                msg("同一人不得兼任 {one} 与 {other}。请由两人分别担任。", one=pair[0].value, other=pair[1].value),
            )
    return held
