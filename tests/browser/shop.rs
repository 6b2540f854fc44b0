//! A shop that stands in for the real ones: pictures of its products, a checkout that shows what it was asked for, and
//! the list of what that was.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response};

use crate::small_server::{Answer, SmallServer};

/// The shop's host, which the browser is told to find on loopback.
pub const SHOP: &str = "shop.test";

/// Width and height of a picture: what the landing page declares.
const SIDE: u32 = 640;

/// Paths and queries of checkouts, in the order in which they were asked for.
type Asked = Arc<Mutex<Vec<String>>>;

/// Open until it is dropped.
pub struct Shop {
    server: SmallServer,
    asked: Asked,
}

impl Shop {
    pub fn open() -> Self {
        let asked = Asked::default();
        let notes = Arc::clone(&asked);
        let server = SmallServer::start(SHOP, move |request| answer(request, &notes));
        Self { server, asked }
    }

    /// Where TLS is spoken.
    pub fn tls(&self) -> SocketAddr {
        self.server.tls
    }

    /// The shop's host and port over TLS.
    pub fn host(&self) -> String {
        format!("{SHOP}:{}", self.server.tls.port())
    }

    /// The shop's origin over TLS.
    pub fn origin(&self) -> String {
        format!("https://{}", self.host())
    }

    /// The shop's origin in clear text, as of a shop on the brand's own machine.
    pub fn plain_origin(&self) -> String {
        format!("http://{SHOP}:{}", self.server.plain.port())
    }

    /// The address of a product's picture.
    pub fn picture(&self, product: &str) -> String {
        format!("{}/pictures/{product}.png", self.origin())
    }

    /// Path and query of every checkout so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic while it was held").clone()
    }
}

fn answer(request: &Request<Bytes>, asked: &Mutex<Vec<String>>) -> Answer {
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let (kind, body) = if let Some(product) = target.strip_prefix("/pictures/") {
        ("image/png", picture(product))
    } else if target == "/favicon.ico" {
        ("image/png", Vec::new())
    } else {
        let page = checkout(&format!("{} {target}", request.method()));
        asked.lock().expect("no panic while it was held").push(target);
        ("text/html; charset=utf-8", page.into_bytes())
    };
    Response::builder()
        .header(CONTENT_TYPE, kind)
        .body(Full::from(body))
        .expect("a good head")
}

fn checkout(asked: &str) -> String {
    let asked = asked.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Stand-in checkout</title>\
         <link rel=\"icon\" href=\"data:,\"></head><body><h1>Stand-in checkout</h1><p>{asked}</p></body></html>"
    )
}

/// A lit ball on a ground whose colour is drawn from the product's name.
fn picture(product: &str) -> Vec<u8> {
    let hash = blake3::hash(product.as_bytes());
    let tint = &hash.as_bytes()[..3];
    let mut pixels = Vec::with_capacity((SIDE * SIDE * 3) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (right, down) = (x.abs_diff(SIDE / 2), y.abs_diff(SIDE / 2));
            let is_ball = right * right + down * down < (SIDE / 3) * (SIDE / 3);
            let light = if is_ball { 255 - (x + y) * 100 / SIDE } else { 235 };
            let share = |part: u8| if is_ball { u32::from(part / 2 + 100) } else { 255 };
            pixels.extend(tint.iter().map(|&part| (share(part) * light / 255) as u8));
        }
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().expect("a head");
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    file
}
