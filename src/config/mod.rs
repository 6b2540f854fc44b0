//! What an operator can set: a TOML file, `HOPCART_*` variables and flags become one checked [`Config`].
//!
//! A flag beats the environment, which beats the file, which beats the default. An unknown key is an error, a secret
//! prints as `***`, and every refusal is one line that names its origin. Nothing in here opens a socket or a store;
//! a relative path is relative to the working directory.

mod check;
mod error;
mod layers;
mod masked;
mod nearest;
mod sections;
mod settings;

pub use error::ConfigError;
pub use layers::{Flag, pair_certificates};
pub use masked::Masked;
pub use sections::{
    ClickAck, ClicksSection, Config, ConsentSection, CookieSection, DestinationsSection, DomainsSection, LimitsSection,
    LogFormat, LogSection, TlsSection,
};
pub use settings::{Kind, SETTINGS, Setting};
