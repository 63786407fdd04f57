//! The control socket: how other processes of the same person reach the running gateway.
//!
//! Owns the Unix socket in the data folder, who may use it (the same user of this machine and nobody else), what is
//! said on it first (a line of JSON each way), the commands, and how a gateway is found, started in the background or
//! replaced by a newer one. Refuses to know MCP: a bridge's stream is handed to `mcp` as it is.
//!
//! | file | what |
//! |---|---|
//! | `hello` | the first line each way; who gives way to whom |
//! | `listen` | the gateway's side of the socket |
//! | `reach` | the other side: connecting, and one command |
//! | `locks` | the two file locks of a data folder |
//! | `standing_by` | the gateway's side while its store cannot be opened |
//! | `start` | a gateway in the background: found, started, replaced |
//! | `waiting` | who is told when a gateway has ended |
//! | `command`, `answer`, `run`, `endings` | what can be asked, what comes back, and how it is done |
//! | `webhooks`, `keys` | the same for events, and for the master key |
//! | `store` | the same for the store as a whole |
//! | `backups` | the same for backups |

mod accounts;
mod agents;
mod answer;
mod backups;
mod command;
mod context_bill;
mod endings;
mod hello;
mod keys;
mod listen;
mod locks;
mod people;
mod reach;
mod run;
mod standing_by;
mod start;
mod store;
mod waiting;
mod webhooks;

pub use answer::{
    AccountLine, AgentLine, Answer, ClientLine, ConnectionLine, ContextBill, ContextLine, Departed,
    NarrowingLine, NewAgent, PersonRow, ReceiptLine, Refusal, RefusalKind, ScopeLine, ToolLine,
};
pub use backups::{BackupLine, BackupReport, ShelvedLine, Step, run as run_backup};
pub use command::{BackupPlace, Command, NarrowingWords, Word};
pub(super) use endings::sentence;
pub use hello::{Greeting, Hello, Relation, Version, Wanted};
pub use keys::{KeyReport, RotationEndLine, RotationLine, rotate_here};
pub use listen::ControlError;
pub(super) use listen::{ControlSocket, Offered};
pub use locks::{ATTEMPTS, GatewayLock, LockError, PAUSE};
pub use reach::ReachError;
pub(super) use reach::ask as ask_running;
pub use run::run;
pub(super) use standing_by::StandingBy;
pub use start::{Launch, StartFailure, Started, Turn, this_program, wait_for_turn};
pub use store::StoreReport;
pub use waiting::WaitingForTheEnd;
pub use webhooks::{
    AttemptLine, DeliveryLine, EndingLine, EndingReport, TestLine, WebhookLine, WebhookReport,
};
