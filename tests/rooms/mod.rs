//! A server's rooms in this process, without sockets: books, click log and flows, with a clock of the test's own. What
//! shops tell goes the way of a webhook that was verified and read.

#![expect(dead_code, reason = "each test file uses a part of it")]

pub mod chance;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hopcart::books::discount_code::set_leak;
use hopcart::books::order::OrderRow;
use hopcart::books::sales::{Source, Wanted, by_source};
use hopcart::books::{self, Books};
use hopcart::clicklog::{self, Batch, Reader, Writer};
use hopcart::domain::attribution::{LeakSignal, Model, Ruling};
use hopcart::domain::click::{Click, ClickFlags};
use hopcart::domain::click_id::ClickId;
use hopcart::domain::conversion::{CustomerTold, LeadTold, SaleTold, Teller};
use hopcart::domain::creator::CreatorTerms;
use hopcart::domain::customer::CustomerKey;
use hopcart::domain::destination::Policy;
use hopcart::domain::discount_code::DiscountCode;
use hopcart::domain::id::{DomainNo, WorkspaceNo};
use hopcart::domain::link::Link;
use hopcart::domain::money;
use hopcart::domain::order::{OrderEvent, refunded_by_line};
use hopcart::domain::outside::{Clock, FixedClock, SeededEntropy};
use hopcart::domain::performance::Sales;
use hopcart::domain::rate::{DatedRate, Rate};
use hopcart::domain::store::{Provider, Store};
use hopcart::domain::time::{DAY_MS, Timestamp};
use hopcart::flows::accept_order::{self, Accepted, Delivery};
use hopcart::flows::publish_link::{self, LinkChange};
use hopcart::flows::publish_store::{self, StoreChange};
use hopcart::flows::set_program::{self, ProgramChange};
use hopcart::flows::{
    Context, Error, PublicName, enlist_creator, issue_code, issue_key, load_rates, load_table, rotate_secrets,
    rule_on_credit, track, watch_codes,
};
use hopcart::redirect::{Keys, Table};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The rooms, open.
pub struct Rooms {
    home: TempDir,
    pub clock: Arc<FixedClock>,
    runtime: Runtime,
    open: Option<Open>,
    sequence: u64,
    starts: u64,
}

struct Open {
    context: Context,
    books: Books,
    writer: Writer,
    reader: Reader,
    keys: Arc<ArcSwap<Keys>>,
}

/// The first of these that is memory makes syncs free.
fn home() -> TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).unwrap_or_else(|_| tempfile::tempdir().expect("a directory"))
}

fn customer(external_id: &str) -> CustomerTold {
    CustomerTold {
        external_id: external_id.to_owned(),
        ..CustomerTold::default()
    }
}

fn by_server(workspace: WorkspaceNo) -> track::Told {
    track::Told {
        workspace,
        by: Teller::Server,
    }
}

