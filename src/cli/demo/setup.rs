//! Sets the demo's brand up over the API, as a brand would: a store, products, creators, links, codes.

use hyper::Method;
use serde_json::{Value, json};

use super::brand::{Cast, Creator};
use super::plan::lands_on_page;
use crate::cli::api::Api;
use crate::cli::failure::Failure;

/// Links in one bulk call; the API allows 100.
const BULK: usize = 100;

/// What the server made of the cast.
pub struct Stage {
    /// The store's id.
    pub store: String,
    /// Paths of the creators' short links with their leading slash, in the cast's order.
    pub paths: Vec<String>,
}

/// Sets everything up.
///
/// # Errors
/// The call that was refused, and why.
pub async fn set_up(api: &Api, cast: &Cast) -> Result<Stage, Failure> {
    let store = call(api, Method::POST, "/stores", store_body(cast)).await?;
    let store = text(&store, "id", "/stores")?;
    let told = call(api, Method::PUT, "/products", products_body(cast, &store)).await?;
    if told["failed"] != 0 {
        return Err(Failure::Failed(format!(
            "PUT /products did not take every product: {told}"
        )));
    }
    let mut partners = Vec::with_capacity(cast.creators.len());
    for creator in &cast.creators {
        let partner = call(api, Method::POST, "/partners", partner_body(creator)).await?;
        partners.push(text(&partner, "id", "/partners")?);
    }
    let bodies: Vec<Value> = cast
        .creators
        .iter()
        .zip(&partners)
        .enumerate()
        .map(|(place, (creator, partner))| link_body(creator, partner, &store, lands_on_page(place)))
        .collect();
    let mut links = Vec::with_capacity(bodies.len());
    for bodies in bodies.chunks(BULK) {
        let made = call(api, Method::POST, "/links/bulk", json!(bodies)).await?;
        let made = made
            .as_array()
            .filter(|made| made.len() == bodies.len())
            .ok_or_else(|| {
                Failure::Failed(format!(
                    "POST /links/bulk did not answer with {} links: {made}",
                    bodies.len()
                ))
            })?;
        links.extend(made.iter().cloned());
    }
    let mut paths = Vec::with_capacity(links.len());
    for ((creator, partner), link) in cast.creators.iter().zip(&partners).zip(&links) {
        let short_link = text(link, "shortLink", "/links/bulk")?;
        let url = url::Url::parse(&short_link)
            .map_err(|error| Failure::Failed(format!("POST /links/bulk: shortLink \"{short_link}\": {error}")))?;
        paths.push(url.path().to_owned());
        let body = json!({"code": creator.code, "partnerId": partner, "linkId": text(link, "id", "/links/bulk")?});
        call(api, Method::POST, "/discount-codes", body).await?;
    }
    // A month of a brand in one minute: a code may come before its creator's first click, which says nothing here.
    let program = json!({ "leakSignals": ["reported"] });
    call(api, Method::PATCH, "/program", program).await?;
    Ok(Stage { store, paths })
}

async fn call(api: &Api, method: Method, path: &str, body: Value) -> Result<Value, Failure> {
    match api.call(method.clone(), path, Some(&body)).await {
        Ok(reply) => Ok(reply.value),
        Err(Failure::Failed(why)) => Err(Failure::Failed(format!(
            "{method} {path}: {why}; sent: {}",
            head(&body)
        ))),
        Err(other) => Err(other),
    }
}

/// The first 300 characters of what was sent: enough to see which one it was.
fn head(body: &Value) -> String {
    body.to_string().chars().take(300).collect()
}

fn text(answer: &Value, key: &str, path: &str) -> Result<String, Failure> {
    answer[key]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::Failed(format!("POST {path} answered without \"{key}\": {answer}")))
}

fn store_body(cast: &Cast) -> Value {
    json!({
        "name": cast.brand.name,
        "provider": "shopify",
        "baseUrl": cast.brand.shop,
        "currency": cast.brand.currency,
        "webhookSecrets": [cast.brand.webhook_secret],
        "accentColor": "#1f6f54",
    })
}

fn products_body(cast: &Cast, store: &str) -> Value {
    let product = |product: &super::brand::Product| {
        let mut body = json!({
            "sku": product.sku,
            "variantId": product.variant_id,
            "title": product.title,
            "imageUrl": format!("{}/images/{}.jpg", cast.brand.shop, product.sku.to_lowercase()),
            "price": product.price,
        });
        if let Some(stock) = product.stock {
            body["stock"] = json!(stock);
        }
        body
    };
    json!({"storeId": store, "products": cast.products.iter().map(product).collect::<Vec<_>>()})
}

fn partner_body(creator: &Creator) -> Value {
    json!({
        "name": creator.name,
        "email": format!("{}@creators.example", creator.handle),
        "niche": creator.niche,
        "platform": creator.platform,
        "followers": creator.followers,
        "cost": creator.cost,
    })
}

fn link_body(creator: &Creator, partner: &str, store: &str, is_page: bool) -> Value {
    let items: Vec<Value> = creator
        .items()
        .map(
            |(sku, fallback)| json!({"sku": sku, "quantity": 1, "fallbacks": fallback.into_iter().collect::<Vec<_>>()}),
        )
        .collect();
    json!({
        "key": creator.handle,
        "partnerId": partner,
        "cart": {"storeId": store, "items": items, "discountCodes": [creator.code],
            "landing": if is_page { "page" } else { "direct" }},
        "stockPolicy": {"onOut": "fallback"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_say_what_the_files_say() {
        let cast = Cast::read().expect("good files");
        let products = products_body(&cast, "store_1");
        assert_eq!(products["products"].as_array().map(Vec::len), Some(20));
        assert_eq!(products["products"][5].get("stock"), None, "not tracked");
        let priya = cast
            .creators
            .iter()
            .find(|creator| creator.handle == "priya-plants")
            .expect("Priya");
        let link = link_body(priya, "pn_1", "store_1", false);
        assert_eq!(
            link["cart"]["items"],
            json!([{"sku": "SELF-POT", "quantity": 1, "fallbacks": ["SELF-POT-2"]}])
        );
        assert_eq!(link["cart"]["discountCodes"], json!(["PRIYA10"]));
        assert_eq!(partner_body(priya)["cost"], 35_000);
    }
}
