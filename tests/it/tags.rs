//! Tags and folders: kept, given to links in every way that links are written, and asked for in lists, counts and reports.

use serde_json::{Value, json};

use crate::server::{TestServer, id_of};

const URL: &str = "https://shop.example/";

fn keys(links: &Value) -> Vec<&str> {
    let links = links.as_array().expect("an array").iter();
    links.map(|link| link["key"].as_str().expect("a key")).collect()
}

#[test]
fn tags_and_folders_are_kept_and_are_one_brands_own() {
    let server = TestServer::start();
    let (api, other) = (server.api(), server.other_brand("Other"));
    for (path, body, shown) in [
        (
            "tags",
            json!({ "name": "Spring", "color": "green" }),
            json!({ "name": "Spring", "color": "green" }),
        ),
        (
            "folders",
            json!({ "name": "Spring", "description": "d" }),
            json!({ "name": "Spring", "description": "d", "type": "default", "accessLevel": "write" }),
        ),
    ] {
        let made = api.call("POST", &format!("/{path}"), Some(&body));
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        for (field, value) in shown.as_object().expect("fields") {
            assert_eq!(&made[field], value, "{made}");
        }
        let one = format!("/{path}/{}", id_of(&made));
        for (name, status) in [("sPRING", 409), ("", 422), (" x", 422)] {
            let status_found = api
                .call("POST", &format!("/{path}"), Some(&json!({ "name": name })))
                .status;
            assert_eq!(status_found, status, "{path} {name:?}");
        }
        for (method, body) in [("PATCH", Some(json!({ "name": "Mine" }))), ("DELETE", None)] {
            assert_eq!(other.call(method, &one, body.as_ref()).status, 404, "{method} {one}");
        }
        assert_eq!(other.get(&format!("/{path}")), json!([]));
        assert_eq!(
            other.post(&format!("/{path}"), &json!({ "name": "Spring" }))["name"],
            "Spring"
        );
        assert_eq!(api.patch(&one, &json!({ "name": "Summer" }))["name"], "Summer");
        api.post(&format!("/{path}"), &json!({ "name": "Autumn" }));
        let listed = api.get(&format!("/{path}?search=umme&page=1&pageSize=10"));
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!(api.get(&format!("/{path}"))[0]["name"], "Autumn", "by name");
        assert_eq!(api.get(&format!("/{path}?page=2")), json!([]));
        assert_eq!(api.get(&format!("/{path}/count")), 2);
        assert_eq!(api.call("DELETE", &one, None).json()["id"], made["id"]);
        assert_eq!(api.get(&format!("/{path}/count")), 1);
    }
    let tag = api.post("/tags", &json!({ "tag": "Named the old way" }));
    let found = api.get(&format!("/tags?ids={}&sortBy=createdAt&sortOrder=desc", id_of(&tag)));
    assert_eq!(found, json!([tag]));
    let message = api
        .call("POST", "/tags", Some(&json!({ "name": "x", "color": "mauve" })))
        .refusal(422);
    assert!(message.starts_with("color:"), "{message}");
}

