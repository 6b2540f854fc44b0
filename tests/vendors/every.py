"""Calls every operation of the dialect's official client for Python that a server serves, unmodified. Reads {"url", "key",
"clickId"} from standard input and writes {"calls": [{"area", "operation", "error"?}], "known": ["area.operation"]}: what
was called and what came of it, and every operation that the client has in these areas."""

import json
import sys

from dub import Dub

task = json.load(sys.stdin)
calls = []


def call(area, operation, **arguments):
    """One call: its answer, or None where it failed."""
    try:
        answer = getattr(getattr(dub, area), operation)(**arguments)
    except Exception as error:
        calls.append({"area": area, "operation": operation, "error": f"{type(error).__name__}: {error}"[:2000]})
        return None
    calls.append({"area": area, "operation": operation})
    return getattr(answer, "result", answer)


def id_of(answer):
    """The id of what was made; a text that is nobody's where nothing was."""
    return getattr(answer, "id", None) or "none"


with Dub(token=task["key"], server_url=task["url"]) as dub:
    # Where links stand.
    tag = call("tags", "create", request={"name": "Spring", "color": "green"})
    call("tags", "list", request={"search": "Spr", "sort_by": "createdAt", "page_size": 10})
    call("tags", "update", id=id_of(tag), request_body={"name": "Summer"})
    folder = call("folders", "create", request={"name": "Creators", "access_level": "read"})
    call("folders", "list", request={"search": "Crea"})
    call("folders", "update", id=id_of(folder), request_body={"name": "All creators"})
    call("domains", "create", request={"slug": "go.moss.example"})
    call("domains", "create", request={"slug": "old.moss.example"})
    call("domains", "list", request={"archived": False, "page_size": 10})
    call("domains", "update", slug="go.moss.example", request_body={"expired_url": "https://moss.example/gone"})

    # Whose links they are.
    partner = call("partners", "create", request={"name": "Ben", "email": "ben@mail.example", "tenant_id": "t1"})
    call("partners", "list", request={"email": "ben@mail.example"})

    # Links.
    link = call(
        "links",
        "create",
        request={
            "url": "https://moss.example/mugs",
            "key": "py",
            "external_id": "own-1",
            "tag_ids": [id_of(tag)],
            "folder_id": id_of(folder),
            "partner_id": id_of(partner),
            "track_conversion": True,
            "expires_at": "2030-01-01T00:00:00Z",
            "expired_url": "https://moss.example/over",
            "ios": "https://apps.apple.com/app/id1",
            "android": "https://play.google.com/store/apps/details?id=moss",
            "geo": {"DE": "https://moss.example/de"},
            "utm_source": "tiktok",
            "title": "Mugs",
            "comments": "first",
            "test_variants": [
                {"url": "https://moss.example/a", "percentage": 50},
                {"url": "https://moss.example/b", "percentage": 50},
            ],
            "test_started_at": "2026-11-21T00:00:00Z",
            "test_completed_at": "2030-01-01T00:00:00Z",
        },
    )
    code = {"code": "BEN10", "partner_id": id_of(partner), "link_id": id_of(link)}
    call("discount_codes", "create", request=code)
    call("discount_codes", "list", request={"partner_id": id_of(partner)})
    call("discount_codes", "delete", id_or_code="BEN10")
    own = {"url": "https://moss.example/ben", "key": "ben-py", "link_props": {"tag_names": ["Summer"], "title": "Ben"}}
    call("partners", "create_link", request={"partner_id": id_of(partner), **own})
    call("partners", "upsert_link", request={"tenant_id": "t1", "url": "https://moss.example/ben", "comments": "again"})
    call("partners", "retrieve_links", request={"tenant_id": "t1"})
    for group_by in ["count", "timeseries", "top_links"]:
        call("partners", "analytics", request={"partner_id": id_of(partner), "interval": "30d", "group_by": group_by})
    locked = call("links", "create", request={"url": "https://moss.example/vip", "password": "open"})
    urls = [{"url": f"https://moss.example/{number}", "key": f"many-{number}"} for number in range(3)]
    many = [id_of(one) for one in call("links", "create_many", request=urls) or []]
    call("links", "upsert", request={"url": "https://moss.example/upserted"})
    call("links", "upsert", request={"url": "https://moss.example/upserted", "comments": "again"})
    call("links", "get", request={"external_id": "own-1"})
    call("links", "get", request={"link_id": id_of(link)})
    call("links", "list", request={"search": "many", "page_size": 2, "sort_by": "createdAt", "sort_order": "asc"})
    call("links", "list", request={"tag_ids": [id_of(tag)], "folder_id": id_of(folder), "show_archived": True})
    call("links", "count", request={})
    # Its models know a number here, and no groups: tests/it reads those.
    call("links", "count", request={"tag_ids": [id_of(tag)], "search": "mugs"})
    call("links", "update", link_id=id_of(link), request_body={"comments": "second", "tag_names": ["Summer"]})
    call("links", "update_many", request={"link_ids": many[:2], "data": {"archived": True}})
    call("links", "update_many", request={"external_ids": ["own-1"], "data": {"utm_medium": "video"}})
    call("links", "delete_many", request={"link_ids": many})
    call("links", "delete", link_id=id_of(locked))
    call("qr_codes", "get", request={"url": getattr(link, "short_link", ""), "size": 300, "level": "M"})

    # Conversions, and whom they name.
    lead = {"click_id": task["clickId"], "event_name": "Sign up", "customer_external_id": "u1", "customer_name": "Zoe"}
    call("track", "lead", request={**lead, "customer_email": "zoe@mail.example", "metadata": {"plan": "pro"}})
    call("track", "lead", request={**lead, "event_name": "Trial", "mode": "wait"})
    sale = {"customer_external_id": "u1", "amount": 4900, "currency": "eur", "payment_processor": "stripe"}
    call("track", "sale", request={**sale, "invoice_id": "inv_1"})
    customers = call("customers", "list", request={"external_id": "u1", "include_expanded_fields": True})
    customer = id_of(customers[0]) if customers else "none"
    call("customers", "get", request={"id": customer, "include_expanded_fields": True})
    call("customers", "update", request={"id": customer, "request_body": {"name": "Zoe Moss"}})

    # What happened.
    for event in ["clicks", "leads", "sales"]:
        call("events", "list", request={"event": event, "interval": "all"})
    # Those that the client has models for.
    groups = (
        "count timeseries continents regions countries cities devices browsers os triggers referers referer_urls top_links "
        "top_urls"
    )
    for event in ["clicks", "leads", "sales", "composite"]:
        for group_by in groups.split():
            call("analytics", "retrieve", request={"event": event, "group_by": group_by, "interval": "all"})

    call("partners", "deactivate", request={"tenant_id": "t1"})
    call("partners", "ban", request={"partner_id": id_of(partner), "reason": "brand_abuse"})
    call("partners", "list", request={"status": "banned"})
    call("customers", "delete", id=customer)
    call("tags", "delete", id=id_of(tag))
    call("domains", "delete", slug="old.moss.example")
    call("folders", "delete", id=id_of(folder))

    known = []
    for area in dict.fromkeys(one["area"] for one in calls):
        for name in dir(type(getattr(dub, area))):
            if not name.startswith("_") and not name.endswith("_async"):
                known.append(f"{area}.{name}")

json.dump({"calls": calls, "known": known}, sys.stdout)