impl Rooms {
    /// New rooms whose clock shows `now`.
    pub fn open(now: Timestamp) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut rooms = Self {
            home: home(),
            clock: Arc::new(FixedClock::at(now)),
            runtime,
            open: None,
            sequence: 0,
            starts: 0,
        };
        rooms.start();
        rooms
    }

    fn start(&mut self) {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let path = self.home.path();
        let books = Books::open(books::Options::at(path.join("books.sqlite"))).expect("the books open");
        let options = clicklog::Options::at(path.join("clicklog"));
        let (writer, reader, _) = clicklog::open(options, Arc::clone(&clock)).expect("the log opens");
        let default = books.read_blocking(|view| books::link_domain::by_no(view, DomainNo::DEFAULT));
        let default = default.expect("read").expect("the default domain");
        let (table, table_writer) = Table::new(&default);
        let name = PublicName {
            scheme: "http".to_owned(),
            authority: "go.test".to_owned(),
            host: "go.test".to_owned(),
            ports: vec![80],
        };
        // What was drawn before a restart must not be drawn again.
        self.starts += 1;
        let entropy = Arc::new(SeededEntropy::new(self.starts));
        let policy = Policy {
            private_allowed: true,
            allowed_hosts: Vec::new(),
        };
        let context = Context::new(books.clone(), table_writer, table, clock, entropy, policy, name);
        load_table::load(&context).expect("loaded");
        let keys = rotate_secrets::rotate(&context).expect("secrets");
        self.open = Some(Open {
            context,
            books,
            writer,
            reader,
            keys: Arc::new(ArcSwap::from_pointee(keys)),
        });
    }

    /// Closes everything, or with `is_kill` drops it as a kill does, and opens it again.
    pub fn restart(&mut self, is_kill: bool) {
        if let Some(Open { writer, books, .. }) = self.open.take() {
            if !is_kill {
                writer.close().expect("the log closes");
            }
            books.close();
        }
        self.start();
    }

    fn of(&self) -> &Open {
        self.open.as_ref().expect("open rooms")
    }

    /// The flows' context.
    pub fn context(&self) -> &Context {
        &self.of().context
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, Error>>) -> T {
        self.runtime.block_on(work).expect("the flow does it")
    }

    pub fn workspace(&self, name: &str) -> WorkspaceNo {
        let opened = self.wait(issue_key::open_workspace(self.context(), name.to_owned()));
        opened.0.no
    }

    pub fn creator(&self, workspace: WorkspaceNo, name: &str, email: &str) -> hopcart::domain::creator::Creator {
        let terms = CreatorTerms {
            name: name.to_owned(),
            email: Some(email.to_owned()),
            ..CreatorTerms::default()
        };
        self.wait(enlist_creator::enlist(self.context(), workspace, terms))
    }

    pub fn store(&self, workspace: WorkspaceNo) -> Store {
        let change = StoreChange {
            name: Some("Moss".to_owned()),
            provider: Some(Provider::Template),
            base_url: Some("https://moss.example/?c={items}&cid={click_id}".to_owned()),
            currency: Some("EUR".to_owned()),
            webhook_secrets: Some(vec!["secret-of-the-shop".to_owned()]),
            ..StoreChange::default()
        };
        self.wait(publish_store::create(self.context(), workspace, change))
    }

    pub fn link(&self, workspace: WorkspaceNo, creator: Option<String>) -> Link {
        let change = LinkChange {
            destination: Some("https://moss.example/".to_owned()),
            creator_id: Some(creator),
            ..LinkChange::default()
        };
        self.wait(publish_link::create(self.context(), workspace, change))
    }

    pub fn give_link(&self, workspace: WorkspaceNo, link: &str, creator: Option<String>) {
        let change = LinkChange {
            creator_id: Some(creator),
            ..LinkChange::default()
        };
        self.wait(publish_link::update(self.context(), workspace, link, change));
    }

    pub fn delete_link(&self, workspace: WorkspaceNo, link: &str) {
        self.wait(publish_link::delete(self.context(), workspace, link));
    }

    pub fn code(&self, workspace: WorkspaceNo, code: &str, creator: &str, link: Option<String>) -> DiscountCode {
        let issued = issue_code::issue(self.context(), workspace, code.to_owned(), creator.to_owned(), link);
        self.wait(issued)
    }

    pub fn mark_code(&self, code: &DiscountCode, leak: Option<LeakSignal>, is_trusted: bool) {
        let (workspace, id) = (code.workspace, code.id.clone());
        let marked = self
            .of()
            .books
            .commit_blocking(move |tx| set_leak(tx, workspace, &id, leak, is_trusted));
        assert!(marked.expect("marked"), "the code is there");
    }

    pub fn change_program(&self, workspace: WorkspaceNo, change: ProgramChange) {
        self.wait(set_program::change(self.context(), workspace, change));
    }

    /// A click as a follow leaves it, without its record in the log; and its id.
    pub fn click(&mut self, click: Click) -> (Click, String) {
        self.sequence += 1;
        let click = Click {
            sequence: self.sequence,
            at: self.clock.now(),
            flags: click.flags.with(ClickFlags::ID_SENT),
            ..click
        };
        let id = ClickId {
            at: click.at,
            node: 0,
            sequence: click.sequence,
            link: click.link,
        };
        let text = id.sign(&self.of().keys.load().click_id).as_str().to_owned();
        (click, text)
    }

    /// Writes clicks to the log.
    pub fn record(&mut self, clicks: Vec<Click>) {
        let open = self.open.as_mut().expect("open rooms");
        let batch = Batch {
            clicks,
            lost: Vec::new(),
        };
        open.writer
            .append(batch)
            .map_err(|(_, error)| error)
            .expect("the log takes it");
        open.writer.tick();
    }

    /// How the shop's adapters name a customer by their address.
    pub fn customer(&self, workspace: WorkspaceNo, email: &str) -> String {
        let key = CustomerKey::of(&self.of().keys.load().click_id, workspace);
        key.of_email(email).expect("an address")
    }

    /// A verified delivery comes in.
    pub fn deliver(&self, store: &Store, id: &str, events: Vec<OrderEvent>) -> Accepted {
        let delivery = Delivery {
            id: id.to_owned(),
            topic: "test".to_owned(),
            events,
            is_ucp: false,
        };
        let open = self.of();
        self.wait(accept_order::accept(
            &open.context,
            &open.reader,
            &open.keys,
            store.clone(),
            delivery,
        ))
    }

    pub fn order(&self, store: &Store, external_id: &str) -> Option<OrderRow> {
        let (no, external_id) = (store.no, external_id.to_owned());
        let read = self
            .of()
            .books
            .read_blocking(move |view| books::order::load(view, no, &external_id));
        read.expect("read")
    }

    /// The brand's word on a held credit; whether it was taken.
    pub fn rule(&self, workspace: WorkspaceNo, id: &str, ruling: Ruling) -> bool {
        let keys = self.of().keys.load().click_id.clone();
        let ruled = rule_on_credit::rule(self.context(), &keys, workspace, id.to_owned(), ruling);
        match self.runtime.block_on(ruled) {
            Ok(_) => true,
            Err(Error::Conflict { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Looks at the codes as the server does once an hour; how many were marked.
    pub fn watch_codes(&self) -> usize {
        watch_codes::look(self.context(), &self.of().reader).expect("looked")
    }

    /// A lead that the brand's server tells; whether it was taken.
    pub fn lead(&self, workspace: WorkspaceNo, person: &str, click_id: Option<String>, event: &str) -> bool {
        let told = LeadTold {
            click_id: click_id.unwrap_or_default(),
            event_name: event.to_owned(),
            customer: customer(person),
            is_deferred: false,
            quantity: 1,
            metadata: None,
        };
        let open = self.of();
        let keys = open.keys.load().click_id.clone();
        let taken = track::lead(&open.context, &open.reader, &keys, by_server(workspace), told);
        match self.runtime.block_on(taken) {
            Ok(_) => true,
            Err(Error::NotFound { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// A sale that the brand's server tells, as the shop's order: `Err` = refused, `Ok(false)` = nothing was counted now.
    pub fn sale(
        &self,
        workspace: WorkspaceNo,
        person: &str,
        click_id: Option<String>,
        (store, order): (&Store, &str),
        amount: i64,
    ) -> Result<bool, ()> {
        let told = SaleTold {
            customer: customer(person),
            amount,
            currency: store.currency.clone(),
            event_name: "Purchase".to_owned(),
            processor: "custom",
            invoice_id: Some(order.to_owned()),
            lead_event_name: None,
            click_id,
            metadata: None,
            store_id: Some(store.id.clone()),
        };
        let open = self.of();
        let keys = open.keys.load().click_id.clone();
        let taken = track::sale(&open.context, &open.reader, &keys, by_server(workspace), told);
        match self.runtime.block_on(taken) {
            Ok(taken) => Ok(taken.sale.is_some() && !taken.is_repeat),
            Err(Error::NotFound { .. }) => Err(()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The brand loads the rate of a pair of currencies for a day.
    pub fn load_rate(&self, workspace: WorkspaceNo, (base, quote): (&str, &str), days_ago: i64, rate: &str) {
        let currency = |code| money::currency(code).expect("a currency");
        let dated = DatedRate {
            base: currency(base),
            quote: currency(quote),
            day: self.clock.now().plus_ms(-days_ago * DAY_MS).day(),
            rate: Rate::parse(rate).expect("a rate"),
        };
        self.wait(load_rates::load(self.context(), workspace, vec![dated]));
    }

    /// What speaks against each of the brand's codes, in the order in which they were made.
    pub fn leaks(&self, workspace: WorkspaceNo) -> Vec<Option<LeakSignal>> {
        let read = self
            .of()
            .books
            .read_blocking(|view| books::discount_code::all(view, workspace));
        read.expect("read").into_iter().map(|code| code.leak).collect()
    }

    /// What of each of the order's lines is given back.
    pub fn refunded_by_line(&self, store: &Store, row: &OrderRow) -> Vec<i64> {
        let snapshot = &row.order.snapshot;
        let (no, external_id) = (store.no, snapshot.external_id.clone());
        let refunds = self
            .of()
            .books
            .read_blocking(move |view| books::refund::lines_of_order(view, no, &external_id));
        refunded_by_line(
            &snapshot.lines,
            &refunds.expect("read"),
            snapshot.cancelled_at.is_some(),
        )
    }

    /// What orders placed within `span` brought under `model`.
    pub fn sales(&self, workspace: WorkspaceNo, span: (i64, i64), model: Model) -> Vec<(Source, Sales)> {
        let wanted = Wanted {
            workspace,
            start: Timestamp(span.0),
            end: Timestamp(span.1),
            currency: "EUR",
        };
        let read = self
            .of()
            .books
            .read_blocking(move |view| by_source(view, wanted, model));
        read.expect("read")
    }
}
