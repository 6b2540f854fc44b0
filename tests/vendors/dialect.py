"""Drives a server with the dialect's official client for Python, unmodified. Reads {"url", "key", "clickId"} from standard
input and writes what the client returned as JSON: it checks every answer against its own models, and raises where one does
not fit. A call that the server must refuse is answered with the client's own word for it."""

import json
import sys

from dub import Dub
from dub.models import errors

task = json.load(sys.stdin)
said = {}


def plain(answer):
    """What the client made of an answer, as JSON."""
    if isinstance(answer, list):
        return [plain(one) for one in answer]
    return answer.model_dump(mode="json", by_alias=True) if hasattr(answer, "model_dump") else answer


def refusal(call):
    """The client's own error for a call that must not succeed."""
    try:
        call()
    except errors.DubError as error:
        return {"error": type(error).__name__, "status": error.status_code}
    return None


with Dub(token=task["key"], server_url=task["url"]) as dub:
    # Links.
    link = dub.links.create(request={"url": "https://shop.example/mugs", "key": "py", "external_id": "own-1"})
    said["link"] = plain(link)
    said["taken"] = refusal(lambda: dub.links.create(request={"url": "https://shop.example/", "key": "py"}))
    said["badUrl"] = refusal(lambda: dub.links.create(request={"url": ""}))
    said["got"] = plain(dub.links.get(request={"link_id": link.id}))
    said["updated"] = plain(dub.links.update(link_id=link.id, request_body={"comments": "spring", "utm_source": "tiktok"}))
    many = [{"url": f"https://shop.example/{number}", "key": f"many-{number}"} for number in range(3)]
    said["many"] = plain(dub.links.create_many(request=many))
    said["count"] = plain(dub.links.count(request={"search": "many-"}))
    pages, page = [], dub.links.list(request={"page_size": 2, "search": "many-"})
    while page is not None and page.result:
        pages.append([one.key for one in page.result])
        page = page.next()
    said["pages"] = pages
    said["deleted"] = plain(dub.links.delete(link_id=said["many"][0]["id"]))
    said["gone"] = refusal(lambda: dub.links.get(request={"link_id": said["many"][0]["id"]}))

    # Partners and their codes.
    partner = dub.partners.create(request={"name": "Ben", "email": "ben@mail.example", "tenant_id": "t1"})
    said["partner"] = plain(partner)
    said["partners"] = plain(dub.partners.list(request={"email": "ben@mail.example"}))

    # Conversions.
    said["lead"] = plain(
        dub.track.lead(
            request={
                "click_id": task["clickId"],
                "event_name": "Sign up",
                "customer_external_id": "u1",
                "customer_name": "Zoe",
                "customer_email": "zoe@mail.example",
            }
        )
    )
    sale = {
        "customer_external_id": "u1",
        "amount": 4900,
        "currency": "eur",
        "payment_processor": "stripe",
        "invoice_id": "inv_1",
        "metadata": {"plan": "pro"},
    }
    said["sale"] = plain(dub.track.sale(request=sale))
    said["again"] = plain(dub.track.sale(request={**sale, "amount": 1}))
    said["nobody"] = plain(dub.track.sale(request={"customer_external_id": "nobody", "amount": 5}))
    unknown = {"click_id": "unknown", "event_name": "Sign up", "customer_external_id": "u2"}
    said["unknownClick"] = refusal(lambda: dub.track.lead(request=unknown))

    # Customers.
    customers = dub.customers.list(request={"external_id": "u1", "include_expanded_fields": True})
    said["customers"] = plain(customers.result)
    id = customers.result[0].id
    said["customer"] = plain(dub.customers.get(request={"id": "ext_u1"}))
    said["changed"] = plain(dub.customers.update(request={"id": id, "request_body": {"name": "Zoë"}}))

    # What happened, one by one and counted.
    said["clicks"] = plain(dub.events.list(request={"event": "clicks", "interval": "all"}))
    said["leads"] = plain(dub.events.list(request={"event": "leads", "interval": "all"}))
    said["sales"] = plain(dub.events.list(request={"event": "sales", "interval": "all"}))

    def counted(event, group_by):
        return plain(dub.analytics.retrieve(request={"event": event, "group_by": group_by, "interval": "all"}))

    said["composite"] = counted("composite", "count")
    for group_by in ["timeseries", "countries", "devices", "browsers", "os", "triggers", "referers", "top_links", "top_urls"]:
        said[f"by {group_by}"] = {event: counted(event, group_by) for event in ["clicks", "leads", "sales"]}

    said["erased"] = plain(dub.customers.delete(id=id))
    said["noCustomer"] = refusal(lambda: dub.customers.get(request={"id": id}))

json.dump(said, sys.stdout)
