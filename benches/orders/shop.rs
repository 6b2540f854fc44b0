//! A shop whose orders come as signed webhooks: as fast as they are answered, or at a fixed rate.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::CREATORS;
use super::times::Times;
use super::wire::{Connection, Delivery};

/// What the shop signs with.
pub const SECRET: &str = "shpss_of_the_bench";
/// Connections over which orders come at a rate; together they can wait for as many answers.
const LANES: u64 = 16;

/// The discount code of a creator.
pub fn code(creator: usize) -> String {
    format!("CODE{creator}")
}

pub struct Shop {
    address: SocketAddr,
    store: String,
    clicks: Vec<String>,
    next: AtomicU64,
}

impl Shop {
    pub fn new(address: SocketAddr, store: String, clicks: Vec<String>) -> Self {
        Self {
            address,
            store,
            clicks,
            next: AtomicU64::new(1),
        }
    }

    fn connect(&self) -> Connection {
        Connection::open(self.address).expect("the server accepts")
    }

    /// Sends the next order; it must be answered 200.
    fn send(&self, connection: &mut Connection) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let delivery = self.order(number);
        let status = delivery.send(connection, SECRET).expect("an answer");
        assert_eq!(status, 200, "order {number}");
    }

    fn order(&self, number: u64) -> Delivery {
        let now = jiff::Timestamp::now().to_string();
        let click = &self.clicks[number as usize % self.clicks.len()];
        let line = |place: u64, price: &str| {
            json!({"id": number * 10 + place, "sku": format!("SKU-{place}"), "variant_id": 44_000 + place,
                "title": "Mug", "quantity": 1, "price": price, "total_discount": "0.00",
                "discount_allocations": []})
        };
        let body = json!({
            "id": number, "name": format!("#{number}"), "created_at": now, "updated_at": now, "currency": "EUR",
            "subtotal_price": "53.82", "total_discounts": "5.98", "financial_status": "paid", "test": false,
            "customer": {"id": number % 5_000 + 1},
            "discount_codes": [{"code": code(number as usize % CREATORS)}],
            "note_attributes": [{"name": "hop_id", "value": click}],
            "line_items": [line(1, "39.90"), line(2, "19.90")], "refunds": [],
        });
        Delivery {
            store_id: self.store.clone(),
            topic: "orders/paid",
            id: format!("delivery-{number}"),
            body,
        }
    }

    /// One order after the other until then; how long each took.
    pub fn send_until(&self, until: Instant) -> Times {
        let mut connection = self.connect();
        let mut times = Times::default();
        while Instant::now() < until {
            let began = Instant::now();
            self.send(&mut connection);
            times.add(began.elapsed());
        }
        times
    }

    /// So many a second until it is over; each waits from the moment at which it was due.
    pub fn send_at(&self, rate: u64, is_over: &AtomicBool) -> Times {
        let began = Instant::now();
        let mut times = Times::default();
        thread::scope(|scope| {
            let lanes: Vec<_> = (0..LANES)
                .map(|lane| scope.spawn(move || self.lane(lane, rate, began, is_over)))
                .collect();
            lanes
                .into_iter()
                .for_each(|lane| times.join(lane.join().expect("a lane ends")));
        });
        times
    }

    fn lane(&self, lane: u64, rate: u64, began: Instant, is_over: &AtomicBool) -> Times {
        let mut connection = self.connect();
        let mut times = Times::default();
        for number in 0.. {
            let due = began + Duration::from_nanos((number * LANES + lane) * 1_000_000_000 / rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            self.send(&mut connection);
            times.add(due.elapsed());
        }
        times
    }
}
