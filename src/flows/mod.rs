//! The verbs: load, decide, commit, publish. The only writers of books, click log and link table.
//!
//! A flow decides with `domain`, commits in one transaction, and only then publishes to the link table; what it
//! answered is durable. Flows know no HTTP.

pub mod accept_order;
mod audit_facts;
pub mod backup;
pub mod bulk_links;
mod cart_draft;
pub mod change_customer;
mod context;
mod credit_order;
pub mod enlist_creator;
pub mod erase_visitor;
mod error;
mod experiment_draft;
pub mod hand_out_codes;
pub mod import_links;
pub mod import_orders;
pub mod issue_code;
pub mod issue_key;
pub mod join_waitlist;
pub mod keep_answers;
pub mod keep_folders;
pub mod keep_tags;
pub mod keep_utm_templates;
pub mod keep_webhooks;
mod link_facts;
pub mod link_filing;
pub mod load_rates;
pub mod load_table;
pub mod lock_link;
mod locks;
mod look_up_order;
pub mod mint_links;
pub mod open_inbound;
pub mod part_with_creator;
pub mod plan_campaign;
pub mod publish_domain;
pub mod publish_link;
pub mod publish_product;
pub mod publish_store;
mod reception_draft;
pub mod record_clicks;
pub mod record_spend;
pub mod refresh_profiles;
pub mod rotate_secrets;
pub mod rule_on_credit;
pub mod set_program;
pub mod set_settings;
pub mod share_report;
pub mod stock_codes;
mod store_look;
pub mod tell;
pub mod track;
pub mod trust_code;
pub mod upsert_link;
pub mod verify_domain;
pub mod watch_codes;

pub use cart_draft::{CartDraft, StockPolicyDraft};
pub use context::{Context, PublicName};
pub use error::{Error, Invalid};
pub use experiment_draft::{ExperimentChange, VariantDraft};
pub use reception_draft::{ReceptionChange, RuleDraft};
pub use store_look::LookChange;