#[test]
fn links_are_filed_however_they_are_written() {
    let server = TestServer::start();
    let api = server.api();
    let red = id_of(&api.post("/tags", &json!({ "name": "red", "color": "red" })));
    let blue = id_of(&api.post("/tags", &json!({ "name": "blue", "color": "blue" })));
    let folder = id_of(&api.post("/folders", &json!({ "name": "Spring" })));
    let one = api.link(&json!({ "url": URL, "key": "one", "tagIds": [blue, red], "folderId": folder }));
    assert_eq!(
        one["tags"],
        json!([{ "id": red, "name": "red", "color": "red" }, { "id": blue, "name": "blue", "color": "blue" }])
    );
    assert_eq!((&one["tagId"], &one["folderId"]), (&json!(red), &json!(folder)));
    let many = json!([
        { "url": URL, "key": "two", "tagNames": ["RED"] },
        { "url": URL, "key": "three", "tagNames": "blue", "folderId": "fold_unknown" },
        { "url": URL, "key": "four", "tagId": blue, "folderId": "" },
        { "url": URL, "key": "five" },
    ]);
    let made = api.post("/links/bulk", &many);
    assert!(
        made[1]["error"]
            .as_str()
            .is_some_and(|text| text.starts_with("folderId:")),
        "{made}"
    );
    assert_eq!(made[2]["tags"][0]["name"], "blue");
    let upserted = api.put(
        "/links/upsert",
        &json!({ "url": "https://shop.example/up", "key": "up", "tagIds": red }),
    );
    assert_eq!(upserted["tagId"], json!(red));

    for (query, expected) in [
        (format!("tagIds={red}"), "up two one"),
        (format!("tagIds={red}&tagIds={blue}"), "up four two one"),
        (format!("tagIds={red},{blue}&search=/up"), "up"),
        ("tagNames=blue".to_owned(), "four one"),
        (format!("tagId={blue}"), "four one"),
        ("withTags=true".to_owned(), "up four two one"),
        (format!("folderId={folder}"), "one"),
        (format!("folderId={folder}&tagIds={red}"), "one"),
    ] {
        let found = api.get(&format!("/links?{query}"));
        let mut found = keys(&found);
        // All were made in the same millisecond: in the order of their numbers.
        let mut expected: Vec<&str> = expected.split(' ').collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{query}");
        assert_eq!(api.get(&format!("/links/count?{query}")), expected.len(), "{query}");
    }
    for (group_by, expected) in [
        (
            "tagId",
            json!([{ "tagId": red, "_count": 3 }, { "tagId": blue, "_count": 2 }]),
        ),
        (
            "folderId",
            json!([{ "folderId": null, "_count": 4 }, { "folderId": folder, "_count": 1 }]),
        ),
        ("userId", json!([{ "userId": null, "_count": 5 }])),
    ] {
        assert_eq!(api.get(&format!("/links/count?groupBy={group_by}")), expected);
    }

    let id = id_of(&one);
    let path = format!("/links/{id}");
    assert_eq!(
        api.patch(&path, &json!({ "title": "T" }))["tags"]
            .as_array()
            .map(Vec::len),
        Some(2),
        "not said"
    );
    let bare = api.patch(&path, &json!({ "tagIds": [], "folderId": null }));
    assert_eq!(
        (&bare["tags"], &bare["tagId"], &bare["folderId"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    let refiled = api.patch(
        "/links/bulk",
        &json!({ "linkIds": [id], "data": { "tagNames": ["blue"], "folderId": folder } }),
    );
    assert_eq!(
        (&refiled[0]["tagId"], &refiled[0]["folderId"]),
        (&json!(blue), &json!(folder))
    );
    for (body, field) in [
        (json!({ "tagIds": ["tag_unknown"] }), "tagIds[0]:"),
        (json!({ "tagNames": ["red", "mauve"] }), "tagNames[1]:"),
        (json!({ "tagIds": [red], "tagNames": ["red"] }), "tagIds:"),
        (json!({ "tagIds": vec![red.as_str(); 51] }), "tagIds:"),
        (json!({ "folderId": "fold_unknown" }), "folderId:"),
    ] {
        let message = api.call("PATCH", &path, Some(&body)).refusal(422);
        assert!(message.starts_with(field), "{body}: {message}");
    }

    api.call("DELETE", &format!("/tags/{blue}"), None);
    api.call("DELETE", &format!("/folders/{folder}"), None);
    let left = api.get(&path);
    assert_eq!((&left["tags"], &left["folderId"]), (&json!([]), &Value::Null));
    assert_eq!(server.follow("/one").status, 302);
}

#[test]
fn clicks_are_reported_by_tag_and_folder() {
    let server = TestServer::start();
    let api = server.api();
    let red = id_of(&api.post("/tags", &json!({ "name": "red", "color": "red" })));
    let blue = id_of(&api.post("/tags", &json!({ "name": "blue" })));
    let folder = id_of(&api.post("/folders", &json!({ "name": "Spring" })));
    api.link(&json!({ "url": URL, "key": "both", "tagIds": [red, blue], "folderId": folder }));
    api.link(&json!({ "url": URL, "key": "red", "tagIds": [red] }));
    api.link(&json!({ "url": URL, "key": "none" }));
    for (key, count) in [("/both", 1), ("/red", 2), ("/none", 1)] {
        for _ in 0..count {
            server.clock.advance(60_000);
            assert_eq!(server.follow(key).status, 302);
        }
    }
    crate::server::eventually("four clicks", || (api.clicks("event=clicks") == 4).then_some(()));
    assert_eq!(api.clicks(&format!("tagIds={red}")), 3);
    assert_eq!(api.clicks(&format!("tagId=-{red}")), 1);
    assert_eq!(api.clicks(&format!("tagIds={red},{blue}&folderId={folder}")), 1);
    let by_tag = api.get("/analytics?interval=all&groupBy=top_link_tags");
    assert_eq!((&by_tag[0]["tagId"], &by_tag[0]["clicks"]), (&json!(red), &json!(3)));
    assert_eq!(
        (&by_tag[1]["tag"]["name"], &by_tag[1]["clicks"]),
        (&json!("blue"), &json!(1))
    );
    let by_folder = api.get("/analytics?interval=all&groupBy=top_folders");
    assert_eq!(by_folder.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&by_folder[0]["folder"]["name"], &by_folder[0]["clicks"]),
        (&json!("Spring"), &json!(1))
    );
    assert_eq!(api.call("GET", "/analytics?tagIds=tag_unknown", None).status, 404);
}
