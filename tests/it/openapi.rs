//! The API's description against the API: each serves what the other tells, with the parameters, bodies, statuses and
//! answers that it tells.

use std::path::Path;

use serde_json::Value;

use crate::http::{self, Answer, Request};
use crate::schema::{problems, resolve};
use crate::server::{KEY, TestServer};

/// The methods that a path can be asked with.
pub const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The API's description.
pub struct Document(pub Value);

/// One operation of it.
#[derive(Clone, Copy)]
pub struct Operation<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub told: &'a Value,
}

impl Document {
    pub fn of(server: &TestServer) -> Self {
        let answer = http::send(server.running().admin, &Request::get("/openapi.json"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        Self(answer.json())
    }

    /// Every operation, in the document's order.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().expect("paths");
        let operations = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").iter();
            methods.map(move |(method, told)| Operation { method, path, told })
        });
        operations.collect()
    }

    /// What is wrong with an answer: its status, its kind, its content.
    pub fn faults(&self, operation: Operation<'_>, answer: &Answer) -> Vec<String> {
        let name = operation.name();
        let told = &operation.told["responses"][answer.status.to_string()];
        if told.is_null() {
            return vec![format!("{name}: {} is not described: {}", answer.status, answer.text())];
        }
        let told = match told.get("$ref") {
            Some(reference) => resolve(&self.0, reference),
            None => told,
        };
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let content = &told["content"][kind];
        if content.is_null() {
            return vec![format!("{name}: {} as {kind:?} is not described", answer.status)];
        }
        match kind {
            "application/json" => problems(&self.0, &content["schema"], &answer.json(), &name),
            _ => Vec::new(),
        }
    }
}

impl Operation<'_> {
    pub fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    /// The query parameters.
    pub fn query(&self) -> Vec<&Value> {
        let parameters = self.told["parameters"].as_array().expect("parameters").iter();
        parameters.filter(|parameter| parameter["in"] == "query").collect()
    }

    /// The example of the JSON body, if it takes one.
    pub fn example(&self) -> Option<&Value> {
        self.told.pointer("/requestBody/content/application~1json/example")
    }

    pub fn takes_table(&self) -> bool {
        self.told.pointer("/requestBody/content/text~1csv").is_some()
    }

    pub fn is_open(&self) -> bool {
        self.told["security"] == Value::Array(Vec::new())
    }
}

/// `path` with something in the place of its parameters.
fn concrete(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment.starts_with('{') {
        true => "none-1",
        false => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

#[test]
fn what_is_served_is_described_and_the_other_way_round() {
    let server = TestServer::start();
    let document = Document::of(&server);
    assert_eq!(document.0["openapi"], "3.1.0");
    assert!(
        !document.0.to_string().contains("x-unread"),
        "a body was not read to its end"
    );
    let described = document.operations();
    assert!(described.len() > 90, "{}", described.len());
    for path in document.0["paths"].as_object().expect("paths").keys() {
        for method in METHODS {
            let is_described = described.iter().any(|one| one.method == method && one.path == path);
            for prefix in ["", "/api"] {
                let target = format!("{prefix}{}", concrete(path));
                let answer = http::send(server.running().admin, &Request::new(&method.to_uppercase(), &target));
                let is_open = described
                    .iter()
                    .any(|one| one.method == method && one.path == path && one.is_open());
                let good = match (is_described, is_open) {
                    (false, _) => answer.status == 405,
                    (true, false) => answer.status == 401,
                    (true, true) => matches!(answer.status, 200 | 422),
                };
                assert!(good, "{method} {target}: {} {}", answer.status, answer.text());
            }
        }
    }
}

#[test]
fn no_route_is_added_without_its_description() {
    let rooms = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/api");
    let mut open = vec![rooms.clone()];
    let mut adding = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            let program = text.split("#[cfg(test)]").next().expect("a first part");
            if program.contains(".route(") {
                let below = path.strip_prefix(&rooms).expect("below");
                adding.push(below.to_string_lossy().into_owned());
            }
        }
    }
    adding.sort();
    // The builder that takes a route with its description, and the description's own.
    assert_eq!(adding, ["description/mod.rs", "reference.rs"]);
}

#[test]
fn calls_take_the_query_parameters_that_are_described() {
    let server = TestServer::start();
    let document = Document::of(&server);
    for operation in document.operations() {
        let mut described: Vec<&str> = Vec::new();
        let mut query = "zzz=1".to_owned();
        for parameter in operation.query() {
            let name = parameter["name"].as_str().expect("a name");
            described.push(name);
            if parameter["required"] == true {
                query += &format!("&{name}=none");
            }
        }
        described.sort_unstable();
        let mut request = Request::new(
            &operation.method.to_uppercase(),
            &format!("{}?{query}{}", concrete(operation.path), table_query(operation)),
        )
        .header("Authorization", &format!("Bearer {KEY}"));
        if operation.takes_table() {
            request = request.header("Content-Type", "text/csv").body("a,b\n");
        } else if let Some(example) = operation.example() {
            request = request
                .header("Content-Type", "application/json")
                .body(example.to_string());
        }
        let answer = http::send(server.running().admin, &request);
        let text = answer.text();
        let taken = text.split_once("zzz: is not a known query parameter: this call takes ");
        let taken: Vec<&str> = match taken {
            Some((_, rest)) => {
                let names = rest.split('"').next().expect("names");
                names.split(", ").filter(|name| *name != "none").collect()
            }
            // Calls that are about one thing, or take a body, look at no query.
            None => Vec::new(),
        };
        assert_eq!(taken, described, "{}: {text}", operation.name());
    }
}

/// Where a table needs more than JSON does.
fn table_query(operation: Operation<'_>) -> &'static str {
    let takes_store = operation.query().iter().any(|parameter| parameter["name"] == "storeId");
    if operation.takes_table() && takes_store {
        "&storeId=none"
    } else {
        ""
    }
}
